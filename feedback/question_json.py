"""Questions as JSON: read with every mistake, written so that reading gives them back. Pure."""

from __future__ import annotations

import re
from typing import Final, cast

from core.errors import Problem
from feedback.poll_definition import END
from feedback.questions import (
    CHOOSING,
    DISPLAYS,
    MAX_TEXT_CHARS,
    OTHER,
    SCORED,
    TYPES,
    WRITING,
    Choice,
    Display,
    Privacy,
    Question,
    QuestionType,
    Translation,
    default_scale,
)
from feedback.reading import Fields

ID: Final = re.compile(r"[A-Za-z][A-Za-z0-9_.-]{0,63}")
LANGUAGE: Final = re.compile(r"[a-z]{2,3}(-[A-Za-z0-9]{2,8})*")
MAX_CHOICES: Final = 30
MAX_PROMPT_CHARS: Final = 300


def read_question(node: object, path: str, problems: list[Problem]) -> Question:
    """Read one question; mistakes are added to `problems` and replaced by harmless values."""
    fields = Fields(node, path, problems)
    kind = fields.one_of("type", TYPES)
    if kind is None and fields.raw("type") is None:
        fields.wrong("type", f"is missing; one of {', '.join(TYPES)}")
    kind = kind or _likely_type(fields)
    question_id = read_id(fields, "id")
    prompt = fields.needed_text("question", longest=MAX_PROMPT_CHARS)
    choices = _read_choices(fields, kind)
    question = Question(
        id=question_id,
        type=cast(QuestionType, kind),
        question=prompt,
        display=cast(Display, fields.one_of("display", DISPLAYS) or "number"),
        scale=_read_scale(fields, kind),
        choices=choices,
        has_open_choice=fields.flag("has_open_choice"),
        optional=fields.flag("optional"),
        max_length=fields.integer("max_length", 1, MAX_TEXT_CHARS) or 500,
        translations=_read_translations(fields, choices),
        branching=_read_branching(fields, kind, choices),
        privacy=_read_privacy(fields, kind),
    )
    fields.done()
    return question


def write_question(question: Question) -> dict[str, object]:
    """Return the question as phones fetch it; what has its default or no meaning for the type is left out."""
    node: dict[str, object] = {"id": question.id, "type": question.type, "question": question.question}
    if question.display != "number":
        node["display"] = question.display
    if question.type in ("csat", "ces", "rating"):
        node["scale"] = question.scale
    if question.choices:
        node["choices"] = [{"id": choice.id, "label": choice.label} for choice in question.choices]
    for name in ("has_open_choice", "optional"):
        if getattr(question, name):
            node[name] = True
    if question.type in WRITING or question.has_open_choice:
        node["max_length"] = question.max_length
    if question.translations:
        node["translations"] = {
            language: {"question": words.question} | ({"choices": dict(words.choices)} if words.choices else {})
            for language, words in question.translations.items()
        }
    if question.branching:
        node["branching"] = dict(question.branching)
    if question.privacy:
        node["privacy"] = {"mechanism": question.privacy.mechanism, "epsilon": question.privacy.epsilon}
    return node


def check_branches(questions: tuple[Question, ...], problems: list[Problem]) -> None:
    """Note ids that stand twice and branches that lead nowhere or back (a poll must end)."""
    ids = [question.id for question in questions]
    for index, question in enumerate(questions):
        path = f"questions[{index}]"
        if question.id and question.id in ids[:index]:
            problems.append(Problem(f"{path}.id", f"{question.id!r} is the id of an earlier question"))
        for reason, target in question.branching.items():
            if target != END and target not in ids[index + 1 :]:
                problems.append(Problem(f"{path}.branching.{reason}", f"must be a later question or {END!r}"))


def read_id(fields: Fields, name: str) -> str:
    """Return a needed id: a letter, then letters, digits, `_`, `-` or `.`, at most 64 characters."""
    value = fields.needed_text(name, longest=64)
    if value and (not ID.fullmatch(value) or value == END):
        fields.wrong(name, f"must be a letter, then letters, digits, _ - or . (and not {END!r})")
    return value


def _likely_type(fields: Fields) -> str:
    """Guess what was meant by a mistyped type, lest its other fields count as mistakes too."""
    if fields.raw("choices") is not None:
        return "multiple_choice"
    return "csat" if any(fields.raw(name) is not None for name in ("scale", "branching", "privacy")) else "open"


def _read_scale(fields: Fields, kind: str) -> int:
    scale = fields.integer("scale", 2, 10)
    if scale is not None and kind not in ("csat", "ces", "rating"):
        fields.wrong("scale", f"has no meaning for {kind}")
    return scale or default_scale(kind)


def _read_choices(fields: Fields, kind: str) -> tuple[Choice, ...]:
    choices: list[Choice] = []
    for path, node in fields.each("choices", at_most=MAX_CHOICES):
        inner = Fields(node, path, fields.problems)
        choice = Choice(id=read_id(inner, "id"), label=inner.needed_text("label", longest=100))
        inner.done()
        if choice.id == OTHER and fields.raw("has_open_choice"):
            inner.wrong("id", f"{OTHER!r} is what an answer of one's own is counted as (has_open_choice)")
        if choice.id and any(choice.id == other.id for other in choices):
            inner.wrong("id", f"{choice.id!r} is the id of an earlier choice")
        choices.append(choice)
    if kind in CHOOSING and len(choices) < 2 and isinstance(fields.raw("choices"), list | None):
        fields.wrong("choices", "must be at least two")
    if kind not in CHOOSING:
        for name in ("choices", "has_open_choice"):
            if fields.raw(name):
                fields.wrong(name, f"has no meaning for {kind}")
    return tuple(choices)


def _read_translations(fields: Fields, choices: tuple[Choice, ...]) -> dict[str, Translation]:
    languages = fields.inner("translations")
    found: dict[str, Translation] = {}
    for language, node in languages.items() if languages else []:
        inner = Fields(node, f"{fields.at('translations')}.{language}", fields.problems)
        if not LANGUAGE.fullmatch(language):
            inner.wrong("", "must be under a language like de or pt-BR")
        labels = inner.inner("choices")
        words = {}
        for choice, label in labels.items() if labels else []:
            if labels and choice not in {known.id for known in choices}:
                labels.wrong(choice, "is no choice of this question")
            words[choice] = str(label)[:100]
        found[language] = Translation(question=inner.needed_text("question", longest=MAX_PROMPT_CHARS), choices=words)
        inner.done()
    return found


def _read_branching(fields: Fields, kind: str, choices: tuple[Choice, ...]) -> dict[str, str]:
    branches = fields.inner("branching")
    if branches is None:
        return {}
    reasons = ["else", *(choice.id for choice in choices)]
    reasons += ["negative", "neutral", "positive"] if kind in SCORED else []
    found = {}
    for reason, target in branches.items():
        if reason not in reasons:
            branches.wrong(reason, f"must be one of {', '.join(reasons)}")
        found[reason] = str(target)
    return found


def _read_privacy(fields: Fields, kind: str) -> Privacy | None:
    inner = fields.inner("privacy")
    if inner is None:
        return None
    if kind in WRITING:
        fields.wrong("privacy", f"has no meaning for {kind}")
    if inner.one_of("mechanism", ["k_rr"]) is None and inner.raw("mechanism") is None:
        inner.wrong("mechanism", "is missing; k_rr is the one there is")
    epsilon = inner.number("epsilon", 0.1, 16.0)
    if epsilon is None and inner.raw("epsilon") is None:
        inner.wrong("epsilon", "is missing; a number, 0.1 to 16")
    inner.done()
    return Privacy(mechanism="k_rr", epsilon=epsilon or 1.0)
