"""What a person answered: checked by the poll, and what they wrote scrubbed and sealed. Pure."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from core.errors import Problem
from core.privacy import scrub, seal
from feedback import polls
from feedback.polls import Poll
from feedback.questions import CHOOSING
from feedback.responses import Answer, Consent
from feedback.wire import AnswerGiven


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownPoll:
    """One version of a poll, the model it is about, and its latest version.

    `read` remembers answers that were read before: of what a person can pick there are few, and they come again.
    """

    poll: Poll
    model: str
    primary: str
    latest: int
    read: dict[tuple[object, ...], Answer] = field(default_factory=dict, compare=False, repr=False)


def read_answers(
    known: KnownPoll, given: Sequence[AnswerGiven], problems: list[Problem], *, secret_key: bytes
) -> tuple[Answer, ...]:
    """Return the answers as they are stored; none when one is wrong, and all that is wrong goes to `problems`."""
    keys = [(each.question, type(each.value), each.value, each.mechanism, each.epsilon) for each in given]
    if len(given) == 1 and isinstance(given[0].value, str | int) and (found := known.read.get(keys[0])):
        return (found,)
    wrong = polls.check_answers(known.poll, [_plain(answer) for answer in given])
    problems += wrong
    if wrong:
        return ()
    read = tuple(_answer(known, answer, secret_key) for answer in given)
    for key, answer in zip(keys, read, strict=True):
        if answer.sealed is None and isinstance(key[2], str | int):
            known.read[key] = answer
    return read


def _plain(answer: AnswerGiven) -> Mapping[str, object]:
    privacy = {name: getattr(answer, name) for name in ("mechanism", "epsilon") if getattr(answer, name) is not None}
    return {"question": answer.question, "value": answer.value, **privacy}


def _answer(known: KnownPoll, given: AnswerGiven, secret_key: bytes) -> Answer:
    question = polls.find_question(known.poll, given.question)
    assert question is not None
    read = polls.read_answer(question, given.value)
    assert not isinstance(read, str)
    value: object = read.number
    if question.type in CHOOSING:
        # What somebody wrote is sealed; that they wrote something is a choice of its own.
        chosen = sorted({*read.choices, *(["other"] if read.text else [])})
        value = chosen[0] if question.type == "single_choice" else chosen
    return Answer(
        question=question.id,
        kind=question.type,
        is_primary=question.id == known.primary,
        value=None if value is None else json.dumps(value, separators=(",", ":")),
        sealed=seal(scrub(read.text.replace("\0", "")), secret_key) if read.text else None,
        mechanism=given.mechanism,
        epsilon=given.epsilon,
    )


def consent_missing(poll: Poll, consent: Consent | None) -> list[Problem]:
    wanted = poll.consent
    if not wanted.required:
        return []
    if consent is None or not consent.granted:
        return [Problem("context.consent.granted", f"must be true: {poll.id} asks for consent")]
    if wanted.text_version is not None and consent.text_version != wanted.text_version:
        return [Problem("context.consent.text_version", f"must be {wanted.text_version}, the text {poll.id} shows")]
    return []
