"""Simulated releases for bench.guardrails: many runs at once, looked at every minute.

`agree` holds the arrays used here against releases.eprocess, so what is measured is what runs.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import numpy as np
import numpy.typing as npt

from bench import guardrail_rivals as rivals
from releases.eprocess import HARM_RATIOS, log_e_of_rates, mixture
from releases.measurements import Arm, Stratum

Numbers = npt.NDArray[np.float64]
ALARM = math.log(20)
MINUTES = 60
T0 = datetime(2026, 11, 16, tzinfo=UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """`baseline` and `candidate`: installs of each hour and stratum. `rate`: harms of both. `late`: share of harms that
    are reported with a delay of up to `late_hours`, credited to their own hour."""

    name: str
    baseline: Numbers
    candidate: Numbers
    rate: Numbers
    late: float = 0.0
    late_hours: int = 24


def cases(*, days: int = 14) -> tuple[Case, ...]:
    """Return every case of the design page; strata are low and high tier."""
    hours = days * 24
    flat = np.full((hours, 2), 0.005) * np.array([1.5, 0.5])
    weekend = np.where((np.arange(hours) // 24) % 7 >= 5, 2.0, 1.0)[:, None]
    even = np.full((hours, 2), 500.0)
    share = np.select([np.arange(hours) < hours * part for part in (0.25, 0.5, 0.75)], [0.01, 0.05, 0.25], 0.5)[:, None]
    low_tier = np.linspace(0.2, 0.8, hours)[:, None]
    mix = np.concatenate([low_tier, 1 - low_tier], axis=1)
    return (
        Case(name="50/50", baseline=even, candidate=even, rate=flat),
        Case(name="5 % candidate", baseline=even * 1.9, candidate=even * 0.1, rate=flat),
        Case(name="1 % candidate", baseline=even * 1.98, candidate=even * 0.02, rate=flat),
        Case(name="ramp, weekend doubles harm", baseline=2 * even * (1 - share), candidate=2 * even * share,
             rate=flat * weekend),
        Case(name="device mix shifts", baseline=1000 * mix, candidate=1000 * mix * share, rate=flat * weekend),
        Case(name="low traffic", baseline=even / 100, candidate=even / 100, rate=flat * 4),
        Case(name="half reported late", baseline=even, candidate=even, rate=flat * weekend, late=0.5),
    )  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class FalseAlarms:
    """Shares of runs of equal arms in which any look alarmed."""

    ours: float
    confidence_sequence: float
    group_sequential: float
    kayenta: float
    peeking: float


def false_alarms(case: Case, *, runs: int, seed: int, chunk: int = 20) -> FalseAlarms:
    """Look at our evidence every minute, at the others' every hour from the second day on, at Kayenta's every day."""
    random = np.random.default_rng(seed)
    found = np.zeros(5)
    for _ in range(runs // chunk):
        harms = _harms(case, random, chunk)
        ours = (_evidence(case, harms).max(axis=1) >= ALARM).sum()
        found += [ours, *_others(case, harms)]
    shares = found / (runs // chunk * chunk)
    return FalseAlarms(ours=shares[0], confidence_sequence=shares[1], group_sequential=shares[2], kayenta=shares[3],
                       peeking=shares[4])  # fmt: skip


def agree(*, seed: int) -> float:
    """Return the largest difference between the evidence here and that of releases.eprocess, over some hours."""
    case = cases(days=1)[3]
    harms = _harms(case, np.random.default_rng(seed), 1)
    evidence = _evidence(case, harms)[0]
    worst = 0.0
    for hour in (1, 5, 23):
        cells = []
        for h in range(hour + 1):
            for s in range(2):
                k = harms[:, 0, h, :, s].sum(axis=1)
                n_c, n_t = _integer(case.baseline[h, s]), _integer(case.candidate[h, s])
                stratum = Stratum(hour=T0 + timedelta(hours=h), name=str(s), baseline=Arm(n=n_c, total=float(k[0])),
                                  candidate=Arm(n=n_t, total=float(k[1])))  # fmt: skip
                cells.append((stratum, 1.0))
        worst = max(worst, abs(log_e_of_rates(cells) - evidence[hour * MINUTES + MINUTES - 1]))
    return worst


def _integer(installs: float) -> int:
    return max(1, round(installs))


def _harms(case: Case, random: np.random.Generator, runs: int) -> npt.NDArray[np.int16]:
    """Return harms by arm (baseline, candidate), run, event hour, minute and stratum."""
    arms = []
    for installs in (case.baseline, case.candidate):
        n = np.maximum(1, np.round(installs)).astype(int)
        total = random.binomial(n, case.rate, (runs, *n.shape))
        split = random.multinomial(total.reshape(-1), np.full(MINUTES, 1 / MINUTES))
        arms.append(split.reshape(*total.shape, MINUTES).transpose(0, 1, 3, 2).astype(np.int16))
    return np.array(arms)


def _evidence(case: Case, harms: npt.NDArray[np.int16]) -> Numbers:
    """Return the log e-value of every run at every minute: all harms that have arrived, in their own hours' shares.

    Within an hour both arms are taken to be seen in the same proportion, so the hour's share holds from its start.
    """
    n_c, n_t = (np.maximum(1, np.round(installs)) for installs in (case.baseline, case.candidate))
    theta = n_t / (n_t + n_c)
    stacked = []
    for ratio in HARM_RATIOS:
        expected = np.log(ratio * theta + 1 - theta)[None, :, None, :]
        gained = harms[1] * (math.log(ratio) - expected) - harms[0] * expected
        stacked.append(_arrived(case, gained.sum(axis=3)))
    found = np.array(stacked)
    top = found.max(axis=0)
    mean: Numbers = top + np.log(np.exp(found - top).mean(axis=0))
    return mean


def _arrived(case: Case, gained: Numbers) -> Numbers:
    """Return the running sum by minute of arrival; a late part of every minute's gain arrives some hours later."""
    runs, hours, _ = gained.shape
    if not case.late:
        return gained.reshape(runs, -1).cumsum(axis=1)
    # Every harm is late or not as a whole; which ones is drawn by minute, so a minute's harms travel together.
    random = np.random.default_rng(7)
    is_late = random.random((hours, MINUTES)) < case.late
    delay = np.where(is_late, random.integers(1, case.late_hours * MINUTES, (hours, MINUTES)), 0)
    at = (np.arange(hours * MINUTES) + delay.reshape(-1)).clip(max=hours * MINUTES - 1)
    moved = np.zeros((hours * MINUTES, runs))
    np.add.at(moved, at, gained.reshape(runs, -1).T)
    return moved.T.cumsum(axis=1)


def _others(case: Case, harms: npt.NDArray[np.int16]) -> list[int]:
    """Return how many runs each of the others calls worse at any look."""
    by_hour = harms.sum(axis=(3, 4)).astype(float)
    k_c, k_t = by_hour.cumsum(axis=2)
    installs = [np.round(each).sum(axis=1) for each in (case.baseline, case.candidate)]
    n_c, n_t = (each.cumsum()[None, :] for each in installs)
    day = slice(24, None)
    totals = (k_t[:, day], n_t[:, day], k_c[:, day], n_c[:, day])
    rates = [by_hour[arm] / np.maximum(installs[arm], 1) for arm in (0, 1)]
    days = range(24, by_hour.shape[2] + 1, 24)
    judged = np.array([rivals.kayenta(rates[1][:, :end], rates[0][:, :end]) for end in days])
    tests = (rivals.confidence_sequence, rivals.group_sequential)
    counts = [int(test(*totals).any(axis=1).sum()) for test in tests]
    return [*counts, int(judged.any(axis=0).sum()), int(rivals.peeking(*totals).any(axis=1).sum())]


@dataclass(frozen=True, slots=True, kw_only=True)
class Delays:
    """Median and 80th percentile of installs until the alarm, as multiples of what a test at one fixed look needs for
    80 % power (one-sided 5 %); and how often Kayenta's judge finds it there, in 24 hourly rates."""

    ours: tuple[float, float]
    confidence_sequence: tuple[float, float]
    group_sequential: tuple[float, float]
    kayenta_power: float


def delays(*, base: float, worse: float, share: float, runs: int, seed: int) -> Delays:
    spread = base * (1 - base) / (1 - share) + worse * (1 - worse) / share
    fixed = (1.6449 + 0.8416) ** 2 * spread / (worse - base) ** 2
    random = np.random.default_rng(seed)
    steps = np.linspace(0, 6 * fixed, 601)[1:]
    n_t, n_c = (np.diff(np.round(np.concatenate([[0], steps * part]))).astype(int) for part in (share, 1 - share))
    k_t, k_c = random.binomial(n_t, worse, (runs, 600)), random.binomial(n_c, base, (runs, 600))
    stacked = []
    for ratio in HARM_RATIOS:
        expected = math.log(ratio * share + 1 - share)
        stacked.append((k_t * (math.log(ratio) - expected) - k_c * expected).cumsum(axis=1))
    found = np.array(stacked)
    top = found.max(axis=0)
    alarmed = top + np.log(np.exp(found - top).mean(axis=0)) >= ALARM
    totals = (k_t.cumsum(axis=1), n_t.cumsum()[None, :], k_c.cumsum(axis=1), n_c.cumsum()[None, :])
    at = steps / fixed
    return Delays(
        ours=_quantiles(alarmed, at), confidence_sequence=_quantiles(rivals.confidence_sequence(*totals), at),
        group_sequential=_quantiles(rivals.group_sequential(*totals), at),
        kayenta_power=_kayenta_power(random, base, worse, fixed * share / 24, fixed * (1 - share) / 24, runs),
    )  # fmt: skip


def _kayenta_power(random: np.random.Generator, base: float, worse: float, n_t: float, n_c: float, runs: int) -> float:
    n_t, n_c = max(1, round(n_t)), max(1, round(n_c))
    rates = random.binomial(n_t, worse, (runs, 24)) / n_t, random.binomial(n_c, base, (runs, 24)) / n_c
    return float(rivals.kayenta(*rates).mean())


def mean_delays(*, gap: float, spread: float, runs: int, seed: int) -> tuple[float, float]:
    """Return the same for a difference of means between equal arms."""
    fixed = 4 * (1.6449 + 0.8416) ** 2 * spread**2 / gap**2
    random = np.random.default_rng(seed)
    steps = np.linspace(0, 6 * fixed, 601)[1:]
    pairs = steps / 4
    walk = random.normal(0, np.sqrt(np.diff(np.concatenate([[0], pairs]))), (runs, 600)).cumsum(axis=1)
    gaps = walk + pairs * gap / spread
    log_e = np.array([[mixture(gaps[run, i], pairs[i]) for i in range(600)] for run in range(runs)])
    return _quantiles(log_e >= ALARM, steps / fixed)


def _quantiles(alarmed: npt.NDArray[np.bool_], at: Numbers) -> tuple[float, float]:
    when = np.where(alarmed.any(axis=1), at[alarmed.argmax(axis=1)], np.inf)
    return float(np.quantile(when, 0.5)), float(np.quantile(when, 0.8))


@dataclass(frozen=True, slots=True, kw_only=True)
class Harmed:
    """Shares of the installs that the candidate harmed before it was halted: median and 9 of 10 runs; and without."""

    median: float
    p90: float
    unguarded: float
    hours: float


def harmed(*, times: float, runs: int, seed: int, installs: int = 50_000, base: float = 0.005) -> Harmed:
    """Release 1, 5, 25, 100 % a day each to installs that are active four hours a day; look every minute."""
    random = np.random.default_rng(seed)
    percents, active = (1.0, 5.0, 25.0, 50.0), 4 / 24
    shares, waits = [], []
    for _ in range(runs):
        evidence = np.zeros(len(HARM_RATIOS))
        hit, hour, stopped = 0.0, 0.0, False
        for minute in range(4 * 24 * MINUTES):
            n = installs * percents[minute // (24 * MINUTES)] / 100 * active / MINUTES
            k_t, k_c = random.poisson(n * base * times), random.poisson(n * base)
            hit, hour = hit + k_t, minute / MINUTES
            for i, ratio in enumerate(HARM_RATIOS):
                expected = math.log((ratio + 1) / 2)
                evidence[i] += k_t * (math.log(ratio) - expected) - k_c * expected
            stopped = _log_mean(evidence) >= ALARM
            if stopped:
                break
        # An install that is harmed twice counts twice: an upper bound.
        shares.append(hit / installs)
        waits.append(hour if stopped else math.inf)
    whole = sum(installs * percent / 100 * 4 * base * times for percent in percents) / installs
    median, p90 = (float(np.quantile(shares, part)) for part in (0.5, 0.9))
    return Harmed(median=median, p90=p90, unguarded=min(1.0, whole), hours=float(np.quantile(waits, 0.5)))


def _log_mean(evidence: Numbers) -> float:
    top = float(evidence.max())
    return top + math.log(float(np.exp(evidence - top).mean()))
