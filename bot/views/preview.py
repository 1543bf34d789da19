"""A poll as a phone would show it: one question at a time, branching as phones do, in any of its languages. Pure."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, Final

from bot.views import pages
from core import segments
from core.segment_rules import SYMBOLS
from core.segments import EVERYONE
from feedback import polls
from feedback.polls import END, Poll, Question
from feedback.questions import CHOOSING, OTHER, highest, lowest
from feedback.randomized import draws

OWN: Final = "en"  # the language of a poll's own words
FACES: Final = ("😞", "🙁", "😐", "🙂", "😍")
WORDS: Final[Mapping[str, Mapping[str, str]]] = {
    "en": {"next": "Next", "skip": "Skip", "own": "Something else", "thanks": "Thank you!", "close": "Not now"},
    "de": {
        "next": "Weiter",
        "skip": "Überspringen",
        "own": "Etwas anderes",
        "thanks": "Danke!",
        "close": "Nicht jetzt",
    },
    "fr": {"next": "Suivant", "skip": "Passer", "own": "Autre chose", "thanks": "Merci !", "close": "Plus tard"},
    "es": {"next": "Siguiente", "skip": "Omitir", "own": "Otra cosa", "thanks": "¡Gracias!", "close": "Ahora no"},
}
THUMBS: Final = {"True": "👍", "False": "👎"}
ENDS: Final = {"nps": ("not at all likely", "very likely"), "ces": ("hard", "easy")}


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """What was answered; `value` as a phone sends it, None when the question was skipped."""

    question: str
    value: Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Walk:
    """How far the answers lead: those that count, the question that is open (None: the end), what is wrong."""

    steps: tuple[Step, ...]
    question: Question | None
    wrong: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Option:
    """One thing to tap: what is sent, what it looks like, and what a screen reader says."""

    value: str
    face: str
    label: str


def walk(poll: Poll, steps: Sequence[Step]) -> Walk:
    """Follow the answers from the first question; the first that does not fit ends it, with what is wrong with it."""
    taken: list[Step] = []
    question: Question | None = poll.questions[0]
    for step in steps:
        if question is None or step.question != question.id:
            break
        following, wrong = _after(poll, question, step.value)
        if wrong is not None:
            return Walk(steps=tuple(taken), question=question, wrong=wrong)
        taken.append(step)
        question = None if following == END else polls.find_question(poll, following)
    return Walk(steps=tuple(taken), question=question)


def read_value(question: Question, values: Sequence[str], own: str) -> Any:
    """Return what was filled in as a phone would send it; None when nothing was."""
    own = own.strip()
    said = [value for value in values if value] + ([own] if own else [])
    if not said:
        return [] if question.type == "multiple_choice" and question.privacy else None
    if question.type == "thumbs":
        return said[0] == "true"
    if question.type == "multiple_choice":
        return said
    is_number = question.type not in CHOOSING and question.type not in ("open", "correction")
    return int(said[0]) if is_number and said[0].isascii() and said[0].isdigit() else said[0]


def languages(poll: Poll) -> tuple[str, ...]:
    """Return every language that some question speaks, the poll's own first."""
    found = {language for question in poll.questions for language in question.translations}
    return (OWN, *sorted(found - {OWN}))


def preview_page(poll: Poll, ref: str, done: Walk, *, language: str, hidden: Mapping[str, str]) -> str:
    """Return the page. `hidden` are the fields of the signed link, which every step carries along."""
    return pages.render(
        "poll.html",
        style=style(),
        poll=poll,
        ref=ref,
        done=done,
        question=done.question and _screen(done.question, language),
        trail=[_told(poll, step, language) for step in done.steps],
        sent=json.dumps(_sent(poll, done.steps), indent=2, ensure_ascii=False),
        language=language,
        languages=[(each, _missing(poll, each)) for each in languages(poll)],
        words=WORDS.get(language.split("-")[0], WORDS[OWN]),
        hidden=hidden,
        kept=[json.dumps([step.question, step.value], ensure_ascii=False) for step in done.steps],
        rules=_rules(poll),
        progress=(len(done.steps), len(poll.questions)),
    )


@cache
def style() -> str:
    """Return the style sheet of the page, which stands in it to the letter."""
    return pages.style() + (pages.TEMPLATES / "poll.css").read_text()


def _after(poll: Poll, question: Question, value: Any) -> tuple[str, str | None]:
    """Return the question that follows and None, or what is wrong with the answer."""
    if value is None:
        if not question.optional:
            return "", "Please answer; this question cannot be skipped."
        ids = [each.id for each in poll.questions]
        following = ids.index(question.id) + 1
        return question.branching.get("else", ids[following] if following < len(ids) else END), None
    answer = polls.read_answer(question, value)
    if isinstance(answer, str):
        return "", answer[:1].upper() + answer[1:] + "."
    return polls.next_question(poll, answer), None


def _screen(question: Question, language: str) -> dict[str, Any]:
    words = question.translations.get(language)
    labels = {
        choice.id: (words.choices.get(choice.id) if words else None) or choice.label for choice in question.choices
    }
    return {
        "id": question.id,
        "type": question.type,
        "text": words.question if words else question.question,
        "is_translated": words is not None or language == OWN,
        "optional": question.optional,
        "max_length": question.max_length,
        "has_own": question.has_open_choice,
        "is_randomized": draws(question) is not None,
        "options": _options(question, labels),
        "ends": ENDS.get(question.type),
        "display": question.display,
    }


def _options(question: Question, labels: Mapping[str, str]) -> list[Option]:
    if question.type in CHOOSING:
        found = [Option(value=each, face=label, label=label) for each, label in labels.items()]
        own = question.has_open_choice and question.privacy is not None
        return [*found, Option(value=OTHER, face="", label="")] if own else found
    if question.type == "thumbs":
        return [Option(value="true", face="👍", label="yes"), Option(value="false", face="👎", label="no")]
    if question.type in ("open", "correction"):
        return []
    low, high = lowest(question), highest(question)
    return [Option(value=str(n), face=_face(question, n, high), label=f"{n} of {high}") for n in range(low, high + 1)]


def _face(question: Question, number: int, high: int) -> str:
    if question.display == "stars":
        return "★"
    if question.display == "emoji" and question.type != "nps":
        return FACES[round((number - 1) / max(1, high - 1) * (len(FACES) - 1))]
    return str(number)


def _told(poll: Poll, step: Step, language: str) -> tuple[str, str]:
    question = polls.find_question(poll, step.question)
    assert question is not None  # `walk` has found it
    words = question.translations.get(language)
    labels = {choice.id: choice.label for choice in question.choices} | {OTHER: "Something else"}
    labels |= THUMBS if question.type == "thumbs" else {}
    value = step.value if isinstance(step.value, list) else [step.value]
    said = ", ".join(str(labels.get(str(each), each)) for each in value) or "nothing"
    return (words.question if words else question.question), "skipped" if step.value is None else said


def _sent(poll: Poll, steps: Sequence[Step]) -> list[dict[str, Any]]:
    """Return the answers as the phone would send them; a randomized one is the true one here."""
    found = []
    for step in steps:
        question = polls.find_question(poll, step.question)
        if step.value is not None and question is not None:
            privacy = question.privacy
            more = {"mechanism": privacy.mechanism, "epsilon": privacy.epsilon} if privacy else {}
            found.append({"question": step.question, "value": step.value, **more})
    return found


def _missing(poll: Poll, language: str) -> int:
    """Return how many questions do not speak the language."""
    return 0 if language == OWN else sum(language not in question.translations for question in poll.questions)


def _rules(poll: Poll) -> list[tuple[str, str]]:
    """Return who is asked and when, in words."""
    where = "every device" if poll.targeting == EVERYONE else segments.text(poll.targeting)
    often = poll.frequency
    told = [("Asked of", f"{poll.sampling.percent:g} % of {where}")]
    if poll.trigger:
        when = poll.trigger.when
        told.append(
            ("After", poll.trigger.event + (f", {when.field}{SYMBOLS[when.operator]}{when.value}" if when else ""))
        )
    if often.display_limit:
        told.append(("Shown", f"at most {often.display_limit} times"))
    if often.cooldown_days:
        told.append(("Not within", f"{often.cooldown_days} days of any other poll"))
    if poll.iterations:
        told.append(("Repeats", f"{poll.iterations.count} times, every {poll.iterations.every_days} days"))
    if poll.end_date:
        told.append(("Until", f"{poll.end_date:%Y-%m-%d %H:%M} UTC"))
    if poll.consent.required:
        told.append(("Consent", f"needed, to text {poll.consent.text_version or 'of any version'}"))
    return told
