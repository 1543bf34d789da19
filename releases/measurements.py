"""Measurements: what phones told about both arms, as sums by event hour and group of devices. Pure."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from core.arms import ARMS, ArmName

Kind = Literal["rate", "mean", "log_mean"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Arm:
    """One arm of one cell: installs, the sum of their values and of the squares. The values of a rate are 0 and 1."""

    n: int
    total: float
    total_sq: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Stratum:
    """Both arms in one event hour and one group of devices."""

    hour: datetime
    name: str
    baseline: Arm
    candidate: Arm

    @property
    def pairs(self) -> float:
        """Effective pairs: n_T · n_C / (n_T + n_C)."""
        n = self.baseline.n + self.candidate.n
        return self.baseline.n * self.candidate.n / n if n else 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Measurement:
    """One metric of both arms. "rate": values are 0 and 1. "log_mean": natural logarithms of positive values."""

    metric: str
    kind: Kind
    strata: tuple[Stratum, ...]

    def arm(self, name: ArmName) -> Arm:
        arms = [stratum.baseline if name == "baseline" else stratum.candidate for stratum in self.strata]
        return Arm(n=sum(arm.n for arm in arms), total=math.fsum(arm.total for arm in arms),
                   total_sq=math.fsum(arm.total_sq for arm in arms))  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """What phones told in the current stage: installs of each arm and the newest hour of the candidate's.

    `unequal` says that the arms do not have the sizes they should (srm.SampleRatio.sentence), None that they do.
    `lost` says that more installs are lost on the candidate than on the baseline; `blocked` what else forbids to widen.
    """

    baseline_installs: int = 0
    candidate_installs: int = 0
    newest: datetime | None = None
    holders: int | None = None
    unequal: str | None = None
    lost: str | None = None
    blocked: str | None = None


def evidence(
    measurements: Iterable[Measurement], *, since: datetime, holders: int | None = None, unequal: str | None = None,
    lost: str | None = None, seen: Iterable[tuple[ArmName, int]] = (),
) -> Evidence:  # fmt: skip
    """Return what was seen since a stage began; `seen`: installs of an arm that were counted one by one.

    Where that was a while ago, cells may tell of more: an install counts at most once in a cell, so the fullest hour is
    a number of different installs. The hour in which the stage began counts.
    """
    newest: datetime | None = None
    counted: Counter[ArmName] = Counter()
    for arm, installs in seen:
        counted[arm] += installs
    most = {arm: counted[arm] for arm in ARMS}
    for measurement in measurements:
        hours: dict[datetime, list[int]] = defaultdict(lambda: [0, 0])
        for stratum in measurement.strata:
            if stratum.hour > since - timedelta(hours=1):
                hours[stratum.hour][0] += stratum.baseline.n
                hours[stratum.hour][1] += stratum.candidate.n
        for hour, (baseline, candidate) in hours.items():
            most["baseline"] = max(most["baseline"], baseline)
            most["candidate"] = max(most["candidate"], candidate)
            if candidate:
                newest = max(newest or hour, hour)
    return Evidence(
        baseline_installs=most["baseline"], candidate_installs=most["candidate"], newest=newest, holders=holders,
        unequal=unequal, lost=lost,
    )  # fmt: skip
