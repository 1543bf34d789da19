"""Answers of other tools become ours: whose, when, of which question, and what their words mean."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from core.errors import InvalidInputError, NotFoundError
from feedback.imports.convert import Event, convert
from feedback.imports.mapping import ImportMap, Source, read_map
from feedback.imports.rows import identity, moment, plain_text
from feedback.polls import Poll
from tests.feedback.foreign import a_formbricks_response, a_mapping, a_posthog_event, a_zigpoll_row
from tests.feedback.sending import a_poll

SURVEYS: dict[Source, str] = {"zigpoll": "z1", "formbricks": "fb1", "posthog": "ph1"}


def mapped(source: Source, **changes: Any) -> ImportMap:
    return read_map({"source": source, "survey": SURVEYS[source], **a_mapping(**changes)}, lambda _: a_poll())


def events(source: Source, *rows: object, **changes: Any) -> tuple[Event, ...]:
    converted = convert(rows, mapped(source, **changes), a_poll())
    assert converted.unusable == ()
    return converted.events


def values(event: Event) -> dict[str, object]:
    return {answer["question"]: answer["value"] for answer in event["answers"]}


def test_a_row_of_zigpoll_becomes_one_answer_of_its_participant() -> None:
    (event,) = events("zigpoll", a_zigpoll_row())

    assert values(event) == {"q_csat": 4}
    assert (event["uuid"], event["install"]) == ("zigpoll:r1", "zigpoll:person-r1")
    assert event["timestamp"] == datetime(2026, 11, 16, 8, 0, tzinfo=UTC)
    assert event["geo.country"] == "DE"


def test_slides_of_one_participant_are_parts_of_one_submission() -> None:
    first = a_zigpoll_row("r1", participantId="ann")
    second = a_zigpoll_row("r2", participantId="ann", slideId="s_text", answers=["<p>Hears&nbsp;nothing</p>"])

    one, two = events("zigpoll", first, second)

    assert one["submission"] == two["submission"]
    assert values(two) == {"q_txt": "Hears nothing"}


def test_words_are_read_by_their_values_then_by_id_then_by_label() -> None:
    words = {"s_why": {"question": "q_why", "values": {"Trop lent": "slow"}}}
    row = a_zigpoll_row(slideId="s_why", answers=["Trop lent", "wrong", "too slow "])

    (event,) = events("zigpoll", row, questions=words)

    assert values(event) == {"q_why": ["slow", "wrong", "slow"]}


def test_answers_count_where_response_tells_them_joined() -> None:
    row = a_zigpoll_row(slideId="s_why", response="Too slow, Wrong word", answers=["Too slow", "Wrong word"])

    (event,) = events("zigpoll", row)

    assert values(event) == {"q_why": ["slow", "wrong"]}


def test_formbricks_tells_the_whole_response_at_each_update() -> None:
    early = a_formbricks_response(data={"s_rate": 2}, finished=False, updatedAt="2026-11-16T08:00:01.000Z")

    before, after = events("formbricks", early, a_formbricks_response())

    assert before["submission"] == after["submission"]
    assert before["uuid"] != after["uuid"]
    assert values(after) == {"q_csat": 2, "q_why": ["slow", "It was raining"], "q_txt": "Too slow"}
    assert (before["completed"], after["completed"]) == (False, True)


def test_posthog_tells_answers_by_place_and_by_id() -> None:
    (event,) = events("posthog", a_posthog_event())

    assert values(event) == {"q_csat": 5, "q_why": ["slow"], "q_txt": "fine"}
    assert event["os.name"] == "Android"


def test_without_a_list_of_questions_a_place_is_mapped_by_its_number() -> None:
    event = a_posthog_event(properties={"$survey_questions": None, "$survey_response_s_text": None})

    (read,) = events("posthog", event, questions={"0": "q_csat", "1": "q_why"})

    assert values(read) == {"q_csat": 5, "q_why": ["slow"]}


@pytest.mark.parametrize("told", ["survey shown", "survey dismissed"])
def test_what_posthog_shows_and_has_dismissed_counts_as_such(told: str) -> None:
    (event,) = events("posthog", a_posthog_event(event=told))

    assert event["event"] == told.replace("survey", "poll")
    assert event["answers"] == []


def test_rows_of_other_surveys_and_unmapped_questions_are_skipped() -> None:
    rows = [a_zigpoll_row(pollId="another"), a_zigpoll_row(slideId="s_shoe_size")]

    converted = convert(rows, mapped("zigpoll"), a_poll())

    assert (converted.events, converted.skipped) == ((), 2)


def test_every_reason_a_row_cannot_be_used_is_told() -> None:
    row = a_zigpoll_row(createdAt="yesterday", participantId=None, answers=[], response="")

    (unusable,) = convert([row], mapped("zigpoll"), a_poll()).unusable

    assert unusable.id == "r1"
    assert [problem.path for problem in unusable.problems] == ["participantId", "createdAt", "answers"]


@pytest.mark.parametrize("rubbish", [None, 3, "text", [], {"pollId": "z1", "answers": {"a": 1}}])
def test_rubbish_among_rows_costs_only_itself(rubbish: object) -> None:
    converted = convert([rubbish, a_zigpoll_row()], mapped("zigpoll"), a_poll())

    assert len(converted.events) == 1
    assert len(converted.unusable) == 1


def test_device_facts_come_from_the_paths_that_the_mapping_names() -> None:
    facts = {"device.model": "metadata.device", "model.version": "metadata.build", "soc": "metadata.no.such"}

    (event,) = events("zigpoll", a_zigpoll_row(metadata={"device": "Pixel 7", "build": "1.4.0"}), facts=facts)

    assert (event["device.model"], event["model"]) == ("Pixel 7", {"version": "1.4.0"})
    assert "soc" not in event


def refused_map(**mapping: object) -> dict[str, str]:
    consent = {"required": True, "purpose": "model_quality", "text_version": "2026-10"}

    def find(name: str) -> Poll:
        if name != "heard":
            raise NotFoundError(f"There is no poll {name}.")
        return a_poll(consent=consent)

    with pytest.raises(InvalidInputError) as refused:
        read_map(mapping, find)
    return {problem.path: problem.message for problem in refused.value.problems}


def test_every_mistake_of_a_mapping_is_told_at_once_those_of_its_shape_and_those_against_the_poll() -> None:
    questions = {"a": "q_cast", "b": {"question": "q_csat", "values": {"Great": 9}}, "c": 3}

    told = refused_map(source="typeform", survey="x", pol="heard", poll="heard", questions=questions,
                       facts={"shoe": "x", "soc": 3})  # fmt: skip

    assert set(told) == {
        "pol", "source", "facts.shoe", "facts", "questions.a", "questions.b.values.Great", "questions.c", "consent",
    }  # fmt: skip


@pytest.mark.parametrize("questions", [{}, [], None, 3])
def test_a_mapping_needs_questions_and_a_poll_that_is_there(questions: object) -> None:
    assert set(refused_map(source="zigpoll", survey="x", poll="hard", questions=questions)) == {"poll", "questions"}
    assert set(refused_map(source="zigpoll", survey="x", poll=3)) == {"poll", "questions"}


@pytest.mark.parametrize(
    ("told", "read"),
    [
        ("2026-11-16T08:00:00Z", datetime(2026, 11, 16, 8, tzinfo=UTC)),
        (1_763_280_000_000, datetime(2025, 11, 16, 8, tzinfo=UTC)),
        ("16.11.2026", None),
        (True, None),
        (-5, None),
    ],
)
def test_moments_are_rfc_3339_or_milliseconds(told: object, read: datetime | None) -> None:
    assert moment(told) == read


def test_an_id_that_is_no_plain_word_still_names_the_same_row() -> None:
    assert identity("zigpoll", "a b/ü" * 50) == identity("zigpoll", "a b/ü" * 50)
    assert len(identity("zigpoll", "a b/ü" * 50)) <= 80


def test_html_becomes_the_words_a_person_reads() -> None:
    assert plain_text("<p>Too&nbsp;slow<br>and &lt;hot&gt;</p>") == "Too slow and <hot>"
