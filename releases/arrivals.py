"""Arrivals: when the installs of both arms were first heard of, and which were lost after that.

From them comes whether the arms have the sizes they should (releases.srm), and the rate of lost installs: heard of in
one hour only within a day, or of the candidate's arm and never on it (a failed download, a crash at every start).
Pure.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Protocol, TypeVar

from core.arms import ARMS, ArmName
from core.device import DeviceContext
from core.segments import Segment, matches
from releases import srm
from releases.guardrails import Guardrail, Verdict, judge
from releases.measurements import Arm, Measurement, Stratum

DEADLINE: Final = timedelta(hours=24)
"""So long an install may be silent, or without the candidate, before it counts as lost."""
LOST: Final = Guardrail(metric="lost_rate", margin=0.02, relative=False, on_fail="pause")
"""What holds where a plan says nothing of `lost_rate`."""
EQUAL_UP_TO: Final = 50.0
WINDOW: Final = timedelta(hours=1)


class _HasDevice(Protocol):
    @property
    def device(self) -> DeviceContext: ...


OnDevice = TypeVar("OnDevice", bound=_HasDevice)


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrived:
    """Installs of one arm, alike in their device, that were first heard of in one hour; `lost` of them since."""

    hour: datetime
    arm: ArmName
    device: DeviceContext
    installs: int
    lost: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Period:
    """A time in which new installs got the candidate, and at which share; still lasting without `until`."""

    percent: float
    since: datetime
    until: datetime | None = None


def without(arrived: Iterable[OnDevice], segments: Sequence[Segment]) -> tuple[OnDevice, ...]:
    """Leave out the cohorts that are stopped: their baseline goes on to arrive, their candidate does not."""
    return tuple(each for each in arrived if not any(matches(segment, each.device) for segment in segments))


def by_device(arrived: Iterable[Arrived]) -> Mapping[DeviceContext, int]:
    """Return how many installs were heard of on each kind of device, in both arms."""
    found: Counter[DeviceContext] = Counter()
    for each in arrived:
        found[each.device] += each.installs
    return found


def installs(heard: Mapping[DeviceContext, int], segment: Segment) -> int:
    """Return how many installs of a cohort were heard of."""
    return sum(n for device, n in heard.items() if matches(segment, device))


def unequal(arrived: Sequence[Arrived], periods: Iterable[Period]) -> str | None:
    """Return what is wrong with the sizes of the arms, None when nothing is.

    Only shares up to 50 % are looked at: there both arms are equally large, and none takes installs from the other.
    """
    splits = []
    for period in periods:
        if period.percent <= EQUAL_UP_TO:
            new = [each for each in arrived if _is_in(each.hour, period)]
            counts = {arm: sum(each.installs for each in new if each.arm == arm) for arm in ARMS}
            splits.append(srm.Split(baseline=counts["baseline"], candidate=counts["candidate"]))
    found = srm.judge(splits)
    return found.sentence if found.is_mismatch else None


def losses(arrived: Iterable[Arrived], now: datetime) -> Measurement:
    """Return the rate of lost installs, each counted once, a day after it was first heard of."""
    strata: dict[datetime, dict[ArmName, Arm]] = {}
    for each in arrived:
        if each.hour + timedelta(hours=1) + DEADLINE <= now:
            arms = strata.setdefault(each.hour, {})
            had = arms.get(each.arm, Arm(n=0, total=0))
            total = had.total + each.lost
            arms[each.arm] = Arm(n=had.n + each.installs, total=total, total_sq=total)
    nobody = Arm(n=0, total=0)
    return Measurement(
        metric=LOST.metric,
        kind="rate",
        strata=tuple(
            Stratum(hour=hour, name="all", baseline=arms.get("baseline", nobody),
                    candidate=arms.get("candidate", nobody))
            for hour, arms in sorted(strata.items())
        ),
    )  # fmt: skip


def lost(measurement: Measurement) -> str | None:
    """Return what is wrong when the candidate certainly loses more installs than the baseline."""
    found = judge(LOST, measurement)
    return found.sentence if found.verdict is Verdict.FAIL else None


def _is_in(hour: datetime, period: Period) -> bool:
    """Return whether an install that was first heard of in this hour got its arm in the period.

    A phone that is given the candidate by the next share tells it of its whole hour, which began before that.
    """
    begins = period.since.replace(minute=0, second=0, microsecond=0)
    return begins <= hour and (period.until is None or hour + 2 * WINDOW <= period.until)
