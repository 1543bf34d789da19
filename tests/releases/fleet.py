"""Simulated arms of a ramp for the guardrails: shares widen, the weekend doubles every harm, reports come late."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from releases.guardrails import Arm, Guardrail, Measurement, Stratum, Verdict, judge
from tests.builders import at

STRATA = ("low", "high")


@dataclass(frozen=True, slots=True, kw_only=True)
class Ramp:
    """`installs` a stratum and arm at each step; `rate` of harms; `effect` multiplies the candidate's."""

    installs: tuple[tuple[int, int], ...]
    rate: float = 0.02
    effect: float = 1.0
    weekend: float = 2.0
    late: float = 0.0


WIDENING = tuple((50, 50) if hour < 12 else (250, 250) for hour in range(36))
LOW_TRAFFIC = ((20, 20),) * 36
ONE_PERCENT = ((500, 10),) * 36


def looks(ramp: Ramp, seed: int) -> Iterator[Measurement]:
    """Yield what is known at each step: the cells so far, of which the newest lack the reports that come late."""
    random = np.random.default_rng(seed)
    steps = len(ramp.installs)
    early, late = _harms(ramp, random)
    for step in range(steps):
        strata = []
        for hour in range(step + 1):
            for i, name in enumerate(STRATA):
                k = early[hour, i] + (late[hour, i] if hour < step else 0)
                n_c, n_t = ramp.installs[hour]
                strata.append(Stratum(hour=at(hour), name=name, baseline=_arm(n_c, k[0]), candidate=_arm(n_t, k[1])))
        yield Measurement(metric="crash_rate", kind="rate", strata=tuple(strata))


def alarms(guardrail: Guardrail, ramp: Ramp, *, runs: int, seed: int) -> float:
    """Return the share of runs in which any look said FAIL."""
    failed = 0
    for run in range(runs):
        failed += any(judge(guardrail, seen).verdict is Verdict.FAIL for seen in looks(ramp, seed * 10_000 + run))
    return failed / runs


def _harms(ramp: Ramp, random: np.random.Generator) -> tuple[Any, Any]:
    early = np.zeros((len(ramp.installs), len(STRATA), 2), dtype=int)
    late = np.zeros_like(early)
    for hour, sizes in enumerate(ramp.installs):
        for i, factor in enumerate((1.5, 0.5)):
            for arm, (n, effect) in enumerate(zip(sizes, (1.0, ramp.effect), strict=True)):
                rate = ramp.rate * factor * effect * (ramp.weekend if hour >= 24 else 1.0)
                total = random.binomial(n, min(1.0, rate))
                late[hour, i, arm] = random.binomial(total, ramp.late)
                early[hour, i, arm] = total - late[hour, i, arm]
    return early, late


def _arm(n: int, harms: int) -> Arm:
    return Arm(n=n, total=float(harms), total_sq=float(harms))
