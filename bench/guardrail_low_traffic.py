"""What a guardrail says of few installs: verdicts after three days, and in words what it cannot see yet."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import numpy as np
import numpy.typing as npt

from bench.guardrail_rivals import kayenta
from releases.guard_text import parse
from releases.guardrails import Finding, judge_all
from releases.measurements import Arm, Measurement, Stratum
from releases.outlook import with_outlook

T0 = datetime(2026, 11, 16, tzinfo=UTC)
HOURS = 72
ACTIVE = 4 / 24
BASE = 0.005
GUARD = parse("crash_rate<+0.2pt")
Counts = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True)
class LowTraffic:
    """Shares of runs by verdict, how many of them say what they cannot see, one such sentence, and Kayenta's alarms."""

    installs: int
    times: float
    verdicts: dict[str, float]
    honest: float
    sentence: str
    kayenta: float


def low_traffic(*, installs: int, times: float, late: float, runs: int, seed: int) -> LowTraffic:
    """Look at `installs` in each arm after three days; the candidate crashes `times` as often. `late`: the share of
    crashes that is told up to a day later, and so perhaps not yet."""
    random = np.random.default_rng(seed)
    n = random.binomial(installs, ACTIVE, (2, runs, HOURS))
    harms = random.binomial(n, np.array([BASE, BASE * times])[:, None, None])
    told = _told(random, harms, late)
    findings = [_judge(n[:, run], told[:, run]) for run in range(runs)]
    verdicts = Counter(str(found.verdict) for found in findings)
    unseen = [found.unseen for found in findings if found.unseen]
    rates = told / np.maximum(n, 1)
    return LowTraffic(
        installs=installs, times=times, verdicts={name: many / runs for name, many in verdicts.items()},
        honest=len(unseen) / runs, sentence=unseen[0] if unseen else "–",
        kayenta=float(kayenta(rates[1], rates[0]).mean()),
    )  # fmt: skip


def _told(random: np.random.Generator, harms: Counts, late: float) -> Counts:
    """Return the harms of each event hour that have arrived by the last hour."""
    is_late = random.binomial(harms, late)
    left = np.arange(HOURS)[::-1]
    arrived = random.binomial(is_late, np.minimum(1.0, left / 24))
    return np.asarray(harms - is_late + arrived)


def _judge(n: Counts, harms: Counts) -> Finding:
    strata = tuple(
        Stratum(hour=T0 + timedelta(hours=hour), name="all", baseline=_arm(n[0, hour], harms[0, hour]),
                candidate=_arm(n[1, hour], harms[1, hour]))
        for hour in range(HOURS)
    )  # fmt: skip
    measured = Measurement(metric="crash_rate", kind="rate", strata=strata)
    (found,) = with_outlook(judge_all(GUARD, [measured]), [measured])
    return found


def _arm(n: np.int64, harms: np.int64) -> Arm:
    return Arm(n=int(n), total=float(harms), total_sq=float(harms))
