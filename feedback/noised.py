"""Noised counts of people: what one costs, whether the week's budget still has it, how far off it may be. Pure.

A query is a few cells that are asked for together. Its noise is the discrete Laplace's, P(x) ~ exp(-|x| / scale),
drawn elsewhere; here is only what follows from the scale (Canonne, Kamath and Steinke 2020, arXiv:2004.00010). The
epsilons of a week add up (sequential composition).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

# Epsilons are decimal fractions that people write: ten times 0.1 is the whole of 1.
ROUNDING: Final = 1e-9


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """Counts of a week that are asked for together; one install changes them by `bound` at most, all added up."""

    key: str
    cells: Mapping[str, int]
    bound: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Charge:
    """A query that was answered: what it cost, the scale of its noise, and the noised cells, none below 0."""

    key: str
    epsilon: float
    scale: float
    cells: Mapping[str, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """The epsilon that the queries of a week may cost together, and what each of them does."""

    per_week: float
    per_query: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Affordable:
    epsilon: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    reason: str


SPENT: Final = Refused(reason="this week's privacy budget is spent")


def decide(key: str, charges: Sequence[Charge], budget: Budget) -> Charge | Affordable | Refused:
    """Return the answer that the query got before, or that it may be asked, or why not; `charges` are the week's."""
    earlier = next((charge for charge in charges if charge.key == key), None)
    if earlier is not None:
        return earlier
    if budget.per_query > left(charges, budget) + ROUNDING:
        return SPENT
    return Affordable(epsilon=budget.per_query)


def affordable(budget: Budget) -> int:
    """Return how many queries a whole week's budget pays for."""
    return math.floor(budget.per_week / budget.per_query + ROUNDING)


def most_queries(models: int) -> int:
    """Return how many queries a week has at most: installs, and of each model answers, telemetry and themes."""
    return 1 + 3 * models


def in_turn(queries: Sequence[Query], *, week: int, budget: Budget) -> list[Query]:
    """Return the queries in the order to ask them in: where the budget has not enough for all, they take turns.

    `week` counts weeks; in as many of them as there are queries, each is told as often as any other.
    """
    paid = affordable(budget)
    first = week * paid % len(queries) if 0 < paid < len(queries) else 0
    return [*queries[first:], *queries[:first]]


def left(charges: Sequence[Charge], budget: Budget) -> float:
    """Return the epsilon that is left of the week; 0 when the budget was made smaller than what was spent."""
    return max(0.0, budget.per_week - spent(charges))


def spent(charges: Sequence[Charge]) -> float:
    return math.fsum(charge.epsilon for charge in charges)


def spread(scale: float) -> float:
    """Return the standard deviation of the noise of one cell."""
    step = math.exp(-1 / scale)
    return math.sqrt(2 * step) / (1 - step)


def off_by(scale: float, *, chance: float = 0.05) -> int:
    """Return the smallest t for which a cell is off by more than t with a probability of at most `chance`."""
    # P(|x| > t) = 2 step^(t+1) / (1 + step), the geometric series of both tails.
    step = math.exp(-1 / scale)
    return max(0, math.ceil(math.log(chance * (1 + step) / 2) / math.log(step)) - 1)
