from __future__ import annotations

import json
from datetime import datetime, timedelta
from typing import Any

import pytest

from core.privacy import pseudonymize, unseal
from feedback import polls
from feedback.answers import KnownPoll
from feedback.posts import House
from feedback.responses import PollEvent
from feedback.telemetry import Summary
from feedback.understand import understand
from feedback.unpack import Unreadable, unpack_batch
from tests.builders import T0, at
from tests.feedback.sending import INSTALL, a_batch, a_context, a_poll, a_summary, an_answer

KEY = b"a key of sixteen bytes or more"


def a_house(*, kept_days: int = 180, **changes: Any) -> House:
    poll = a_poll(**changes)
    known = KnownPoll(poll=poll, model="kws", primary=polls.primary_question(poll).id, latest=poll.version)

    def find(app: str, poll_id: str, version: int | None) -> KnownPoll | None:
        return known if (app, poll_id) == ("demo", poll.id) and version in (None, poll.version) else None

    return House(hash_key=KEY, secret_key=KEY, retention_days=kept_days, find_poll=find)


def read(batch: dict[str, Any], *, now: datetime = T0, house: House | None = None) -> list[Any]:
    return list(understand(unpack_batch(json.dumps(batch).encode()), app="demo", now=now, house=house or a_house()))


def mistakes(item: object) -> dict[str, str]:
    assert isinstance(item, Unreadable)
    return {problem.path: problem.message for problem in item.problems}


def test_the_install_is_known_by_its_pseudonym_only() -> None:
    (event,) = read(a_batch(an_answer("a")))

    assert isinstance(event, PollEvent)
    assert event.sender.install == pseudonymize(INSTALL, KEY)
    assert INSTALL not in repr(event)


def test_a_wrong_clock_is_corrected_by_when_the_phone_says_it_sends() -> None:
    three_hours_slow = T0 - timedelta(hours=3)
    answered = three_hours_slow - timedelta(minutes=10)
    (event,) = read(a_batch(an_answer("a", at=answered), sent_at=three_hours_slow.isoformat()))

    assert event.at == T0 - timedelta(minutes=10)
    assert event.skew_s == 3 * 3600


def test_a_minute_of_delay_is_no_wrong_clock() -> None:
    (event,) = read(a_batch(an_answer("a", at=at(-1)), sent_at=(T0 - timedelta(seconds=40)).isoformat()))
    assert (event.at, event.skew_s) == (at(-1), 0)


@pytest.mark.parametrize(
    ("told", "problem"),
    [
        pytest.param(T0 + timedelta(minutes=6), "is in the future", id="future"),
        pytest.param(
            T0 - timedelta(days=181), "is older than the 180 days that are kept", id="older than the retention"
        ),
        pytest.param("0001-01-01T00:00:00+14:00", "is no moment of this age", id="before time began"),
    ],
)
def test_a_moment_that_cannot_be_is_rejected_with_a_reason(told: datetime | str, problem: str) -> None:
    stamp = told if isinstance(told, str) else told.isoformat()
    event, summary = read(a_batch(an_answer("a", timestamp=stamp), inferences=(a_summary("i", window_start=stamp),)))

    assert mistakes(event)["timestamp"].startswith(problem)
    assert mistakes(summary)["window_start"].startswith(problem)


def test_a_little_ahead_of_us_is_now() -> None:
    (event,) = read(a_batch(an_answer("a", at=T0 + timedelta(minutes=4))))
    assert event.at == T0


def test_a_poll_may_be_kept_for_less_than_the_house_keeps_things() -> None:
    (event,) = read(a_batch(an_answer("a", at=T0 - timedelta(days=8))), house=a_house(retention_days=7))
    assert mistakes(event) == {"timestamp": "is older than the 7 days that are kept"}


def test_all_problems_of_an_item_are_told_at_once() -> None:
    bad = an_answer("a", 9, at=T0 + timedelta(hours=1))
    (event,) = read(a_batch(bad, context=a_context(install=None)))
    assert set(mistakes(event)) == {"context.install", "timestamp", "answers[0].value"}


def test_an_unknown_poll_and_an_unknown_version_are_told_apart() -> None:
    first, second = read(a_batch(an_answer("a", poll="herd"), an_answer("b", poll_version=7)))

    assert mistakes(first) == {"poll": "there is no poll 'herd' that was ever started"}
    assert mistakes(second) == {"poll_version": "heard has no version 7; the latest is 1"}


def test_a_poll_that_asks_for_consent_takes_no_answer_without_it() -> None:
    house = a_house(consent={"required": True, "purpose": "model_quality", "text_version": "2026-10"})
    given = {"granted": True, "text_version": "2026-10"}
    older = {"granted": True, "text_version": "2025-01"}
    cases = [given, older, {"granted": False}, None]
    events = [read(a_batch(an_answer("a"), context=a_context(consent=case)), house=house)[0] for case in cases]

    assert isinstance(events[0], PollEvent)
    assert events[0].sender.consent is not None
    assert mistakes(events[1]) == {"context.consent.text_version": "must be 2026-10, the text heard shows"}
    assert [set(mistakes(event)) for event in events[2:]] == [{"context.consent.granted"}] * 2


@pytest.mark.parametrize("event", ["poll abandoned", "poll dismissed", "poll shown"])
def test_answers_need_consent_in_whatever_event_they_come(event: str) -> None:
    house = a_house(consent={"required": True, "purpose": "model_quality", "text_version": "2026-10"})
    refused = a_context(consent={"granted": False})

    left, silent = read(a_batch(an_answer("a", event=event), an_answer("b", event=event, answers=[]), context=refused),
                        house=house)  # fmt: skip

    assert set(mistakes(left)) == {"context.consent.granted"}
    assert isinstance(silent, PollEvent)


@pytest.mark.parametrize(("of_poll", "kept"), [(None, 365), (30, 30), (400, 365)])
def test_answers_are_kept_as_long_as_their_poll_says_and_never_longer_than_the_setting(
    of_poll: int | None, kept: int
) -> None:
    house = a_house(kept_days=365, **({} if of_poll is None else {"retention_days": of_poll}))
    last, late = T0 - timedelta(days=kept), T0 - timedelta(days=kept, seconds=1)

    within, without = read(a_batch(an_answer("a", at=last), an_answer("b", at=late)), house=house)

    assert isinstance(within, PollEvent)
    assert mistakes(without) == {"timestamp": f"is older than the {kept} days that are kept"}


def test_what_people_write_is_scrubbed_and_sealed() -> None:
    text = "Call me: +49 170 1234567 or mia@example.com\0!"
    (event,) = read(a_batch(an_answer("a", answers=[{"question": "q_txt", "value": text}])))

    answer = event.answers[0]
    assert answer.value is None
    assert "example" not in answer.sealed
    assert unseal(answer.sealed, KEY) == "Call me: [phone] or [email]!"


def test_a_choice_of_ones_own_counts_as_other_and_its_words_are_sealed() -> None:
    picked = [{"question": "q_why", "value": ["slow", "it shouted"]}]
    (event,) = read(a_batch(an_answer("a", answers=picked)))

    assert event.answers[0].value == '["other","slow"]'
    assert unseal(event.answers[0].sealed, KEY) == "it shouted"


def test_an_events_own_facts_override_those_of_the_batch() -> None:
    own: dict[str, Any] = {
        "soc": "Tensor G2",
        "model": {"name": "kws", "version": "1.3.2", "release": "rel_1", "arm": "baseline"},
    }
    event, other = read(a_batch(an_answer("a", **own), an_answer("b")))

    assert (event.sender.device.chipset, event.sender.device.model_version, event.sender.arm) == (
        "Tensor G2",
        "1.3.2",
        "baseline",
    )
    assert (other.sender.device.chipset, other.sender.arm) == ("Helio G35", "candidate")


def test_an_arm_of_none_is_in_no_arm() -> None:
    model = {"name": "kws", "version": "1.3.2", "release": "rel_1", "arm": "none"}
    (event,) = read(a_batch(an_answer("a"), context=a_context(model=model)))
    assert (event.sender.release, event.sender.arm) == (None, None)


def test_a_fallback_is_counted_for_the_accelerator_that_was_asked_for() -> None:
    fell = a_summary("i", accelerator={"requested": "nnapi", "used": "cpu", "fallback_reason": "op_unsupported"})
    held = a_summary("j", accelerator={"requested": "gpu", "used": "gpu"})
    first, second = read(a_batch(inferences=(fell, held)))

    assert (first.fell_back, first.sender.device.accelerator) == (True, "nnapi")
    assert (second.fell_back, second.sender.device.accelerator) == (False, "gpu")


def test_a_summary_needs_a_model() -> None:
    (summary,) = read(a_batch(inferences=(a_summary("i"),), context=a_context(model=None)))
    assert set(mistakes(summary)) == {"context.model.name"}


def test_a_histogram_must_have_one_count_between_two_edges() -> None:
    (summary,) = read(a_batch(inferences=(a_summary("i", confidence={"edges": [0, 0.5, 1], "counts": [1, 2, 3]}),)))
    assert mistakes(summary) == {"confidence.counts": "must be one fewer than edges"}


def test_a_summary_keeps_what_it_is_not_counted_by() -> None:
    more: dict[str, Any] = {
        "thermal": "nominal",
        "outputs": {"A": 4},
        "update": {"from_version": "1.3.2", "result": "confirmed"},
    }
    (summary,) = read(a_batch(inferences=(a_summary("i", **more),)))

    assert isinstance(summary, Summary)
    assert summary.extra["outputs"] == {"A": 4}
    assert summary.extra["update"]["result"] == "confirmed"
    assert summary.latency == {20: 31, 22: 60, 24: 9}


def test_phones_of_a_rare_kind_share_a_stratum() -> None:
    odd = a_context(**{"os.name": "KaiOS", "device.class": "tiny"})
    (event,) = read(a_batch(an_answer("a"), context=odd))
    assert event.sender.stratum == "other/unknown"
