"""Questions and the answers they take."""

from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from feedback.questions import Answer, Choice, Question, QuestionType, default_scale, highest, lowest, read_answer, tone

CHOICES = (Choice(id="slow", label="Too slow"), Choice(id="wrong", label="Wrong item"))


def a_question(kind: QuestionType, **facts: Any) -> Question:
    facts = {"scale": default_scale(kind), "choices": CHOICES if "choice" in kind else ()} | facts
    return Question(id="q", type=kind, question="?", **facts)


@pytest.mark.parametrize(
    ("question", "value", "expected"),
    [
        (a_question("csat"), 5, Answer(question="q", number=5)),
        (a_question("csat"), 5.0, Answer(question="q", number=5)),
        (a_question("rating", scale=3), 3, Answer(question="q", number=3)),
        (a_question("nps"), 0, Answer(question="q", number=0)),
        (a_question("ces"), 7, Answer(question="q", number=7)),
        (a_question("thumbs"), True, Answer(question="q", number=1)),
        (a_question("thumbs"), "down", Answer(question="q", number=0)),
        (a_question("single_choice"), "slow", Answer(question="q", choices=("slow",))),
        (a_question("multiple_choice"), ["wrong", "slow"], Answer(question="q", choices=("slow", "wrong"))),
        (
            a_question("multiple_choice", has_open_choice=True),
            ["slow", " mute "],
            Answer(question="q", choices=("slow",), text="mute"),
        ),
        (a_question("open"), " fine ", Answer(question="q", text="fine")),
        (a_question("correction"), "cat", Answer(question="q", text="cat")),
    ],
)
def test_an_answer_is_taken_apart(question: Question, value: object, expected: Answer) -> None:
    assert read_answer(question, value) == expected


@pytest.mark.parametrize(
    ("question", "value", "message"),
    [
        (a_question("csat"), 6, "must be 1 to 5"),
        (a_question("csat"), 0, "must be 1 to 5"),
        (a_question("csat"), True, "must be 1 to 5"),
        (a_question("csat"), "5", "must be 1 to 5"),
        (a_question("csat"), 4.5, "must be 1 to 5"),
        (a_question("csat"), float("nan"), "must be 1 to 5"),
        (a_question("nps"), 11, "must be 0 to 10"),
        (a_question("thumbs"), 1, 'must be true or false (or "up", "down")'),
        (a_question("single_choice"), ["slow"], "must be the id of a choice"),
        (a_question("single_choice"), "hot", "has no choice 'hot'; there are slow, wrong"),
        (a_question("multiple_choice"), [], "must name at least one choice, each once"),
        (a_question("multiple_choice"), ["slow", "slow"], "must name at least one choice, each once"),
        (a_question("multiple_choice"), ["slow", 3], "must name at least one choice, each once"),
        (
            a_question("multiple_choice", has_open_choice=True, max_length=5),
            ["too long"],
            "may have one answer of one's own, of at most 5 characters",
        ),
        (a_question("open"), "  ", "must not be empty"),
        (a_question("open", max_length=3), "four", "must have at most 3 characters"),
        (a_question("open"), 4, "must be text"),
    ],
)
def test_an_answer_that_does_not_fit_is_told_why(question: Question, value: object, message: str) -> None:
    assert read_answer(question, value) == message


@given(
    st.sampled_from(get_args(QuestionType)),
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(), lambda inner: st.lists(inner, max_size=3)
    ),
)
def test_whatever_a_phone_sends_is_an_answer_or_a_sentence(kind: QuestionType, value: object) -> None:
    assert isinstance(read_answer(a_question(kind), value), Answer | str)


@pytest.mark.parametrize(
    ("kind", "tones"),
    [
        ("csat", "--0++"),
        ("ces", "---0+++"),
        ("nps", "-------00++"),
        ("thumbs", "-+"),
    ],
)
def test_a_score_has_a_tone(kind: QuestionType, tones: str) -> None:
    question, signs = a_question(kind), {"-": "negative", "0": "neutral", "+": "positive"}

    numbers = range(lowest(question), highest(question) + 1)
    assert [tone(question, Answer(question="q", number=number)) for number in numbers] == [
        signs[sign] for sign in tones
    ]
    assert tone(question, Answer(question="q", text="x")) is None
