"""Questions of a poll and the answers they take. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Literal, get_args

QuestionType = Literal[
    "csat", "nps", "ces", "rating", "thumbs", "single_choice", "multiple_choice", "open", "correction"
]
Display = Literal["number", "emoji", "stars"]
Tone = Literal["negative", "neutral", "positive"]
TYPES: Final = get_args(QuestionType)
DISPLAYS: Final = get_args(Display)
SCORED: Final = frozenset({"csat", "nps", "ces", "rating", "thumbs"})
CHOOSING: Final = frozenset({"single_choice", "multiple_choice"})
WRITING: Final = frozenset({"open", "correction"})
MAX_TEXT_CHARS: Final = 2000
OTHER: Final = "other"


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    id: str
    label: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Translation:
    """A question in another language; `choices` maps choice ids to labels."""

    question: str
    choices: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Privacy:
    """The phone randomizes its answer before sending it (k-ary randomized response)."""

    mechanism: Literal["k_rr"]
    epsilon: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """One prompt. Ratings are 1..`scale`; `branching` maps a tone, a choice or "else" to a later question or "end"."""

    id: str
    type: QuestionType
    question: str
    display: Display = "number"
    scale: int = 5
    choices: tuple[Choice, ...] = ()
    has_open_choice: bool = False
    optional: bool = False
    max_length: int = 500
    translations: Mapping[str, Translation] = field(default_factory=dict)
    branching: Mapping[str, str] = field(default_factory=dict)
    privacy: Privacy | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """One value, taken apart: the `number` of a score (thumbs: 1 up, 0 down), ids of `choices`, what was written."""

    question: str
    number: int | None = None
    choices: tuple[str, ...] = ()
    text: str | None = None


def lowest(question: Question) -> int:
    """Return the lowest number that a scored question takes."""
    return 0 if question.type in ("nps", "thumbs") else 1


def highest(question: Question) -> int:
    """Return the highest number that a scored question takes."""
    return {"nps": 10, "thumbs": 1}.get(question.type, question.scale)


def default_scale(question_type: str) -> int:
    return 7 if question_type == "ces" else 5


def read_answer(question: Question, value: object) -> Answer | str:
    """Return the answer, or what is wrong with it as a sentence."""
    if question.type == "thumbs":
        return _read_thumb(question, value)
    if question.type in SCORED:
        return _read_number(question, value)
    if question.type in WRITING:
        return _read_text(question, value)
    return _read_choices(question, value)


def tone(question: Question, answer: Answer) -> Tone | None:
    """Return what a scored answer says; None for other answers. The middle of a scale is neutral, NPS 7 and 8 are."""
    if answer.number is None:
        return None
    if question.type == "nps":
        return "positive" if answer.number >= 9 else "neutral" if answer.number >= 7 else "negative"
    middle = (lowest(question) + highest(question)) / 2
    if answer.number == middle:
        return "neutral"
    return "positive" if answer.number > middle else "negative"


def _read_thumb(question: Question, value: object) -> Answer | str:
    words = {"up": 1, "down": 0}
    if isinstance(value, bool | str) and (isinstance(value, bool) or value in words):
        return Answer(question=question.id, number=words[value] if isinstance(value, str) else int(value))
    return 'must be true or false (or "up", "down")'


def _read_number(question: Question, value: object) -> Answer | str:
    low, high = lowest(question), highest(question)
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
        return f"must be {low} to {high}"
    return Answer(question=question.id, number=value)


def _read_text(question: Question, value: object) -> Answer | str:
    if not isinstance(value, str):
        return "must be text"
    if not value.strip():
        return "must not be empty"
    if len(value) > question.max_length:
        return f"must have at most {question.max_length} characters"
    return Answer(question=question.id, text=value.strip())


def _read_choices(question: Question, value: object) -> Answer | str:
    return _read_randomized(question, value) if question.privacy else _read_picked(question, value)


def _read_randomized(question: Question, value: object) -> Answer | str:
    """Read what a coin may have picked: none of several choices as well, and "other" without words."""
    known = [choice.id for choice in question.choices] + ([OTHER] if question.has_open_choice else [])
    is_single = question.type == "single_choice"
    if is_single != isinstance(value, str):
        return "must be the id of a choice" if is_single else "must be a list of ids of choices"
    picked: Sequence[object] = [value] if isinstance(value, str) else value if isinstance(value, list) else []
    if any(item not in known for item in picked) or len({str(item) for item in picked}) != len(picked):
        return f"must name choices, each once, and no words of one's own, as it is randomized: {', '.join(known)}"
    return Answer(question=question.id, choices=tuple(choice for choice in known if choice in picked))


def _read_picked(question: Question, value: object) -> Answer | str:
    is_single = question.type == "single_choice"
    if is_single != isinstance(value, str):
        return "must be the id of a choice" if is_single else "must be a list of ids of choices"
    picked: Sequence[object] = [value] if isinstance(value, str) else value if isinstance(value, list) else []
    words = [str(item) for item in picked if isinstance(item, str)]
    if not picked or len(words) != len(picked) or len(set(words)) != len(words):
        return "must name at least one choice, each once"
    known = {choice.id for choice in question.choices}
    others = [word for word in words if word not in known]
    if others and not question.has_open_choice:
        return f"has no choice {others[0][:40]!r}; there are {', '.join(choice.id for choice in question.choices)}"
    if len(others) > 1 or any(not other.strip() or len(other) > question.max_length for other in others):
        return f"may have one answer of one's own, of at most {question.max_length} characters"
    chosen = tuple(choice.id for choice in question.choices if choice.id in words)
    return Answer(question=question.id, choices=chosen, text=others[0].strip() if others else None)
