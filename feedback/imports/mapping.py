"""How another tool's answers become ours: which of its questions is which of ours, and what its words mean. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import chain
from typing import Annotated, Any, Final, Literal, get_args

import msgspec
from msgspec import Meta, Struct

from core.errors import InvalidInputError, NotFoundError, Problem
from core.segments import suggestion
from feedback import polls
from feedback.imports.rows import plain_text
from feedback.mistakes import mistakes
from feedback.polls import Poll, Question
from feedback.questions import CHOOSING, read_answer
from feedback.wire import ConsentGiven, Context

Source = Literal["formbricks", "posthog", "zigpoll"]
SOURCES: Final[tuple[Source, ...]] = get_args(Source)
MODEL_FACTS: Final = ("name", "version", "variant", "release", "arm")
FACTS: Final = (
    *(f.encode_name for f in msgspec.structs.fields(Context) if f.name not in ("install", "model", "consent")),
    *(f"model.{name}" for name in MODEL_FACTS),
)

Key = Annotated[str, Meta(min_length=1, max_length=200)]
Meaning = str | int | bool


class MappedQuestion(Struct, kw_only=True):
    """Which of our questions it is. `values` says what their words mean, `{"Too slow": "slow", "Very happy": 5}`."""

    question: Key
    values: dict[str, Meaning] = msgspec.field(default_factory=dict)


class ImportMap(Struct, kw_only=True):
    """A mapping as it stands in a file. `facts` leads from our device facts to paths in a row of theirs."""

    source: Source
    survey: Key
    poll: Key
    questions: dict[str, MappedQuestion]
    facts: dict[str, Key] = msgspec.field(default_factory=dict)
    consent: ConsentGiven | None = None


def read_map(node: object, find_poll: Callable[[str], Poll]) -> ImportMap:
    """Read a mapping and hold it against the poll it leads to, what can be read of it as well as the rest.

    `find_poll` raises NotFoundError. Raises: InvalidInputError: with every mistake.
    """
    if not isinstance(node, dict):
        raise InvalidInputError(Problem("", "must be an object with source, survey, poll and questions"))
    questions = _questions(node.get("questions"))
    wrong = {theirs: [*mistakes(one, MappedQuestion, f"questions.{theirs}")] for theirs, one in questions.items()}
    if isinstance(node.get("questions"), dict):
        node = {**node, "questions": {theirs: one for theirs, one in questions.items() if not wrong[theirs]}}
    problems = [*_shape_mistakes(node), *chain.from_iterable(wrong.values())]
    if isinstance(node.get("questions"), dict) and not questions:
        problems.append(Problem("questions", "must map at least one question"))
    if isinstance(node.get("poll"), str):
        try:
            problems += _misfits(node, find_poll(node["poll"]))
        except NotFoundError as error:
            problems.append(Problem("poll", error.message))
    if problems:
        raise InvalidInputError(*problems)
    return msgspec.convert(node, ImportMap)


def _shape_mistakes(node: dict[str, Any]) -> Iterator[Problem]:
    known = [field.encode_name for field in msgspec.structs.fields(ImportMap)]
    for name in node:
        if name not in known:
            yield Problem(str(name), f"is not known{suggestion(str(name), known)}")
    yield from mistakes(node, ImportMap, "")
    facts = node.get("facts")
    for fact in facts if isinstance(facts, dict) else ():
        if fact not in FACTS:
            yield Problem(f"facts.{fact}", f"is no fact of ours{suggestion(str(fact), FACTS)}")


def _misfits(node: dict[str, Any], poll: Poll) -> Iterator[Problem]:
    for theirs, told in node["questions"].items() if isinstance(node.get("questions"), dict) else ():
        mapped = msgspec.convert(told, MappedQuestion)
        question = polls.find_question(poll, mapped.question)
        path = f"questions.{theirs}"
        if question is None:
            ours = [each.id for each in poll.questions]
            hint = suggestion(mapped.question, ours) or f"; there are {', '.join(ours)}"
            yield Problem(path, f"{poll.id} has no question {mapped.question!r}{hint}")
        else:
            yield from _wrong_values(question, mapped, path)
    if poll.consent.required and node.get("consent") is None:
        yield Problem("consent", f"is missing: {poll.id} asks for consent; say what these people agreed to when asked")


def meaning(question: Question, mapped: MappedQuestion, told: object) -> object:
    """Return what another tool's answer is as a value of ours; what has no meaning stays, to be told as a mistake."""
    if question.type == "multiple_choice":
        each = told if isinstance(told, list) else [told]
        return [_choice(question, mapped, one) for one in each]
    if isinstance(told, list) and len(told) == 1:
        told = told[0]
    if question.type in CHOOSING:
        return _choice(question, mapped, told)
    if isinstance(told, str):
        told = plain_text(told)
        if told in mapped.values:
            return mapped.values[told]
        if question.type not in ("open", "correction") and told.lstrip("-").isascii() and told.lstrip("-").isdigit():
            return int(told)
    if question.type in ("open", "correction") and isinstance(told, int | float) and not isinstance(told, bool):
        return f"{told:g}"
    return told


def _choice(question: Question, mapped: MappedQuestion, told: object) -> object:
    """Return the id of the choice that was meant: by `values`, by id, or by its label in any language."""
    words = plain_text(str(told))
    if words in mapped.values:
        return mapped.values[words]
    labels = {choice.label.casefold(): choice.id for choice in question.choices}
    for translation in question.translations.values():
        labels |= {label.casefold(): choice for choice, label in translation.choices.items()}
    return labels.get(words.casefold(), words)


def _questions(node: object) -> dict[str, object]:
    """Let `their_id: our_id` stand for `their_id: {question: our_id}`; YAML reads some ids as numbers."""
    if not isinstance(node, dict):
        return {}
    return {str(theirs): {"question": each} if isinstance(each, str) else each for theirs, each in node.items()}


def _wrong_values(question: Question, mapped: MappedQuestion, path: str) -> Iterator[Problem]:
    for word, value in mapped.values.items():
        read = read_answer(question, [value] if question.type == "multiple_choice" else value)
        if isinstance(read, str):
            yield Problem(f"{path}.values.{word}", read)
