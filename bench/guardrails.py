"""What is claimed of guardrails and offers, as tables: `python -m bench.guardrails`.

False alarms when nothing is wrong, looked at every minute for 14 days; delay against a test at one fixed look, each
beside what others would do; installs harmed before the halt; what is said of few installs; how long decisions take;
offers a second. Seeds are fixed; `--runs` makes it quicker or surer.
"""

from __future__ import annotations

import argparse
import math

from bench.guardrail_latency import cohort_false_halts, latency
from bench.guardrail_low_traffic import low_traffic
from bench.guardrail_offers import NAMES, rates
from bench.guardrail_simulations import agree, cases, delays, false_alarms, harmed, mean_delays
from bench.guardrail_ticks import ticks

PARTS = ("alarms", "delays", "harm", "traffic", "latency", "ticks", "offers")
HARMS = (
    ("crash 0.5 % to 1 %, 50/50", 0.005, 0.01, 0.5),
    ("crash 0.5 % to 1 %, 5 % candidate", 0.005, 0.01, 0.05),
    ("crash 0.5 % to 1 %, 1 % candidate", 0.005, 0.01, 0.01),
    ("share over the latency limit 5 % to 10 %", 0.05, 0.10, 0.5),
)


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
    if "traffic" in parts:
        _low_traffic(options.runs)
    if "latency" in parts:
        missed += _latency(options.hours)
    if "ticks" in parts:
        missed += _ticks()
    if "offers" in parts:
        _offers(options.seconds, options.rounds)
    return 1 if missed else 0


def _alarms(runs: int) -> int:
    print(f"False halts of equal arms in 14 days of looks at every minute, {runs} runs (to reach: at most 5 %)")
    print(
        f"{'case':28} {'ours':>6} {'± 95 %':>7} {'GrowthBook':>11} {'group seq.':>11} {'Kayenta':>8} {'peeking z':>10}"
    )
    missed = 0
    for i, case in enumerate(cases()):
        found = false_alarms(case, runs=runs, seed=100 + i)
        width = 1.96 * math.sqrt(max(found.ours * (1 - found.ours), 1 / runs / 4) / runs)
        missed += found.ours - width > 0.05
        print(f"{case.name:28} {found.ours:6.1%} {width:7.1%} {found.confidence_sequence:11.1%} "
              f"{found.group_sequential:11.1%} {found.kayenta:8.1%} {found.peeking:10.1%}")  # fmt: skip
    stopped = cohort_false_halts(runs=max(20, runs // 5), hours=48, seed=1)
    print(f"{'a cohort of about 200, 2 days':28} {stopped:5.1%}   (e-BH at 1 %, looked at every four hours)")
    print("The others look hourly (GrowthBook's interval, peeking z), at 14 planned looks, daily (Kayenta).\n")
    return missed


def _delays(runs: int) -> int:
    print("Installs until the alarm (median, p80), as multiples of a test at one fixed look with 80 % power")
    print(f"{'harm':42} {'ours':>12} {'GrowthBook':>12} {'group seq.':>12}  Kayenta finds   to reach: 1.25, 2.1")
    missed = 0
    for name, base, worse, share in HARMS:
        found = delays(base=base, worse=worse, share=share, runs=runs * 2, seed=1)
        missed += found.ours[0] > 1.25 or found.ours[1] > 2.1
        pairs = (found.ours, found.confidence_sequence, found.group_sequential)
        print(f"{name:42} {' '.join(f'{_pair(pair):>12}' for pair in pairs)}  {found.kayenta_power:13.1%}")
    ours = mean_delays(gap=0.2, spread=1.0, runs=runs, seed=4)
    print(f"{'CSAT 4.2 to 4.0, standard deviation 1':42} {_pair(ours):>12}\n")
    return missed + (ours[0] > 1.25 or ours[1] > 2.1)


def _pair(found: tuple[float, float]) -> str:
    return " / ".join("never" if math.isinf(each) else f"{each:.2f}" for each in found)


def _low_traffic(runs: int) -> None:
    print(
        "Few installs in each arm, crash rate 0.5 % an hour, +0.2 pt allowed, after three days; half the crashes late"
    )
    heads = (("each", "crashes", "no data", "pass", "unclear", "fail", "says what it", "Kayenta"),
             ("", "×", "", "", "", "", "cannot see", "alarms"))  # fmt: skip
    for head in heads:
        print(" ".join(f"{word:>{width}}" for word, width in zip(head, (6, 8, 8, 6, 8, 6, 13, 8), strict=True)))
    said = ""
    for installs in (10, 50, 200, 1000):
        for times in (1.0, 2.0, 5.0):
            found = low_traffic(installs=installs, times=times, late=0.5, runs=runs, seed=8)
            shares = [found.verdicts.get(name, 0.0) for name in ("no_data", "pass", "inconclusive", "fail")]
            told = " ".join(f"{share:{width}.0%}" for share, width in zip(shares, (8, 6, 8, 6), strict=True))
            print(f"{installs:6} {times:8g} {told} {found.honest:13.0%} {found.kayenta:8.0%}")
        said += f"  {installs}: {found.sentence}\n" if found.sentence != "–" else ""
    print(f"In words, say:\n{said}")


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


def _ticks() -> int:
    print("The minute's look at one live release with 200 cohorts, from its reports in SQLite to the decision, CPU s")
    print(f"{'days':>5} {'reports':>8} {'by device':>10} {'since then':>11} {'100 releases':>13}   (to reach: 60)")
    missed = 0
    for days in (2, 14):
        found = ticks(releases=2, installs=1200, hours=days * 24, seed=9)
        minute = 100 * (found.again_s + found.first_s / 15)
        missed += minute > 60
        print(f"{days:5} {found.reports:8} {found.first_s:10.2f} {found.again_s:11.2f} {minute:11.0f} s")
    print(
        "Reports are counted by device every quarter of an hour, with a fiftieth more, and when anything is unsound.\n"
    )
    return missed


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
