"""How long the minute's decisions take with many live releases and cohorts, from cells in memory."""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import numpy as np

from core.arms import ARMS
from core.device import DeviceContext
from releases.cohort_guard import cohorts_of, find_breach, findings_without
from releases.leaves import Leaf, Table, tabulate
from releases.measurements import evidence
from releases.plan import parse_plan
from releases.rollout import Rollout, State, decide

T0 = datetime(2026, 11, 16, tzinfo=UTC)
PLAN = parse_plan(to="5,25,100", bake="24h", guard="crash_rate<+0.2pt timeout_rate<+0.5pt")


@dataclass(frozen=True, slots=True, kw_only=True)
class Latency:
    cohorts: int
    leaves: int
    tabulate_ms: float
    judge_ms: float

    @property
    def hundred_s(self) -> float:
        """Seconds for one look at a hundred releases, one after another."""
        return (self.tabulate_ms + self.judge_ms) / 10


def latency(*, hours: int, releases: int, seed: int) -> Latency:
    """Return the mean times for one release; each release has other numbers."""
    random = np.random.default_rng(seed)
    found: list[tuple[float, float]] = []
    leaves: list[Leaf] = []
    cohorts = 0
    for _ in range(releases):
        leaves = _leaves(random, hours)
        start = time.perf_counter()
        table = tabulate(leaves)
        middle = time.perf_counter()
        _look(table, hours)
        found.append((middle - start, time.perf_counter() - middle))
        cohorts = len(cohorts_of(table, table.rows()))
    tables, looks = (sum(each) / len(found) * 1000 for each in zip(*found, strict=True))
    return Latency(cohorts=cohorts, leaves=len(leaves), tabulate_ms=tables, judge_ms=looks)


def cohort_false_halts(*, runs: int, hours: int, seed: int) -> float:
    """Return the share of releases without any harm in which a cohort is stopped, looked at every hour."""
    random = np.random.default_rng(seed)
    stopped = 0
    for _ in range(runs):
        leaves = _leaves(random, hours)
        for look in range(4, hours + 1, 4):
            table = tabulate(leaf for leaf in leaves if leaf.hour < T0 + timedelta(hours=look))
            if find_breach(PLAN.guardrails, table) is not None:
                stopped += 1
                break
    return stopped / runs


def _look(table: Table, hours: int) -> None:
    rollout = Rollout(release_id="rel", state=State.PROGRESSING, stage=0, since=T0, stage_since=T0)
    findings, measured = findings_without(PLAN.guardrails, table, ())
    breach = find_breach(PLAN.guardrails, table)
    now = T0 + timedelta(hours=hours)
    decide(rollout, PLAN, findings, now, evidence=evidence(measured, since=T0), cohort=breach)


def _leaves(random: np.random.Generator, hours: int) -> list[Leaf]:
    """Return cells of 60 kinds of devices that make up about 200 cohorts, without any harm of the candidate."""
    devices = [
        DeviceContext(platform="android", chipset=f"chip-{i % 20}", os=str(10 + i % 6), app_version=f"5.{i % 4}",
                      accelerator=("nnapi", "gpu", "cpu")[i % 3], tier=("low", "mid", "high")[i // 7 % 3],
                      device=f"phone-{i}")
        for i in range(60)
    ]  # fmt: skip
    harms = random.binomial(20, 0.01, (hours, len(devices), 2, 2))
    return [
        Leaf(hour=T0 + timedelta(hours=h), device=device, arm=arm, metric=rail.metric, n=20,
             total=float(harms[h, d, a, m]), total_sq=float(harms[h, d, a, m]))
        for h in range(hours)
        for d, device in enumerate(devices)
        for a, arm in enumerate(ARMS)
        for m, rail in enumerate(PLAN.guardrails)
    ]  # fmt: skip
