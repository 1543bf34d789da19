from __future__ import annotations

import itertools
import json
import tracemalloc
from typing import Any

import pytest

from core.errors import Problem
from feedback.mistakes import MOST_OF_ITEM, some
from feedback.unpack import (
    MOST_MISTAKES,
    MalformedError,
    Parcel,
    TooLargeError,
    Unreadable,
    unpack_batch,
    unpack_response,
)
from feedback.wire import MAX_ITEMS, Event, Response
from tests.builders import T0
from tests.feedback.sending import a_batch, a_context, a_summary, an_answer


def unpack(batch: Any) -> Parcel:
    return unpack_batch(json.dumps(batch).encode())


def mistakes(parcel: Parcel, index: int = 0) -> dict[str, str]:
    item = parcel.items[index]
    assert isinstance(item, Unreadable)
    return {problem.path: problem.message for problem in item.problems}


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(b"{", id="cut off"),
        pytest.param(b"\xff\xfe", id="no text"),
        pytest.param(b"[]", id="no object"),
        pytest.param(b'{"events": 5}', id="no list of events"),
        pytest.param(b'{"events": ' + b"[" * 50_000 + b"]" * 50_000 + b"}", id="a tower of brackets"),
        pytest.param(b'{"events": [NaN]}', id="not JSON's own numbers"),
        pytest.param(b'{"events": [{"uuid": 5}], "sdk": x}', id="no JSON behind a wrong type"),
        pytest.param(b'{"events": [{"uuid": 5}, {"uuid": "\xff"}]}', id="no UTF-8 behind a wrong type"),
    ],
)
def test_a_body_in_which_no_items_can_be_found_is_malformed(body: bytes) -> None:
    with pytest.raises(MalformedError):
        unpack_batch(body)


def test_one_bad_item_does_not_cost_the_others() -> None:
    parcel = unpack(a_batch(an_answer("a"), {"uuid": "bad"}, an_answer("b"), inferences=(a_summary("c"),)))

    assert [isinstance(item, Unreadable) for item in parcel.items] == [False, True, False, False]
    assert parcel.items[1].uuid == "bad"


def test_an_item_with_a_context_of_its_own_is_not_counted_as_somebody_else() -> None:
    elsewhere = {"context": a_context(install="another one")}
    told = "stands in the batch, not in an item, whose own facts stand beside its uuid"
    parcel = unpack(a_batch(an_answer("a") | elsewhere, an_answer("b"), inferences=(a_summary("c") | elsewhere,)))

    assert mistakes(parcel, 0) == mistakes(parcel, 2) == {"context": told}
    assert not isinstance(parcel.items[1], Unreadable)


def test_every_mistake_of_an_item_is_told_with_its_path() -> None:
    bad = an_answer(
        "a b", event="poll seen", timestamp="2026-11-16T09:00:00", answers=[{"question": "q"}, {"value": 1}]
    )
    del bad["submission"]

    assert mistakes(unpack(a_batch(bad))) == {
        "uuid": "must be 1 to 80 plain characters, without spaces",
        "event": "must be one of 'poll shown', 'poll answered', 'poll dismissed', 'poll abandoned'",
        "timestamp": "must be a moment with a zone, like 2026-11-20T00:00:00Z",
        "submission": "is missing",
        "answers[0].value": "is missing",
        "answers[1].question": "is missing",
    }


def test_every_mistake_of_a_summary_is_told_with_its_path() -> None:
    bad = a_summary("i", count=-1, errors={"crash": "1"}, accelerator={"used": 4}, latency_ms={"buckets": {"x": 1}})

    assert mistakes(unpack(a_batch(inferences=(bad,)))) == {
        "count": "must be int >= 0",
        "errors.crash": "must be int, not str",
        "accelerator.used": "must be str, not int",
        "latency_ms.scheme": "is missing",
        "latency_ms.buckets": "must have bucket numbers as keys",
    }


def test_a_number_out_of_range_spoils_only_its_item() -> None:
    body = json.dumps(a_batch(an_answer("a"), inferences=(a_summary("i", battery_pct=0),)))
    parcel = unpack_batch(body.replace('"battery_pct": 0', '"battery_pct": 1e999').encode())

    assert isinstance(parcel.items[0], Event)
    assert mistakes(parcel, 1) == {"": "number out of range"}


def test_a_bad_context_spoils_every_item_and_says_why() -> None:
    parcel = unpack(a_batch(an_answer("a"), an_answer("b"), context=a_context(consent={"granted": "yes"})))

    assert [mistakes(parcel, index) for index in (0, 1)] == [{"context.consent.granted": "must be bool, not str"}] * 2


def test_a_batch_without_items_is_told_every_mistake_too() -> None:
    wrong = {"context": {"install": "abc", "consent": {"granted": "yes"}}, "sent_at": "noon", "sdk": 5, "events": []}

    with pytest.raises(MalformedError) as refused:
        unpack(wrong)

    assert {problem.path: problem.message for problem in refused.value.problems} == {
        "context.install": "must be str of length >= 4",
        "context.consent.granted": "must be bool, not str",
        "sent_at": "must be a moment with a zone, like 2026-11-20T00:00:00Z",
        "sdk": "must be an object",
    }
    assert unpack({"context": a_context()}).items == ()


def test_half_an_emoji_does_not_cost_the_batch() -> None:
    text = an_answer("a", answers=[{"question": "q_txt", "value": "nice \ud83d"}])
    parcel = unpack_batch(json.dumps(a_batch(text, an_answer("b"))).encode())

    assert isinstance(parcel.items[0], Event)
    assert parcel.items[0].answers[0].value == "nice ?"


def test_what_is_not_known_yet_is_skipped() -> None:
    parcel = unpack(a_batch(an_answer("a", mood="fine"), context=a_context(gyro=True), weather="rain"))
    assert isinstance(parcel.items[0], Event)


def test_too_many_items_are_too_large() -> None:
    with pytest.raises(TooLargeError):
        unpack({"events": [{}] * (MAX_ITEMS + 1)})


def test_a_single_response_needs_no_more_than_uuid_poll_and_answers() -> None:
    body = {"uuid": "u1", "install": "abcd", "poll": "heard", "answers": [{"question": "q_csat", "value": 5}]}
    parcel = unpack_response(json.dumps(body).encode(), T0)

    event = parcel.items[0]
    assert isinstance(event, Response)
    assert (event.event, event.timestamp, event.submission) == ("poll answered", T0, "u1")


def test_of_a_hundred_thousand_mistakes_in_a_few_bytes_the_first_are_told_and_each_item_has_one() -> None:
    parcel = unpack(a_batch(*({"uuid": f"u{number}", "answers": [{}] * 90} for number in range(500))))

    told = [len(item.problems) for item in parcel.items if isinstance(item, Unreadable)]
    assert len(told) == 500
    assert (told[0], told[-1]) == (MOST_OF_ITEM + 1, 2)
    assert sum(told) < 2 * MOST_MISTAKES
    assert mistakes(parcel)[""] == "has more mistakes; only the first are told"


@pytest.mark.parametrize("wrong", [b'{"events": [{}]}', b"{", b'{"uuid": "\\ud83d"}', b"[" * 5_000])
def test_what_is_wrong_is_not_looked_for_where_nobody_may_wait(wrong: bytes) -> None:
    with pytest.raises(TooLargeError):
        unpack_batch(wrong, briefly=True)
    with pytest.raises(TooLargeError):
        unpack_response(wrong, T0, briefly=True)


def test_no_more_mistakes_are_looked_for_than_are_told() -> None:
    looked_for = (Problem(f"p{number}", "is wrong") for number in itertools.count())

    assert [problem.path for problem in some(looked_for, 2)] == ["p0", "p1", ""]
    assert next(looked_for).path == "p3"


def test_a_single_response_tells_all_its_mistakes() -> None:
    parcel = unpack_response(b'{"uuid": "u1", "answers": [], "sent_at": 5}', T0)

    assert mistakes(parcel) == {
        "poll": "is missing",
        "answers": "must be array of length >= 1",
        "sent_at": "must be a moment with a zone, like 2026-11-20T00:00:00Z",
    }


@pytest.mark.parametrize(
    "body",
    [
        b"[]",
        b"5",
        b'"x"',
        b"{",
        b'{"poll": "\xff"}',
        b'{"a": "\xff\xfe"}',
        b'{"uuid": 5, x}',
        b"[" * 50_000 + b"]" * 50_000,
    ],
)
def test_a_single_response_that_is_no_object_is_malformed(body: bytes) -> None:
    with pytest.raises(MalformedError):
        unpack_response(body, T0)


def test_millions_of_nothings_are_refused_before_they_are_taken_apart() -> None:
    body = b'{"events":[' + b"0," * 1_000_000 + b"0]}"

    tracemalloc.start()
    with pytest.raises(TooLargeError, match="more than 500000 parts"):
        unpack_batch(body)
    _, most_bytes = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert most_bytes < 1_000_000
