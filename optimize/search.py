"""What `auto` tries next, and which of the tried it takes: a budgeted Pareto search that judges by intervals. Pure.

Recipes of numbers that apply, then bisection on the error of pruning alone, then pruning with each of the numbers that
may hold. A quarter of the inputs selects: it foretells how probably each variant will be confirmed. The rest confirms:
up to four variants, each better by the budget than the one before, from the safest to the most daring, are tested one
after the other. Each has a share of the 2.5 % of error and hands it on when it passes; when one fails by bad luck its
share is lost and the next still has its own: the fallback procedure, which keeps the error rate of the whole at 2.5 %
(Wiens and Dmitrienko 2005, doi:10.1080/10543400500265660).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from optimize.benchmark import Ratio
from optimize.budgets import Budget
from optimize.evaluate import Comparison
from optimize.forecast import Expected, chance
from optimize.proof import ERROR, proves
from optimize.recipes import Recipe, parse_recipe

# Errors of pruning to bisect over, each 1.28 times the one before: 0.0004 to 0.19.
LADDER: Final = tuple(float(f"{0.0004 * 1.28**rung:.2g}") for rung in range(26))
# Above this chance no variant counts as safer than another; down to these others are worth a test.
SAFE: Final = 0.999
DARING: Final = (0.9, 0.6, 0.3)
_MIDDLE: Final = DARING[1]
_NUMBERS: Final = ("int8-static", "int8-dynamic", "int8-weights", "int4-weights")
_EXTRA: Final = ("int8-static-skip1", "int8-static-skip2")
_STUDENTS: Final = ("distil64", "distil32", "distil64,int8-weights")


@dataclass(frozen=True, slots=True, kw_only=True)
class Tried:
    """One recipe's outcome. `select` and `confirm` are None when it failed, `sentence` says why; `expected` is what
    the selecting inputs foretell."""

    recipe: str
    size_bytes: int = 0
    ratio: Ratio | None = None
    select: Comparison | None = None
    confirm: Comparison | None = None
    sentence: str | None = None
    expected: Expected | None = None


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


def chance_of(tried: Tried, margin: float) -> float:
    """Return how probably it will be confirmed, as far as the selecting inputs can tell."""
    if tried.expected is None or tried.confirm is None:
        return 0.0
    return chance(tried.expected, tried.confirm.n, margin)


def is_proven(found: Comparison, margin: float, error: float = ERROR) -> bool:
    """Whether it surely loses less than the margin; without labels, every changed answer counts as wrong."""
    broke, mended = (found.flips, 0) if found.broke is None or found.mended is None else (found.broke, found.mended)
    return proves(broke, mended, found.n, margin, error)


def choose(tried: Sequence[Tried], budget: Budget) -> Tried | None:
    """Return the best of the confirmed, None when nothing is."""
    sequence = to_confirm(tried, budget)
    best, handed_on = None, 0.0
    for each in sequence:
        error = handed_on + ERROR / len(sequence)
        passed = each.confirm is not None and is_proven(each.confirm, budget.margin, error)
        best, handed_on = (each, error) if passed else (best, 0.0)
    return best


def to_confirm(tried: Sequence[Tried], budget: Budget) -> list[Tried]:
    """Return what is worth a test, the safest first, each next better by the budget; by the selecting inputs alone."""
    ranked = [each for each in rank(tried, budget) if each.confirm is not None and each.select is not None]
    if not ranked:
        return []
    chances = {each.recipe: chance_of(each, budget.margin) for each in ranked}
    sequence = [max(ranked, key=lambda each: min(chances[each.recipe], SAFE))]
    for daring in DARING:
        better = ranked[: next(place for place, each in enumerate(ranked) if each is sequence[-1])]
        sequence += [each for each in better if chances[each.recipe] >= daring][:1]
    return sequence if chances[sequence[0].recipe] > 0 else []


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
    texts = [*_NUMBERS, *_bisection("prune@{}", _MIDDLE, space, tried)]
    for numbers in _NUMBERS:
        plain = tried.get(numbers)
        if plain is None or chance_of(plain, space.margin) < DARING[0]:
            continue
        for daring in (DARING[0], DARING[-1]):
            texts += _bisection(f"prune@{{}},{numbers}", daring, space, tried)
    if not any(
        each.recipe.startswith("prune") and chance_of(each, space.margin) > DARING[0] for each in tried.values()
    ):
        texts += _EXTRA
    return [*texts, *_STUDENTS]


def _bisection(pattern: str, daring: float, space: Space, tried: Mapping[str, Tried]) -> list[str]:
    """Return the tried and the next rung of the ladder; the largest error with this chance lies between them."""
    low, high = -1, len(LADDER)
    texts = []
    while high - low > 1:
        middle = (low + high) // 2
        text = str(parse_recipe(pattern.format(f"{LADDER[middle]:g}")))
        texts.append(text)
        outcome = tried.get(text)
        if outcome is None:
            break
        low, high = (middle, high) if chance_of(outcome, space.margin) >= daring else (low, middle)
    return texts
