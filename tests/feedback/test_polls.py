"""Polls: read, written, opened, answered."""

import copy
import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from core.errors import ConflictError, InvalidInputError
from feedback.poll_definition import Iterations
from feedback.polls import (
    Answer,
    Poll,
    check_answers,
    find_question,
    from_json,
    is_open,
    next_question,
    primary_question,
    revise,
    standing,
    start,
    stop,
    to_json,
)

T0 = datetime(2026, 11, 23, 9, tzinfo=UTC)

# The definition given as example in the design of the collector.
SCAN: dict[str, Any] = {
    "id": "poll_scan_quality",
    "name": "Scan quality",
    "status": "running",
    "version": 4,
    "start_date": "2026-11-20T00:00:00Z",
    "end_date": None,
    "questions": [
        {
            "id": "q_csat",
            "type": "csat",
            "question": "Was this scan right?",
            "display": "emoji",
            "scale": 5,
            "translations": {"de": {"question": "War der Scan richtig?"}},
            "branching": {"negative": "q_why", "positive": "end"},
        },
        {
            "id": "q_why",
            "type": "multiple_choice",
            "question": "What went wrong?",
            "has_open_choice": True,
            "choices": [
                {"id": "slow", "label": "Too slow"},
                {"id": "wrong", "label": "Wrong item"},
                {"id": "hot", "label": "Phone got hot"},
            ],
            "privacy": {"mechanism": "k_rr", "epsilon": 2.0},
        },
        {"id": "q_txt", "type": "open", "question": "Anything else?", "optional": True, "max_length": 500},
    ],
    "trigger": {"event": "inference_completed", "when": {"field": "confidence", "operator": "lt", "value": 0.6}},
    "targeting": {
        "all": [
            {"field": "model.version", "operator": "semver_gte", "value": "3.2.0"},
            {"field": "accelerator", "operator": "in", "value": ["nnapi", "gpu"]},
        ]
    },
    "sampling": {"percent": 5.0, "salt": "s4"},
    "frequency": {"display_limit": 2, "recontact_days": 30, "cooldown_days": 7},
    "quotas": [{"by": ["device.class", "accelerator", "model.version"], "limit": 400}],
    "responses_limit": 20000,
    "consent": {"required": True, "purpose": "model_quality", "text_version": "2026-10"},
    "retention_days": 180,
}


def a_poll(**changes: Any) -> Poll:
    return replace(from_json(SCAN), **changes)


def a_file(**changes: Any) -> dict[str, Any]:
    written = copy.deepcopy(SCAN) | {"model": "scan"} | changes
    return {name: value for name, value in written.items() if name not in ("status", "version")}


def new_mistakes(written: dict[str, Any]) -> list[str]:
    with pytest.raises(InvalidInputError) as caught:
        from_json(written, is_new=True)
    return [str(problem) for problem in caught.value.problems]


def mistakes(**changes: Any) -> list[str]:
    with pytest.raises(InvalidInputError) as caught:
        from_json(copy.deepcopy(SCAN) | changes)
    return [str(problem) for problem in caught.value.problems]


def test_a_definition_survives_reading_and_writing() -> None:
    written = to_json(from_json(SCAN))

    assert json.loads(json.dumps(written)) == SCAN | {
        "questions": [SCAN["questions"][0], SCAN["questions"][1] | {"max_length": 500}, SCAN["questions"][2]]
    }
    assert from_json(written) == from_json(SCAN)


def test_the_least_definition_has_sensible_defaults() -> None:
    poll = from_json({"id": "p", "name": "P", "questions": [{"id": "q", "type": "ces", "question": "Easy?"}]})

    assert (poll.status, poll.version, poll.retention_days) == ("draft", 1, None)
    assert (poll.sampling.percent, poll.sampling.salt) == (100.0, "p")
    assert poll.questions[0].scale == 7
    assert from_json(to_json(poll)) == poll


def test_targeting_may_be_written_as_people_type_it() -> None:
    poll = from_json(SCAN | {"targeting": "model_version>=3.2.0 and accelerator in (nnapi, gpu)"})

    assert poll == from_json(SCAN)
    assert mistakes(targeting="chipst=G2") == ["targeting: at character 1: no field 'chipst'; did you mean 'chipset'?"]


def test_every_mistake_of_a_definition_is_told_with_its_path() -> None:
    found = mistakes(
        id="1st",
        name=" ",
        status="open",
        version=0,
        start_date="soon",
        sampling={"percent": 101, "sald": "x"},
        frequency={"display_limit": True},
        quotas=[{"by": ["device.class", "tier", "colour"], "limit": 0}],
        retention_days="long",
        colour="red",
        consent=[],
        trigger={"event": "x", "when": {"field": "confidence", "operator": "lt", "value": "low"}},
    )

    assert {problem.split(":")[0] for problem in found} == {
        "id",
        "name",
        "status",
        "version",
        "start_date",
        "sampling.percent",
        "sampling.sald",
        "frequency.display_limit",
        "quotas[0].by[1]",
        "quotas[0].by[2]",
        "quotas[0].limit",
        "retention_days",
        "colour",
        "consent",
        "trigger.when.value",
    }
    assert "sampling.sald: unknown field; did you mean 'salt'?" in found
    assert "status: must be one of draft, running, stopped, not 'open'" in found


@pytest.mark.parametrize(
    ("question", "path"),
    [
        ({"type": "csta"}, "type"),
        ({"type": None}, "type"),
        ({"question": ""}, "question"),
        ({"scale": 11}, "scale"),
        ({"type": "nps", "scale": 5, "branching": {}}, "scale"),
        ({"choices": [{"id": "a", "label": "A"}]}, "choices"),
        ({"branching": {"negative": "q_none"}}, "branching.negative"),
        ({"branching": {"negative": "q_csat"}}, "branching.negative"),
        ({"branching": {"sad": "q_why"}}, "branching.sad"),
        ({"translations": {"German": {"question": "?"}}}, "translations.German:"),
        ({"translations": {"de": {"choices": {"slow": "langsam"}}}}, "translations.de.question"),
        ({"privacy": {"mechanism": "laplace"}}, "privacy.mechanism"),
        ({"privacy": {"mechanism": "k_rr"}}, "privacy.epsilon"),
        ({"id": "q_why"}, "questions[1].id"),
        ({"type": "single_choice", "branching": {}}, "choices"),
        ({"type": "open", "privacy": {"mechanism": "k_rr", "epsilon": 1}, "branching": {}}, "privacy"),
    ],
)
def test_a_mistake_in_a_question_is_told(question: dict[str, Any], path: str) -> None:
    questions = [SCAN["questions"][0] | question, *SCAN["questions"][1:]]

    where = path if path.startswith("questions") else f"questions[0].{path}"
    assert any(problem.startswith(where) for problem in mistakes(questions=questions))


def test_a_randomized_answer_does_not_decide_what_is_asked_next() -> None:
    """Phones branch on what is true, so an answer to q_why would say what the coin was to hide."""
    private = SCAN["questions"][0] | {"privacy": {"mechanism": "k_rr", "epsilon": 2.0}}
    written = a_file(questions=[private, *SCAN["questions"][1:]])

    assert [str(problem).split(":")[0] for problem in new_mistakes(written)] == [
        "questions[0].branching.negative",
        "questions[0].branching.positive",
    ]
    constant = a_file(questions=[private | {"branching": {"else": "q_txt"}}, *SCAN["questions"][1:]])
    assert from_json(constant, is_new=True).questions[0].branching == {"else": "q_txt"}
    assert from_json(written).questions[0].branching == {"negative": "q_why", "positive": "end"}  # as it is stored


@pytest.mark.parametrize("name", [None, "No Model!", "Scan", "scan/2"])
def test_a_new_poll_is_about_a_model_that_could_be_registered(name: str | None) -> None:
    (problem,) = new_mistakes(a_file(model=name))

    assert problem.startswith("model: is missing" if name is None else "model: must be lower-case letters")
    assert from_json(SCAN | {"model": name}).model == name  # as it is stored


@pytest.mark.parametrize("name", ["else", "positive"])
def test_a_new_choice_is_not_called_as_a_branch_is(name: str) -> None:
    choices = [{"id": name, "label": "A"}, {"id": "b", "label": "B"}]
    question = {"id": "q", "type": "single_choice", "question": "?", "choices": choices}

    assert new_mistakes(a_file(questions=[question])) == [
        f"questions[0].choices[0].id: must not be {name!r}, which branching has a meaning of its own for"
    ]
    assert from_json(SCAN | {"questions": [question]}).questions[0].choices[0].id == name  # as it is stored


def test_a_poll_asks_something() -> None:
    assert mistakes(questions=[]) == ["questions: must be at least one"]
    assert mistakes(questions="all") == ["questions: must be a list of at most 20"]


@pytest.mark.parametrize("node", [None, [], "poll", 3])
def test_what_is_no_mapping_is_no_poll(node: object) -> None:
    with pytest.raises(InvalidInputError, match="must be a mapping"):
        from_json(node)


@pytest.mark.parametrize(
    ("changes", "now", "expected"),
    [
        ({}, T0, True),
        ({"status": "draft"}, T0, False),
        ({"status": "stopped"}, T0, False),
        ({"start_date": T0}, T0, True),
        ({"start_date": T0}, T0 - timedelta(seconds=1), False),
        ({"end_date": T0}, T0, False),
        ({"end_date": T0}, T0 - timedelta(seconds=1), True),
        ({"start_date": None}, T0, True),
    ],
)
def test_a_poll_is_open_while_it_runs(changes: dict[str, Any], now: datetime, expected: bool) -> None:
    assert is_open(a_poll(**changes), now) is expected


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"status": "draft", "start_date": T0 + timedelta(days=1)}, "draft"),
        ({"start_date": T0 + timedelta(days=1)}, "scheduled"),
        ({}, "running"),
        ({"end_date": T0}, "over"),
        ({"start_date": T0 - timedelta(days=7), "iterations": Iterations(count=1, every_days=7)}, "over"),
        ({"status": "stopped", "end_date": T0}, "stopped"),
    ],
)
def test_a_poll_stands_as_people_see_it(changes: dict[str, Any], said: str) -> None:
    assert standing(a_poll(**changes), T0) == said


def test_a_draft_starts_now_or_at_its_later_date() -> None:
    now_started = start(a_poll(status="draft", start_date=None), T0)
    later = start(a_poll(status="draft", start_date=T0 + timedelta(days=1)), T0)

    assert is_open(now_started, T0)
    assert not is_open(later, T0)
    assert is_open(later, T0 + timedelta(days=1))


def test_a_stopped_poll_is_closed_and_may_start_again() -> None:
    stopped = stop(a_poll(), T0)

    assert not is_open(stopped, T0)
    assert is_open(start(stopped, T0 + timedelta(days=2)), T0 + timedelta(days=3))


def test_a_poll_cannot_start_or_stop_twice_nor_after_its_end() -> None:
    with pytest.raises(ConflictError, match="running already"):
        start(a_poll(), T0)
    with pytest.raises(ConflictError, match="not running"):
        stop(a_poll(status="stopped"), T0)
    with pytest.raises(ConflictError, match="ended on 2026-11-22"):
        start(a_poll(status="draft", end_date=T0 - timedelta(days=1)), T0)


def test_a_changed_poll_is_a_new_version_and_goes_on_running() -> None:
    before = a_poll()

    after = revise(before, a_poll(name="Scan", status="draft", version=1))

    assert (after.name, after.status, after.version) == ("Scan", "running", 5)
    assert revise(before, a_poll(status="draft", version=1)) is before


def test_the_primary_question_is_the_first_with_a_score() -> None:
    poll = a_poll()

    assert primary_question(poll).id == "q_csat"
    assert primary_question(replace(poll, questions=poll.questions[:0:-1])).id == "q_txt"


@pytest.mark.parametrize(
    ("answer", "following"),
    [
        (Answer(question="q_csat", number=2), "q_why"),
        (Answer(question="q_csat", number=3), "q_why"),
        (Answer(question="q_csat", number=4), "end"),
        (Answer(question="q_why", choices=("slow",)), "q_txt"),
        (Answer(question="q_txt", text="no"), "end"),
    ],
)
def test_branches_lead_from_question_to_question(answer: Answer, following: str) -> None:
    assert next_question(a_poll(), answer) == following


def test_answers_that_fit_have_no_problems() -> None:
    answers = [
        {"question": "q_csat", "value": 2},
        {"question": "q_why", "value": ["slow", "other"], "mechanism": "k_rr", "epsilon": 2},
        {"question": "q_txt", "value": "Fine otherwise"},
    ]

    assert check_answers(a_poll(), answers) == ()
    assert check_answers(a_poll(), answers[2:]) == ()


def test_every_mistake_in_answers_is_told_with_its_path() -> None:
    answers = [
        {"question": "q_csat", "value": 6},
        {"question": "q_csat", "value": 1},
        {"question": "q_wy", "value": ["slow"]},
        {"question": "q_why", "value": "slow"},
        {"question": "q_txt"},
        7,
    ]

    assert [str(problem) for problem in check_answers(a_poll(), answers)] == [
        "answers[0].value: must be 1 to 5",
        "answers[1].question: q_csat is answered twice",
        "answers[2].question: poll_scan_quality has no question 'q_wy'; did you mean 'q_why'?",
        "answers[3].value: must be a list of ids of choices",
        "answers[3].mechanism: must be k_rr with epsilon 2",
        "answers[4]: must have question and value",
        "answers[5]: must have question and value",
    ]


def test_an_answer_randomized_without_need_would_be_misread_and_is_refused() -> None:
    answers = [{"question": "q_csat", "value": 2, "mechanism": "k_rr", "epsilon": 2.0}]

    assert [problem.path for problem in check_answers(a_poll(), answers)] == ["answers[0].mechanism"]


def test_a_question_is_found_by_its_id() -> None:
    assert find_question(a_poll(), "q_txt") == a_poll().questions[2]
    assert find_question(a_poll(), "q") is None
