"""What `auto` tries and takes."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from optimize.benchmark import Ratio
from optimize.budgets import parse_budget
from optimize.evaluate import compare
from optimize.recipes import Recipe, parse_recipe
from optimize.search import LADDER, Space, Tried, choose, confirming_order, holds, lower_bound, next_recipe, rank
from tests.optimize.builders import a_comparison

BUDGET = parse_budget("accuracy>-1pt latency<-0%")


def a_space(applies: Callable[[Recipe], bool] = lambda _recipe: True, *, has_inputs: bool = True) -> Space:
    return Space(applies=applies, has_inputs=has_inputs, margin=0.01)


def a_try(
    recipe: str, size_bytes: int, *, ratio: float = 0.8, broke: int = 0, confirm_broke: int | None = None
) -> Tried:
    return Tried(
        recipe=recipe,
        size_bytes=size_bytes,
        ratio=Ratio(value=ratio, low=ratio - 0.02, high=ratio + 0.02),
        select=a_comparison(broke=broke),
        confirm=a_comparison(broke=broke if confirm_broke is None else confirm_broke),
    )


def search(outcome: Callable[[Recipe], Tried], space: Space) -> dict[str, Tried]:
    tried: dict[str, Tried] = {}
    while (recipe := next_recipe(space, tried)) is not None:
        assert str(recipe) not in tried
        tried[str(recipe)] = outcome(recipe)
    return tried


def harm_by_error(largest: float) -> Callable[[Recipe], Tried]:
    """Pruning above `largest` breaks thirty answers."""

    def outcome(recipe: Recipe) -> Tried:
        error = recipe.steps[0].error or 0.0
        size = int(1000 / (1 + 100 * error)) - (200 if len(recipe.steps) > 1 else 0)
        return a_try(str(recipe), size, broke=30 if error > largest else 0)

    return outcome


@pytest.mark.parametrize("largest", [0.0001, LADDER[0], 0.01, LADDER[-1]])
def test_bisection_finds_the_largest_error_that_holds(largest: float) -> None:
    tried = search(harm_by_error(largest), a_space(lambda recipe: "distil" not in str(recipe)))

    alone = [parse_recipe(name).steps[0].error or 0.0 for name in tried if name.startswith("prune") and "," not in name]
    held = [error for error in alone if error <= largest]
    expected = [error for error in LADDER if error <= largest]
    assert max(held, default=None) == (expected[-1] if expected else None)
    assert len(alone) <= 5


def test_what_does_not_apply_is_not_tried() -> None:
    tried = search(harm_by_error(0.01), a_space(lambda recipe: "int8-dynamic" not in str(recipe), has_inputs=False))

    assert set(tried) == {"int8-weights", "int4-weights"}


def test_pruning_is_not_combined_with_an_int8_that_does_not_hold() -> None:
    def outcome(recipe: Recipe) -> Tried:
        return a_try(str(recipe), 100, broke=50 if "int8-static" in str(recipe) else 0)

    tried = search(outcome, a_space())

    assert not any(name.startswith("prune") and "int8-static" in name for name in tried)
    assert any(name.startswith("prune") and "int8-dynamic" in name for name in tried)


def test_a_planted_bad_variant_is_always_rejected() -> None:
    """Tiny and fast, but thirty of its answers are wrong on the half that it was not selected by."""
    good = a_try("int8-static", 300, ratio=0.9)
    lucky = a_try("distil", 10, ratio=0.1, broke=0, confirm_broke=30)
    bad = a_try("distil32", 5, ratio=0.1, broke=30)

    assert choose([good, lucky, bad], BUDGET) == good
    assert choose([bad], BUDGET) is None
    assert not holds(bad, 0.01)


def test_confirming_stops_at_the_first_that_fails() -> None:
    safest = a_try("int8-static", 300)
    failing = a_try("prune", 200, broke=1, confirm_broke=30)
    beyond = a_try("prune@0.05", 100, broke=2)
    tried = [
        Tried(recipe=each.recipe, size_bytes=each.size_bytes, ratio=each.ratio,
              select=a_comparison(n=4000, broke=each.select.broke or 0), confirm=each.confirm)
        for each in (safest, failing, beyond)
        if each.select
    ]  # fmt: skip

    chosen = choose(tried, BUDGET)

    assert chosen is not None
    assert chosen.recipe == "int8-static"


def test_a_variant_that_is_not_surely_faster_ranks_last_when_latency_is_limited() -> None:
    small_but_slow = a_try("int8-static", 100, ratio=1.2)
    larger = a_try("prune", 200, ratio=0.7)

    assert rank([small_but_slow, larger], BUDGET)[0] == larger
    assert rank([small_but_slow, larger], parse_budget("size<1MB"))[0] == small_but_slow


def test_only_what_is_better_by_the_budget_is_worth_a_riskier_test() -> None:
    safest, larger, smaller = a_try("a", 200), a_try("b", 300, broke=1), a_try("c", 100, broke=1)

    assert confirming_order([smaller, larger, safest], BUDGET) == [safest, smaller]


def test_without_labels_changed_answers_count_as_wrong() -> None:
    scores = np.eye(2)[np.zeros(540, int)]
    other = scores.copy()
    other[:20] = [0.0, 1.0]

    assert lower_bound(compare(scores, scores, None)) == pytest.approx(-3 / 540)
    assert lower_bound(compare(scores, other, None)) < -20 / 540
