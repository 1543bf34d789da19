"""How a phone takes a person through a poll: which question comes next, and an answer given with a coin. Pure."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

Question = Mapping[str, Any]
SCORED = {"csat", "nps", "ces", "rating", "thumbs"}


def next_question(poll: Mapping[str, Any], question: Question, value: Any) -> str:
    """Return the id of the question after this answer, or "end". Choices win over tones, tones over "else"."""
    branches = question.get("branching") or {}
    picked = [value] if isinstance(value, str) else value if isinstance(value, list) else []
    chosen = [choice["id"] for choice in question.get("choices", ()) if choice["id"] in picked]
    for reason in (*chosen, tone(question, value), "else"):
        if reason in branches:
            return str(branches[reason])
    ids = [str(each["id"]) for each in poll["questions"]]
    following = ids.index(str(question["id"])) + 1
    return ids[following] if following < len(ids) else "end"


def tone(question: Question, value: Any) -> str | None:
    """Return what a scored answer says; the middle of a scale is neutral, and so are 7 and 8 of an NPS."""
    kind = question["type"]
    if kind not in SCORED:
        return None
    if kind == "thumbs":
        return "positive" if value in (True, "up") else "negative"
    if kind == "nps":
        return "positive" if value >= 9 else "neutral" if value >= 7 else "negative"
    middle = (1 + int(question.get("scale", 5))) / 2
    return "neutral" if value == middle else "positive" if value > middle else "negative"


def options(question: Question) -> list[Any]:
    """Return everything that can be answered, in the order in which it is drawn from."""
    match question["type"]:
        case "single_choice" | "multiple_choice":
            return [choice["id"] for choice in question["choices"]] + ["other"] * bool(question.get("has_open_choice"))
        case "thumbs":
            return [False, True]
        case "nps":
            return list(range(11))
        case _:
            return list(range(1, int(question.get("scale", 5)) + 1))


def randomize(question: Question, value: Any, coins: list[float]) -> Any:
    """Return what is sent instead of the true `value`; one coin in [0, 1) for each draw.

    A coin below p tells the truth; what is left of it picks one of the others, in their order.
    """
    known, epsilon = options(question), float(question["privacy"]["epsilon"])
    if question["type"] != "multiple_choice":
        return _draw(known, value, epsilon, coins[0])
    share = epsilon / len(known)
    return [
        each
        for each, coin in zip(known, coins, strict=True)
        if _draw([False, True], each in value, share, coin) is True
    ]


def _draw(known: list[Any], value: Any, epsilon: float, coin: float) -> Any:
    p = math.exp(epsilon) / (math.exp(epsilon) + len(known) - 1)
    if coin < p:
        return value
    others = [each for each in known if each != value]
    return others[min(int((coin - p) / (1 - p) * len(others)), len(others) - 1)]
