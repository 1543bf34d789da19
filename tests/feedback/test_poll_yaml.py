"""Poll files and the lines of their mistakes."""

import json
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.errors import InvalidInputError
from feedback.polls import Poll, from_json, parse_yaml, to_json
from feedback.questions import TYPES
from tests.feedback.test_polls import SCAN

WRITTEN = {name: value for name, value in (SCAN | {"model": "scan"}).items() if name not in ("status", "version")}

KWS = """\
id: poll_kws
name: Did it hear you right?
model: kws
questions:
  - id: q_csat
    type: csat
    question: Did it hear you right?
    display: emoji
    branching: {negative: q_why, positive: end}
  - id: q_why
    type: multiple_choice
    question: What went wrong?
    choices:
      - {id: deaf, label: It did not hear me}
      - {id: wrong, label: It heard something else}
  - {id: q_txt, type: open, question: "Anything else?", optional: true}
targeting: model_version>=1.4 and accelerator in (nnapi, gpu)
sampling: {percent: 20}
start_date: 2026-11-20
"""


def mistakes(text: str) -> list[str]:
    with pytest.raises(InvalidInputError) as caught:
        parse_yaml(text)
    return [str(problem) for problem in caught.value.problems]


def test_a_poll_file_is_read() -> None:
    poll = parse_yaml(KWS)

    assert (poll.id, poll.model, len(poll.questions), poll.sampling.percent) == ("poll_kws", "kws", 3, 20.0)
    assert poll == from_json(json.loads(json.dumps(to_json(poll))))


def test_json_is_a_poll_file_as_well() -> None:
    assert parse_yaml(json.dumps(WRITTEN)) == from_json(WRITTEN)


def test_a_file_says_neither_status_nor_version_and_stored_definitions_do() -> None:
    assert mistakes(KWS + "status: running\nversion: 5\n") == [
        "line 20: status: does not belong in a file; `muster poll push --start` starts a poll, "
        "`/muster poll stop` stops it",
        "line 21: version: does not belong in a file; the server counts versions",
    ]
    assert (from_json(SCAN).status, from_json(SCAN).version) == ("running", 4)


def test_every_mistake_is_told_with_its_line() -> None:
    broken = (
        KWS.replace("type: csat", "type: csta")
        .replace("positive: end", "positive: q_nowhere")
        .replace("{id: wrong, label: It heard something else}", "{id: wrong}")
        .replace("percent: 20", "percent: 200")
        .replace("name: Did", "nam: Did")
        .replace("accelerator in", "accel in")
        .replace("2026-11-20", "2026-13-45")
    )

    assert mistakes(broken) == [
        "line 1: name: is missing",
        "line 2: nam: unknown field; did you mean 'name'?",
        "line 6: questions[0].type: must be one of csat, nps, ces, rating, thumbs, single_choice, multiple_choice, "
        "open, correction, not 'csta'; did you mean 'csat'?",
        "line 9: questions[0].branching.positive: must be a later question or 'end'",
        "line 15: questions[1].choices[1].label: is missing",
        "line 17: targeting: at character 24: no field 'accel'; did you mean 'accelerator'?",
        "line 18: sampling.percent: must be a number, 0 to 100",
        "line 19: start_date: must be a moment like 2026-11-20T00:00:00Z; one without a zone is UTC",
    ]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "line 1: must be a mapping of fields"),
        ("- a", "line 1: must be a mapping of fields"),
        ("id: a\nid: b", "line 2: id: stands twice"),
        ("id: a\nname: [", "line 2: not YAML: "),
        ("a: &x 1\nb: *x", "line 2: aliases are not allowed"),
        ("a: " + "[" * 50 + "]" * 50, "line 1: nested too deeply"),
        ("a: !!python/object:os.system 1", "line 1: not YAML: could not determine a constructor"),
        ("a: \x00", "line 1: not YAML"),
        ("? {a: b}\n: c", "line 1: ?: unknown field"),
        ("x" * 70_000, "a poll file has at most 64000 characters"),
    ],
)
def test_what_is_no_poll_file_is_told_why(text: str, message: str) -> None:
    assert any(problem.startswith(message) for problem in mistakes(text))


@given(st.text(alphabet="id: \n-[]{}&*!?|>'\"#q_1,%@", max_size=60))
def test_any_text_is_a_poll_or_a_list_of_problems(text: str) -> None:
    problems: tuple[object, ...] = ()
    try:
        assert isinstance(parse_yaml(text), Poll)
    except InvalidInputError as error:
        problems = error.problems
    assert problems


def test_the_poll_of_the_page_about_polls_is_one_that_muster_reads() -> None:
    page = (Path(__file__).parents[2] / "docs" / "polls.md").read_text()
    (text,) = re.findall(r"```yaml\n(.*?)```", page, re.DOTALL)

    poll = parse_yaml(text)

    assert {f"`{each}`" for each in TYPES} <= set(re.findall(r"`\w+`", page))
    assert from_json(to_json(poll)) == poll
