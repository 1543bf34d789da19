"""What `auto` tries and takes."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from optimize.benchmark import Ratio
from optimize.budgets import parse_budget
from optimize.evaluate import compare
from optimize.forecast import Expected
from optimize.proof import ERROR
from optimize.recipes import Recipe, parse_recipe
from optimize.search import (
    LADDER,
    SAFE,
    Space,
    Tried,
    chance_of,
    choose,
    is_proven,
    next_recipe,
    rank,
    to_confirm,
)
from tests.optimize.builders import a_comparison

BUDGET = parse_budget("accuracy>-1pt latency<-0%")
# What is expected to be confirmed: surely, probably, perhaps, and hardly.
SURE, PROBABLE, POSSIBLE, HOPELESS = 0.0, 0.0025, 0.005, 0.03


def a_space(applies: Callable[[Recipe], bool] = lambda _recipe: True, *, has_inputs: bool = True) -> Space:
    return Space(applies=applies, has_inputs=has_inputs, margin=0.01)


def a_try(recipe: str, size_bytes: int, *, ratio: float = 0.8, expected: float = SURE, confirm_broke: int = 0) -> Tried:
    """Return a candidate that is expected to break a share of the answers and breaks `confirm_broke` of 810."""
    return Tried(
        recipe=recipe,
        size_bytes=size_bytes,
        ratio=Ratio(value=ratio, low=ratio - 0.02, high=ratio + 0.02),
        select=a_comparison(n=270),
        confirm=a_comparison(n=810, broke=confirm_broke),
        expected=Expected(broke=expected, mended=0.0),
    )


def search(outcome: Callable[[Recipe], Tried], space: Space) -> dict[str, Tried]:
    tried: dict[str, Tried] = {}
    while (recipe := next_recipe(space, tried)) is not None:
        assert str(recipe) not in tried
        tried[str(recipe)] = outcome(recipe)
    return tried


def harm_by_error(largest: float) -> Callable[[Recipe], Tried]:
    """Pruning above `largest` is hopeless, below it is safe."""

    def outcome(recipe: Recipe) -> Tried:
        error = recipe.steps[0].error or 0.0
        size = int(1000 / (1 + 100 * error)) - (200 if len(recipe.steps) > 1 else 0)
        return a_try(str(recipe), size, expected=HOPELESS if error > largest else SURE)

    return outcome


@pytest.mark.parametrize("largest", [0.0001, LADDER[0], 0.01, LADDER[-1]])
def test_bisection_finds_the_largest_error_that_may_be_confirmed(largest: float) -> None:
    tried = search(harm_by_error(largest), a_space(lambda recipe: "distil" not in str(recipe)))

    alone = [parse_recipe(name).steps[0].error or 0.0 for name in tried if name.startswith("prune") and "," not in name]
    fitting = [error for error in alone if error <= largest]
    expected = [error for error in LADDER if error <= largest]
    assert max(fitting, default=None) == (expected[-1] if expected else None)
    assert len(alone) <= 5


def test_bisection_also_finds_the_errors_that_are_safer() -> None:
    def outcome(recipe: Recipe) -> Tried:
        return a_try(str(recipe), 100, expected=(recipe.steps[0].error or 0.0) / 4)

    tried = search(outcome, a_space(lambda recipe: "distil" not in str(recipe)))

    chances = [chance_of(each, 0.01) for name, each in tried.items() if name.startswith("prune@") and "," in name]
    for daring in (0.9, 0.3):
        assert any(daring <= chance < daring + 0.2 for chance in chances)


def test_what_does_not_apply_is_not_tried() -> None:
    tried = search(harm_by_error(0.01), a_space(lambda recipe: "int8-dynamic" not in str(recipe), has_inputs=False))

    assert set(tried) == {"int8-weights", "int4-weights"}


def test_pruning_is_not_combined_with_numbers_that_harm_by_themselves() -> None:
    def outcome(recipe: Recipe) -> Tried:
        return a_try(str(recipe), 100, expected=HOPELESS if "int8-static" in str(recipe) else SURE)

    tried = search(outcome, a_space())

    assert not any(name.startswith("prune") and "int8-static" in name for name in tried)
    assert any(name.startswith("prune") and "int8-dynamic" in name for name in tried)


def test_a_planted_bad_variant_is_always_rejected() -> None:
    """Tiny and fast and promising, but fifteen of 810 answers are wrong where it was not selected by."""
    good = a_try("int8-static", 300, ratio=0.9)
    lucky = a_try("distil", 10, ratio=0.1, confirm_broke=15)
    bad = a_try("distil32", 5, ratio=0.1, expected=HOPELESS, confirm_broke=30)

    assert choose([good, lucky, bad], BUDGET) in (good, None)
    assert choose([bad], BUDGET) is None
    assert bad not in to_confirm([good, bad], BUDGET)


def test_what_fails_by_bad_luck_does_not_end_the_tests() -> None:
    """The safest breaks three of 810 and is not proven; the next still has an error of its own to spend."""
    unlucky = a_try("int8-static", 300, confirm_broke=3)
    next_one = a_try("prune", 200, expected=PROBABLE, confirm_broke=0)

    assert to_confirm([unlucky, next_one], BUDGET) == [unlucky, next_one]
    assert choose([unlucky, next_one], BUDGET) == next_one


def test_a_test_that_passes_hands_its_error_on() -> None:
    """Two of 810 broken: proven with 2.5 % of error, not with a half of that."""
    first = a_try("int8-static", 300)
    second = a_try("prune", 200, expected=PROBABLE, confirm_broke=2)
    failed = a_try("int8-static", 300, confirm_broke=20)

    assert second.confirm is not None
    assert is_proven(second.confirm, 0.01, ERROR)
    assert not is_proven(second.confirm, 0.01, ERROR / 2)
    assert choose([first, second], BUDGET) == second
    assert choose([failed, second], BUDGET) is None


def test_the_confirming_inputs_never_decide_what_is_tested() -> None:
    tried = [a_try("a", 300), a_try("b", 200, expected=PROBABLE), a_try("c", 100, expected=POSSIBLE)]
    other = [
        a_try("a", 300, confirm_broke=40),
        a_try("b", 200, expected=PROBABLE, confirm_broke=40),
        a_try("c", 100, expected=POSSIBLE, confirm_broke=40),
    ]

    sequence = [each.recipe for each in to_confirm(tried, BUDGET)]

    assert sequence == [each.recipe for each in to_confirm(other, BUDGET)]
    assert sequence[0] == "a"
    assert chance_of(tried[0], 0.01) > SAFE


def test_each_test_is_worth_it_only_when_better_by_the_budget() -> None:
    safest, larger, smaller = a_try("a", 200), a_try("b", 300, expected=PROBABLE), a_try("c", 100, expected=PROBABLE)

    assert to_confirm([smaller, larger, safest], BUDGET) == [safest, smaller]


def test_a_variant_that_is_not_surely_faster_ranks_last_when_latency_is_limited() -> None:
    small_but_slow = a_try("int8-static", 100, ratio=1.2)
    larger = a_try("prune", 200, ratio=0.7)

    assert rank([small_but_slow, larger], BUDGET)[0] == larger
    assert rank([small_but_slow, larger], parse_budget("size<1MB"))[0] == small_but_slow


def test_without_labels_changed_answers_count_as_wrong() -> None:
    scores = np.eye(2)[np.zeros(540, int)]
    other = scores.copy()
    other[:20] = [0.0, 1.0]

    assert is_proven(compare(scores, scores, None), 0.01)
    assert not is_proven(compare(scores, other, None), 0.03)
    assert is_proven(compare(scores, other, None), 0.07)


def test_a_whole_sequence_of_bad_variants_passes_rarely() -> None:
    """Two thousand sequences of four variants that each truly lose 1.0 pp of 810: as rare as one test alone."""
    random = np.random.default_rng(0)
    passed = 0
    for _ in range(2000):
        broke = random.binomial(810, 0.01, 4)
        sequence = [
            a_try(name, 400 - place, expected=expected, confirm_broke=int(broke[place]))
            for place, (name, expected) in enumerate(zip("abcd", (SURE, PROBABLE, 0.0041, POSSIBLE), strict=True))
        ]
        passed += choose(sequence, BUDGET) is not None

    assert passed / 2000 <= 0.031  # 2.5 % and what two thousand draws add by chance
