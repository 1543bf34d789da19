"""Facts are read from what is shown: reports from Slack’s table, digests from messages, fingerprints from labels."""

from __future__ import annotations

from typing import Any

from sandbox import tour


def a_message(text: str = "", blocks: list[dict[str, Any]] | None = None, **more: Any) -> dict[str, Any]:
    plain = {"channel": "C0RELEASES", "ts": "1.0", "thread_ts": None, "user": "U0MUSTER", "ephemeral_to": None}
    return {**plain, "text": text, "blocks": blocks or [], **more}


def a_table(*rows: list[dict[str, Any]]) -> dict[str, Any]:
    head = [{"type": "raw_text", "text": name} for name in ("chipset", "CSAT", "95 %", "answers", "before")]
    return {"type": "data_table", "caption": "kws by chipset", "rows": [head, *rows]}


def a_row(cohort: str, score: float, interval: str, n: int) -> list[dict[str, Any]]:
    return [
        {"type": "raw_text", "text": cohort},
        {"type": "raw_number", "value": score, "text": f"{score} %"},
        {"type": "raw_text", "text": interval},
        {"type": "raw_number", "value": n, "text": str(n)},
        {"type": "raw_text", "text": "–"},
    ]


def test_cohorts_are_those_of_the_newest_report() -> None:
    old = a_message(blocks=[a_table(a_row("A17 Pro", 95.0, "80–99", 40))])
    new = a_message(blocks=[a_table(a_row("Helio G35 ▼", 61.2, "52–70", 118), a_row("A15 Bionic", 90.0, "85–94", 210))])

    assert tour.cohorts({"messages": [old, new, a_message("later")]}) == [
        {"cohort": "Helio G35", "n": 118, "score": 0.612, "low": 0.52, "high": 0.70},
        {"cohort": "A15 Bionic", "n": 210, "score": 0.9, "low": 0.85, "high": 0.94},
    ]


def test_without_a_report_there_are_no_cohorts() -> None:
    assert tour.cohorts({"messages": [a_message("hello")]}) == []


def test_a_digest_is_counted_by_its_week() -> None:
    link = {
        "type": "button",
        "text": {"type": "plain_text", "text": "Read"},
        "url": "http://x/digests/d1?sig=a&until=b",
    }
    first = a_message("Muster week 2026-W46", [{"type": "actions", "elements": [link]}])
    second = a_message("Muster week 2026-W47", [{"type": "actions", "elements": [link]}])
    reply = a_message("2026-W47 in a thread", [{"type": "actions", "elements": [link]}], thread_ts="0.5")

    found = tour.digest({"messages": [first, second, reply, second]})

    assert found == {"week": "2026-W47", "url": "http://x/digests/d1?sig=a&until=b", "posts": 2}


def test_a_message_that_only_names_a_week_is_no_digest() -> None:
    assert tour.digest({"messages": [a_message("see 2026-W47")]}) is None


def test_a_fingerprint_is_read_from_the_labels() -> None:
    assert tour.fingerprint({"labels": ["muster", "muster-0123456789abcdef"]}) == "0123456789abcdef"
    assert tour.fingerprint({"labels": ["muster"]}) is None
