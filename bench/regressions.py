"""Regressions on fleets of our own: precision, recall, F1, false alarms, names that stay, and time.

`python -m bench.regressions` simulates releases on phones of 60 devices (each with one of 10 chips, so that some rules
pick out the same phones), 5 systems, 4 accelerators, 6 countries and 3 app versions, both arms equal. A fault has one
to three conditions and makes harmed hours 2 to 8 times as many on the candidate; as many fleets have none. Phones
differ in how often they fail anyway (a gamma of shape 0.5), so harms of one phone go together. Then each fleet with a
fault is looked at ten times while it reports more, and renamings are counted.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from core.arms import ArmName
from core.device import DeviceContext
from feedback.regressions import Leaf, Regression, find_regressions, tally

HOURS: Final = 24
USUAL: Final = 0.01
Generator = np.random.Generator
Row = tuple[DeviceContext, ArmName, float, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Fleet:
    rows: Sequence[Row]
    fault: frozenset[tuple[str, str]]


def fleet(rng: Generator, *, installs: int, is_faulty: bool) -> Fleet:
    chip_of = rng.permutation(np.concatenate([np.arange(10), rng.integers(0, 10, 50)]))
    device = rng.choice(60, installs, p=rng.dirichlet(np.full(60, 0.8)))
    columns: dict[str, Any] = {
        "device": np.char.add("D", device.astype(str)),
        "chipset": np.char.add("C", chip_of[device].astype(str)),
    }
    for name, size in {"os": 5, "accelerator": 4, "country": 6, "app_version": 3}.items():
        drawn = rng.choice(size, installs, p=rng.dirichlet(np.full(size, 3.0)))
        columns[name] = np.char.add(name[:2] if name in ("accelerator", "country") else "1", drawn.astype(str))
    own = USUAL * rng.gamma(0.5, 2.0, installs)
    candidate = np.arange(installs) % 2 == 1
    fault: frozenset[tuple[str, str]] = frozenset()
    while is_faulty:
        names = rng.choice(sorted(columns), int(rng.integers(1, 4)), replace=False)
        row = int(rng.integers(installs))
        fault = frozenset((str(name), str(columns[name][row])) for name in names)
        inside = np.logical_and.reduce([columns[name] == value for name, value in fault])
        times = float(rng.uniform(2, 8))
        excess = float((own * HOURS)[inside & candidate].sum()) * (times - 1)
        if excess >= 25 and inside.mean() <= 0.5:
            own = np.where(inside & candidate, own * times, own)
            break
    harmed = rng.binomial(HOURS, np.minimum(own, 0.95))
    rows: list[Row] = []
    for number in range(installs):
        facts = {name: str(column[number]) for name, column in columns.items()}
        arm: ArmName = "candidate" if candidate[number] else "baseline"
        rows.append((DeviceContext(**facts), arm, float(HOURS), float(harmed[number])))  # type: ignore[arg-type]
    return Fleet(rows=rows, fault=fault)


def picks(found: Fleet) -> frozenset[int]:
    return frozenset(number for number, row in enumerate(found.rows) if _is_in(row[0], found.fault))


def _is_in(device: DeviceContext, values: frozenset[tuple[str, str]]) -> bool:
    return all(device.label(name) == value for name, value in values)


def is_right(told: Regression, one: Fleet, truth: frozenset[int]) -> bool:
    from core.segments import matches

    return truth == frozenset(number for number, row in enumerate(one.rows) if matches(told.segment, row[0]))


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--fleets", type=int, default=20)
    parser.add_argument("--installs", type=int, nargs="+", default=[4_000, 16_000])
    options = parser.parse_args()
    print("installs  precision  recall     F1  among 5   alarms  renamed   CPU ms")
    for installs in options.installs:
        _row(installs, options.fleets)


def _row(installs: int, fleets: int) -> None:
    right = wrong = missed = among = alarms = renamed = looks = 0
    spent = 0.0
    for seed in range(fleets):
        rng = np.random.default_rng([seed, installs])
        one = fleet(rng, installs=installs, is_faulty=True)
        truth = picks(one)
        started = time.process_time()
        told = _look(tally(one.rows), ())
        spent += time.process_time() - started
        hits = [is_right(each, one, truth) for each in told]
        right, wrong, missed = right + any(hits), wrong + len(hits) - any(hits), missed + (not any(hits))
        among += any(hits) or _among(told, one, truth)
        again, seen = _renamed(one)
        renamed, looks = renamed + again, looks + seen
        alarms += bool(_look(tally(fleet(rng, installs=installs, is_faulty=False).rows), ()))
    precision, recall = right / max(1, right + wrong), right / max(1, right + missed)
    f1 = 2 * precision * recall / max(1e-9, precision + recall)
    print(
        f"{installs:>8}  {precision:>9.2f}  {recall:>6.2f}  {f1:>5.2f}  {among / fleets:>7.2f}  {alarms:>3}/{fleets:<3}"
        f"  {renamed:>3}/{looks:<4} {1000 * spent / fleets:>7.0f}",
        flush=True,
    )


def _among(told: Sequence[Regression], one: Fleet, truth: frozenset[int]) -> bool:
    """Whether the fault is among the runners-up that are shown."""
    from core.segments import matches, parse

    rules = [rival.cohort for each in told for rival in each.rivals]
    return any(
        truth == frozenset(number for number, row in enumerate(one.rows) if matches(parse(rule), row[0]))
        for rule in rules
        if rule
    )


def _renamed(one: Fleet) -> tuple[int, int]:
    """Look ten times while ever more phones report, names told before known; return renamings and looks that told."""
    known: tuple[str, ...] = ()
    renamed = looks = 0
    for part in range(1, 11):
        told = tuple(each.cohort for each in _look(tally(one.rows[: len(one.rows) * part // 10]), known))
        renamed += bool(known) and bool(told) and not set(known) & set(told)
        looks += bool(told)
        known = told or known
    return renamed, looks


def _look(leaves: tuple[Leaf, ...], known: tuple[str, ...]) -> tuple[Regression, ...]:
    return find_regressions(leaves, metric="crash_rate", known=known)


if __name__ == "__main__":
    main()
