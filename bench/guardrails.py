"""What is claimed of guardrails and offers, as tables: `python -m bench.guardrails`.

False alarms when nothing is wrong, looked at every minute for 14 days; delay against a test at one fixed look; installs
harmed before the halt; how long decisions take; offers a second. Seeds are fixed; `--runs` makes it quicker or surer.
"""

from __future__ import annotations

import argparse
import math

from bench.guardrail_latency import cohort_false_halts, latency
from bench.guardrail_offers import NAMES, rates
from bench.guardrail_simulations import agree, cases, delays, false_alarms, harmed, mean_delays

PARTS = ("alarms", "delays", "harm", "latency", "offers")


def main() -> int:
    options = _options()
    parts = options.only or PARTS
    print(f"arrays and releases.eprocess differ by {agree(seed=1):.1e} at most\n")
    missed = 0
    if "alarms" in parts:
        missed += _alarms(options.runs)
    if "delays" in parts:
        missed += _delays(options.runs)
    if "harm" in parts:
        _harm(options.runs)
    if "latency" in parts:
        missed += _latency(options.hours)
    if "offers" in parts:
        _offers(options.seconds, options.rounds)
    return 1 if missed else 0


def _alarms(runs: int) -> int:
    print(f"False halts of equal arms in 14 days of looks at every minute, {runs} runs (to reach: at most 5 %)")
    print(f"{'case':32} {'ours':>7} {'± 95 %':>8} {'peeking z':>10}")
    missed = 0
    for i, case in enumerate(cases()):
        ours, peeking = false_alarms(case, runs=runs, seed=100 + i)
        width = 1.96 * math.sqrt(max(ours * (1 - ours), 1 / runs / 4) / runs)
        missed += ours - width > 0.05
        print(f"{case.name:32} {ours:7.1%} {width:8.1%} {peeking:10.1%}")
    stopped = cohort_false_halts(runs=max(20, runs // 5), hours=48, seed=1)
    print(f"{'a cohort of about 200, 2 days':32} {stopped:7.1%}   (e-BH at 1 %, looked at every four hours)\n")
    return missed


def _delays(runs: int) -> int:
    print("Installs until the alarm, as multiples of a test at one fixed look with 80 % power")
    print(f"{'harm':44} {'median':>7} {'p80':>7}   to reach: 1.25 and 2.1")
    rows = [
        ("crash 0.5 % to 1 %, 50/50", delays(base=0.005, worse=0.01, share=0.5, runs=runs * 2, seed=1)),
        ("crash 0.5 % to 1 %, 5 % candidate", delays(base=0.005, worse=0.01, share=0.05, runs=runs * 2, seed=2)),
        ("share over the latency limit 5 % to 10 %", delays(base=0.05, worse=0.10, share=0.5, runs=runs * 2, seed=3)),
        ("CSAT 4.2 to 4.0, standard deviation 1", mean_delays(gap=0.2, spread=1.0, runs=runs, seed=4)),
    ]
    for name, (median, p80) in rows:
        print(f"{name:44} {median:7.2f} {p80:7.2f}")
    print()
    return sum(median > 1.25 or p80 > 2.1 for _, (median, p80) in rows)


def _harm(runs: int) -> None:
    print("Installs harmed before the halt; 50 000 installs, 1, 5, 25, 100 % a day each, crash rate 0.5 % an hour")
    print(f"{'candidate crashes':24} {'median':>8} {'9 of 10':>8} {'unguarded':>10} {'found after':>12}")
    for times in (1.5, 2, 5, 20):
        found = harmed(times=times, runs=max(20, runs // 10), seed=5)
        after = f"{found.hours:.1f} h" if math.isfinite(found.hours) else "never"
        print(
            f"{f'{times:g} times as often':24} {found.median:8.2%} {found.p90:8.2%} {found.unguarded:10.1%} {after:>12}"
        )
    print()


def _latency(hours: int) -> int:
    found = latency(hours=hours, releases=5, seed=6)
    print(
        f"Deciding, for one release with {found.cohorts} cohorts, 2 guardrails, {found.leaves} cells of {hours} hours"
    )
    print(f"cells to arrays {found.tabulate_ms:.0f} ms, judge and decide {found.judge_ms:.0f} ms; "
          f"100 live releases one after another: {found.hundred_s:.1f} s of the minute's 60\n")  # fmt: skip
    return int(found.hundred_s > 60)


def _offers(seconds: float, rounds: int) -> None:
    found = rates(seconds=seconds, rounds=rounds)
    base = found["constant"]
    print(f"Offers over HTTP with 50 live releases; one worker, median of {rounds} turns of {seconds:g} s")
    print(f"{'request':16} {'a second':>9} {'× Flask':>8} {'CPU µs':>8} {'× Flask':>8} {'CPU µs an offer':>16}")
    for name in NAMES:
        rate, offers = found[name], 50 if name == "all 50 offers" else 1
        print(f"{name:16} {rate.per_s:9.0f} {rate.per_s / base.per_s:8.2f} {rate.cpu_us:8.0f} "
              f"{rate.cpu_us / base.cpu_us:8.2f} {rate.cpu_us / offers:16.1f}")  # fmt: skip


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench.guardrails", description=__doc__)
    parser.add_argument("--runs", type=int, default=400, help="simulated releases of each case")
    parser.add_argument("--hours", type=int, default=336, help="hours of cells for the time to decide")
    parser.add_argument("--seconds", type=float, default=3.0, help="length of one turn of load")
    parser.add_argument("--rounds", type=int, default=5, help="turns of each kind of request")
    parser.add_argument("--only", choices=PARTS, nargs="*", help="some of the tables")
    return parser.parse_args()


if __name__ == "__main__":
    raise SystemExit(main())
