"""A year of simulated weeks, without and with drift: how often whole cohorts alarm, and how soon a shift is found.

`python -m bench.drift` simulates phones of 60 cohorts (30 to 5 000 outcomes a week), with weekends of another mix, slow
seasons, phones that repeat themselves, and 6 cohorts that shift by a PSI of .03 at some week. Prints alarms among the
undrifted for ours and for the usual rule (PSI above .1), and the share of shifts found by cohort size.
"""

from __future__ import annotations

import argparse
import math
from datetime import date, timedelta
from typing import Any

import numpy as np
import numpy.typing as npt

from feedback.drift import DayCounts, psi, watch

START = date(2026, 1, 5)
COHORTS, SHIFTED, BINS = 60, 6, 5
Generator = np.random.Generator
Floats = npt.NDArray[Any]


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--years", type=int, default=3)
    parser.add_argument("--weeks", type=int, default=52)
    parser.add_argument("--repeat", type=int, default=3, help="outcomes alike of one phone and day")
    options = parser.parse_args()
    print(f"{'':28}{'undrifted alarms':>18}{'PSI > .1':>10}   found in 1 / 2 / 4 weeks at n a week")
    for name, shift in (("without drift", 0.0), ("PSI .03 in 6 cohorts", 0.03), ("PSI .1 in 6 cohorts", 0.1)):
        totals = [year(np.random.default_rng(seed), shift, options) for seed in range(options.years)]
        alarms, usual, looks = (sum(each[0][k] for each in totals) for k in range(3))
        delays = [delay for each in totals for delay in each[1]]
        print(f"{name:28}{alarms / looks:>17.2%} {usual / looks:>9.2%}   {_found(delays)}")


def _found(delays: list[tuple[int, int | None]]) -> str:
    parts = []
    for low, high in ((0, 500), (500, 2000), (2000, 10**9)):
        mine = [delay for n, delay in delays if low <= n < high]
        if mine:
            by = [sum(delay is not None and delay <= weeks for delay in mine) / len(mine) for weeks in (1, 2, 4)]
            label = f"n >= {low}" if high == 10**9 else f"n < {high}"
            parts.append(f"{label}: {by[0]:.0%} / {by[1]:.0%} / {by[2]:.0%} of {len(mine)}")
    return "; ".join(parts)


def year(
    rng: Generator, shift: float, options: argparse.Namespace
) -> tuple[tuple[int, int, int], list[tuple[int, int | None]]]:
    """Return alarms among undrifted cohorts, those of the usual rule, looks at undrifted ones, (n, delay) of shifts."""
    sizes = np.exp(rng.uniform(math.log(30), math.log(5000), COHORTS)).astype(int) // 7 + 1
    begins = {int(c): int(rng.integers(9, options.weeks - 6)) for c in rng.choice(COHORTS, SHIFTED, replace=False)}
    begins = begins if shift else {}
    days = [day for cohort in range(COHORTS) for day in _days(rng, cohort, sizes, begins.get(cohort), shift, options)]
    by_week: dict[int, list[DayCounts]] = {}
    for each in days:
        by_week.setdefault((each.day - START).days // 7, []).append(each)
    alarms = usual = looks = 0
    seen: dict[int, int] = {}
    for week in range(8, options.weeks):
        since = START + timedelta(days=7 * week)
        near = [each for back in range(8) for each in by_week[week - back]]
        told = {drift.cohort for drift in watch(near, until=since + timedelta(days=7))}
        for cohort in range(COHORTS):
            begin = begins.get(cohort)
            named = f"c{cohort}" in told
            if begin is not None and named and week >= begin:
                seen.setdefault(cohort, week - begin + 1)
            if begin is None or not begin <= week < begin + 8:
                looks += 1
                alarms += named
                usual += _usual_rule(near, f"c{cohort}", since)
    return (alarms, usual, looks), [(int(sizes[c]) * 7, seen.get(c)) for c in begins]


def _usual_rule(days: list[DayCounts], cohort: str, since: date) -> bool:
    now, before = np.zeros(BINS), np.zeros(BINS)
    for each in days:
        if each.cohort == cohort:
            counts = np.asarray([each.counts.get(str(k), 0) for k in range(BINS)])
            if each.day >= since:
                now += counts
            elif each.day >= since - timedelta(days=7):
                before += counts
    n, m = float(now.sum()), float(before.sum())
    if not n or not m:
        return False
    shares = [{str(k): float(total[k]) / size for k in range(BINS)} for total, size in ((now, n), (before, m))]
    return psi(shares[0], shares[1], n=n, m=m) > 0.1


def _days(
    rng: Generator, cohort: int, sizes: Floats, begin: int | None, shift: float, options: argparse.Namespace
) -> list[DayCounts]:
    mix = rng.dirichlet(np.full(BINS, 5.0))
    moved = _shifted(rng, mix, shift) if begin is not None else mix
    weekend, season = rng.normal(0, 0.3, BINS), rng.normal(0, 0.15, BINS)
    found = []
    for number in range(7 * options.weeks):
        day = START + timedelta(days=number)
        base = moved if begin is not None and number // 7 >= begin else mix
        tilt = season * math.sin(2 * math.pi * number / 365) + (weekend if day.weekday() >= 5 else 0.0)
        share = base * np.exp(tilt)
        phones = max(1, int(sizes[cohort]) // options.repeat)
        counts = rng.multinomial(phones, share / share.sum()) * options.repeat
        found.append(
            DayCounts(
                cohort=f"c{cohort}", measure="outputs", day=day, counts={str(k): int(c) for k, c in enumerate(counts)}
            )
        )
    return found


def _shifted(rng: Generator, mix: Floats, wanted: float) -> Floats:
    """Return the mix moved in a random direction until its PSI is `wanted`."""
    way = rng.normal(0, 1, BINS)
    low, high = 0.0, 5.0
    for _ in range(40):
        step = (low + high) / 2
        share = mix * np.exp(step * way)
        share = share / share.sum()
        size = float(np.sum((share - mix) * np.log(share / mix)))
        low, high = (step, high) if size < wanted else (low, step)
    return np.asarray(share)


if __name__ == "__main__":
    main()
