"""What `auto` tries next, and which of the tried it takes: a budgeted Pareto search that judges by intervals. Pure.

Int8 recipes that apply, then bisection on the error of pruning alone, then pruning with each int8 that held. A variant
holds when the paired 95 % lower bound of its accuracy lies above the margin on one half of the inputs. Those that hold
and that no other beats in safety and rank are confirmed on the other half, the safest first, until one fails: testing
in a fixed order keeps the error rate of the whole at that of one test (Maurer, Hothorn and Lehmacher 1995).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from optimize.benchmark import Ratio
from optimize.budgets import Budget
from optimize.evaluate import Comparison
from optimize.recipes import Recipe, parse_recipe

# Errors of pruning to bisect over, each 1.28 times the one before: 0.0004 to 0.19.
LADDER: Final = tuple(float(f"{0.0004 * 1.28**rung:.2g}") for rung in range(26))
_NUMBERS: Final = ("int8-static", "int8-dynamic", "int8-weights", "int4-weights")
_EXTRA: Final = ("int8-static-skip1", "int8-static-skip2")
_STUDENTS: Final = ("distil64", "distil32", "distil64,int8-weights")


@dataclass(frozen=True, slots=True, kw_only=True)
class Tried:
    """One recipe's outcome. `select` and `confirm` are None when it failed, `sentence` says why."""

    recipe: str
    size_bytes: int = 0
    ratio: Ratio | None = None
    select: Comparison | None = None
    confirm: Comparison | None = None
    sentence: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Space:
    """What the search may propose: which steps apply and whether there are inputs and labels."""

    applies: Callable[[Recipe], bool]
    has_inputs: bool
    margin: float


def next_recipe(space: Space, tried: Mapping[str, Tried]) -> Recipe | None:
    """Return what to try next, None when there is nothing left; the same outcomes give the same proposal."""
    for text in _phases(space, tried):
        recipe = parse_recipe(text)
        text = str(recipe)
        if text in tried or (recipe.needs_inputs and not space.has_inputs) or not space.applies(recipe):
            continue
        return recipe
    return None


def holds(tried: Tried, margin: float) -> bool:
    """Whether its accuracy on the selecting half surely lies within the margin; without labels, its answers."""
    return tried.select is not None and lower_bound(tried.select) >= -margin


def lower_bound(found: Comparison) -> float:
    """Return the lower bound of the accuracy's difference; without labels, every changed answer counts as wrong."""
    return found.low if found.low is not None else -found.flips_high


def choose(tried: Sequence[Tried], budget: Budget) -> Tried | None:
    """Return the best of the confirmed, None when nothing is."""
    margin = budget.margin
    confirmed = []
    for each in confirming_order([each for each in tried if holds(each, margin)], budget):
        if each.confirm is None or lower_bound(each.confirm) < -margin:
            break
        confirmed.append(each)
    ranked = rank(confirmed, budget)
    return ranked[0] if ranked else None


def confirming_order(good: Sequence[Tried], budget: Budget) -> list[Tried]:
    """Return the safest first, of equals the most modest; each next is better by the budget, else not worth a test."""
    places = {each.recipe: place for place, each in enumerate(rank(good, budget))}
    order: list[Tried] = []
    for each in sorted(good, key=lambda one: (_safety(one), -places[one.recipe])):
        if not order or places[each.recipe] < places[order[-1].recipe]:
            order.append(each)
    return order


def rank(tried: Sequence[Tried], budget: Budget) -> list[Tried]:
    """Order by what the budget asks for: surely faster first, when it limits latency; then the fewest bytes.

    A budget of latency alone orders by time.
    """
    wants_time = budget.find("latency") is not None
    is_only_time = wants_time and all(limit.metric in ("latency", "accuracy", "flips") for limit in budget.limits)
    limit = budget.find("latency")
    bound = 1 + limit.bound if limit and limit.relative else 1.0
    asks_for_much = is_only_time and limit is not None and (not limit.relative or limit.bound < 0)

    def key(each: Tried) -> tuple[bool, float, int, str]:
        is_late = wants_time and (each.ratio is None or each.ratio.high > bound)
        time = each.ratio.value if each.ratio and asks_for_much else 0.0
        return is_late, round(time, 1), each.size_bytes, each.recipe

    return sorted(tried, key=key)


def _phases(space: Space, tried: Mapping[str, Tried]) -> list[str]:
    """Return what is due in order; a later phase depends on what an earlier one found."""
    texts = [*_NUMBERS]
    texts += _bisection("prune@{}", space, tried)
    for numbers in _NUMBERS:
        plain = tried.get(numbers)
        if plain is not None and holds(plain, space.margin):
            texts += _bisection(f"prune@{{}},{numbers}", space, tried)
    if not any(each.recipe.startswith("prune") and holds(each, space.margin) for each in tried.values()):
        texts += _EXTRA
    return [*texts, *_STUDENTS]


def _bisection(pattern: str, space: Space, tried: Mapping[str, Tried]) -> list[str]:
    """Return the tried and the next rung of the ladder; the largest error that holds lies between them."""
    low, high = -1, len(LADDER)
    texts = []
    while high - low > 1:
        middle = (low + high) // 2
        text = str(parse_recipe(pattern.format(f"{LADDER[middle]:g}")))
        texts.append(text)
        outcome = tried.get(text)
        if outcome is None:
            break
        low, high = (middle, high) if holds(outcome, space.margin) else (low, middle)
    return texts


def _safety(tried: Tried) -> float:
    return -lower_bound(tried.select) if tried.select else 1.0
