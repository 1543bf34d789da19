"""Guardrails find harm, raise no false alarms however often one looks, and say why in a sentence."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from releases import guard_text
from releases.guardrails import Arm, Guardrail, Measurement, Stratum, Verdict, judge, judge_all, worst
from releases.measurements import evidence
from tests.builders import at
from tests.releases.builders import CRASHES, a_finding, rates
from tests.releases.fleet import LOW_TRAFFIC, ONE_PERCENT, WIDENING, Ramp, alarms


def guard(text: str) -> Guardrail:
    return guard_text.parse(text)[0]


@pytest.mark.parametrize(
    "ramp",
    [
        pytest.param(Ramp(installs=WIDENING), id="a ramp over a weekend that doubles every crash"),
        pytest.param(Ramp(installs=WIDENING, late=0.5), id="half of the crashes reported an hour late"),
        pytest.param(Ramp(installs=LOW_TRAFFIC), id="low traffic"),
        pytest.param(Ramp(installs=ONE_PERCENT), id="a small candidate arm"),
    ],
)
def test_equal_arms_raise_at_most_five_percent_false_alarms_when_looked_at_every_hour(ramp: Ramp) -> None:
    assert alarms(guard("crash_rate<+0%"), ramp, runs=80, seed=1) <= 0.05


def test_a_candidate_exactly_at_a_margin_in_points_raises_at_most_five_percent_alarms() -> None:
    ramp = Ramp(installs=WIDENING, rate=0.02, effect=1.5, weekend=1.0)

    assert alarms(guard("crash_rate<+1pt"), ramp, runs=80, seed=2) <= 0.05


def test_a_crash_rate_three_times_as_high_is_found_nearly_always() -> None:
    assert alarms(guard("crash_rate<+1pt"), Ramp(installs=WIDENING, effect=3.0), runs=40, seed=3) >= 0.95


@pytest.mark.parametrize("installs", [40, 200])
def test_phones_that_are_always_slow_raise_at_most_five_percent_false_alarms(installs: int) -> None:
    runs, failed = 100, 0
    for run in range(runs):
        strata = _latencies(np.random.default_rng(run), installs=installs, slower=1.0)
        looks = (Measurement(metric="latency_p95", kind="log_mean", strata=strata[: n + 1]) for n in range(24))
        failed += any(judge(guard("latency_p95<+0%"), seen).verdict is Verdict.FAIL for seen in looks)

    assert failed / runs <= 0.05


def test_latency_a_quarter_higher_breaks_a_margin_of_a_tenth() -> None:
    strata = _latencies(np.random.default_rng(1), installs=400, slower=1.25)

    found = judge(guard("latency_p95<+10%"), Measurement(metric="latency_p95", kind="log_mean", strata=strata))

    assert found.verdict is Verdict.FAIL
    assert found.effect == pytest.approx(0.25, abs=0.05)
    assert found.relative
    assert " ms against " in found.sentence
    assert "worse than the +10 % allowed, and not by chance" in found.sentence


def test_a_crash_loop_fails_before_there_are_thirty_installs() -> None:
    found = judge(CRASHES, rates((0, 12, 0, 12), (0, 12, 11, 12)))

    assert found.verdict is Verdict.FAIL


def test_the_same_sound_numbers_pass() -> None:
    found = judge(CRASHES, rates((5, 1000, 5, 1000), (6, 1000, 4, 1000)))

    assert found.verdict is Verdict.PASS
    assert found.sentence == (
        "Crash rate 0.45 % against 0.55 %: −0.1 pt (−0.58 pt to +0.37 pt), nothing against the +0.2 pt allowed."
    )
    assert (found.n_baseline, found.n_candidate) == (2000, 2000)


def test_worse_than_allowed_on_thin_evidence_is_inconclusive() -> None:
    found = judge(CRASHES, rates((2, 1000, 2, 1000), (2, 1000, 10, 1000)))

    assert found.verdict is Verdict.INCONCLUSIVE
    assert "but it may be chance" in found.sentence


def test_ten_installs_at_a_hundred_times_the_baseline_do_not_pass() -> None:
    found = judge(CRASHES, rates((1, 1000, 0, 40), (1, 1000, 1, 10)))

    assert found.verdict in (Verdict.INCONCLUSIVE, Verdict.FAIL)


@pytest.mark.parametrize("cells", [(), ((0, 0, 0, 500),), ((3, 500, 0, 0),), ((0, 500, 0, 29),)])
def test_too_little_in_either_arm_is_no_data(cells: tuple[tuple[int, int, int, int], ...]) -> None:
    found = judge(CRASHES, rates(*cells))

    assert found.verdict is Verdict.NO_DATA
    assert "30 of each are needed" in found.sentence
    assert found.effect is None


def test_satisfaction_that_falls_too_far_fails_and_one_that_rises_passes() -> None:
    csat = guard("csat>-5pt")
    fell = rates((860, 1000, 860, 1000), (860, 1000, 640, 1000), metric="csat")
    rose = rates((640, 1000, 860, 1000), (640, 1000, 860, 1000), metric="csat")

    assert judge(csat, fell).verdict is Verdict.FAIL
    assert judge(csat, rose).verdict is Verdict.PASS
    assert "CSAT 75 % against 86 %: −11 pt" in judge(csat, fell).sentence


def test_satisfaction_as_a_mean_is_turned_the_right_way_round() -> None:
    strata = (Stratum(hour=at(0), name="all", baseline=Arm(n=400, total=1680, total_sq=7200),
                      candidate=Arm(n=400, total=1400, total_sq=5200)),)  # fmt: skip

    found = judge(guard("csat>-5%"), Measurement(metric="csat", kind="mean", strata=strata))

    assert found.verdict is Verdict.FAIL
    assert found.effect == pytest.approx((1400 - 1680) / 1680)


def test_several_guardrails_share_one_rate_of_false_alarms() -> None:
    rails = (CRASHES, guard("timeout_rate<+0.2pt"), guard("csat>-5pt"))
    alone = judge(CRASHES, borderline := rates((2, 500, 2, 500), (2, 500, 20, 500)))
    assert math.log(20) <= math.log(alone.e_value) < math.log(60)

    together = judge_all(rails, [borderline])

    assert alone.verdict is Verdict.FAIL
    assert [found.verdict for found in together] == [Verdict.INCONCLUSIVE, Verdict.NO_DATA, Verdict.NO_DATA]


def test_the_worst_finding_is_a_breach_that_rolls_back() -> None:
    pausing = replace(CRASHES, on_fail="pause")
    found = [a_finding(Verdict.NO_DATA), a_finding(Verdict.FAIL, pausing), a_finding(Verdict.FAIL), a_finding()]

    assert worst(found) is found[2]
    assert worst([found[0], found[3]]) is found[0]
    assert worst([]) is None


def test_evidence_of_a_stage_is_its_fullest_hour() -> None:
    seen = rates((0, 10, 0, 11), (0, 80, 0, 70), (0, 60, 0, 90), (0, 50, 0, 0))

    found = evidence([seen], since=at(1.5))

    assert (found.baseline_installs, found.candidate_installs, found.newest) == (80, 90, at(2))


def test_installs_that_were_counted_one_by_one_are_evidence_although_no_hour_had_them_all() -> None:
    seen = rates((0, 10, 0, 11), (0, 80, 0, 70))

    found = evidence([seen], since=at(0), seen=[("baseline", 60), ("candidate", 90), ("baseline", 70)])

    assert (found.baseline_installs, found.candidate_installs) == (130, 90)


def test_nothing_seen_is_no_evidence() -> None:
    found = evidence([rates((0, 10, 0, 11))], since=at(5))

    assert (found.baseline_installs, found.candidate_installs, found.newest) == (0, 0, None)


def _latencies(random: np.random.Generator, *, installs: int, slower: float) -> tuple[Stratum, ...]:
    """Return 24 hours of logarithms of p95 latencies around 40 ms, of the same installs in each hour."""
    own = [np.log(40 * factor) + random.normal(0, 0.3, installs) for factor in (1.0, slower)]
    strata = []
    for hour in range(24):
        baseline, candidate = (_arm(values + random.normal(0, 0.1, installs)) for values in own)
        strata.append(Stratum(hour=at(hour), name="all", baseline=baseline, candidate=candidate))
    return tuple(strata)


def _arm(values: np.ndarray) -> Arm:
    return Arm(n=len(values), total=float(values.sum()), total_sq=float((values**2).sum()))


def test_what_is_shown_of_both_arms_adds_up_to_the_effect() -> None:
    def arm(n: int, harms: int) -> Arm:
        return Arm(n=n, total=harms, total_sq=harms)

    quiet = Stratum(hour=at(0), name="low", baseline=arm(1000, 2), candidate=arm(50, 1))
    busy = Stratum(hour=at(1), name="low", baseline=arm(200, 1), candidate=arm(400, 12))
    guardrail = Guardrail(metric="crash_rate", margin=0.002, relative=False)

    finding = judge(guardrail, Measurement(metric="crash_rate", kind="rate", strata=(quiet, busy)))

    assert finding.candidate is not None
    assert finding.baseline is not None
    assert finding.effect == pytest.approx(finding.candidate - finding.baseline)
