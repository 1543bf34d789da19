"""Facts are read from what runs: reports from the service, digests from messages, fingerprints from labels."""

from __future__ import annotations

from typing import Any

from sandbox import facts


def a_message(text: str = "", blocks: list[dict[str, Any]] | None = None, **more: Any) -> dict[str, Any]:
    plain = {"channel": "C0RELEASES", "ts": "1.0", "thread_ts": None, "user": "U0MUSTER", "ephemeral_to": None}
    return {**plain, "text": text, "blocks": blocks or [], **more}


def test_cohorts_keep_the_precision_of_the_service() -> None:
    row = {"cohort": "Helio G35", "n": 118, "value": 72 / 118, "low": 0.5199, "high": 0.6934, "unit": "share"}

    assert facts.cohorts({"cohorts": [row | {"change": None}]}) == [
        {"cohort": "Helio G35", "n": 118, "score": 72 / 118, "low": 0.5199, "high": 0.6934}
    ]


def test_the_newest_report_card_is_told_in_shares_of_one() -> None:
    ratio = {"value": 0.79, "low": 0.78, "high": 0.82}
    answers = {"difference": -0.002, "low": -0.006, "high": 0.002}
    card = {"size_x": 10.0, "verdict": "fits", "summary": "fits: …", "evidence": {"ratio": ratio, "device": answers}}
    done = {"result": {"card": card, "recipe": "prune,int8"}, "url": "http://x/jobs/J1"}

    found = facts.optimize([{"result": None, "url": ""}, {"result": {"card": None}, "url": ""}, done])

    assert facts.optimize([]) is None
    assert found == {
        "recipe": "prune,int8", "size_x": 10.0, "ratio": 0.79, "ratio_low": 0.78, "ratio_high": 0.82,
        "accuracy_delta": -0.002, "accuracy_low": -0.006, "accuracy_high": 0.002, "verdict": "fits",
        "summary": "fits: …", "url": "http://x/jobs/J1",
    }  # fmt: skip


def test_a_digest_is_counted_by_its_week() -> None:
    link = {
        "type": "button",
        "text": {"type": "plain_text", "text": "Read"},
        "url": "http://x/digests/d1?sig=a&until=b",
    }
    first = a_message("Muster week 2026-W46", [{"type": "actions", "elements": [link]}])
    second = a_message("Muster week 2026-W47", [{"type": "actions", "elements": [link]}])
    reply = a_message("2026-W47 in a thread", [{"type": "actions", "elements": [link]}], thread_ts="0.5")

    page = {"title": "Muster week 2026-W47 – demo", "url": "http://x/wiki/1"}
    mail = {"subject": "demo, week 2026-W47: 1 × Act", "to": "pam@example.com"}

    found = facts.digest({"messages": [first, second, reply, second], "pages": [page], "mails": [mail]})

    assert found == {
        "week": "2026-W47",
        "url": "http://x/digests/d1?sig=a&until=b",
        "posts": 2,
        "confluence": {"pages": 1, "url": "http://x/wiki/1"},
        "mail": {"mails": 1, "to": ["pam@example.com"]},
    }


def test_a_message_that_only_names_a_week_is_no_digest() -> None:
    assert facts.digest({"messages": [a_message("see 2026-W47")]}) is None


def test_a_fingerprint_is_read_from_the_labels() -> None:
    assert facts.fingerprint({"labels": ["muster", "muster-0123456789abcdef"]}) == "0123456789abcdef"
    assert facts.fingerprint({"labels": ["muster"]}) is None
