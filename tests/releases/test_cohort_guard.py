"""A cohort in which the candidate does harm is found alone, and nothing is found where nothing is wrong."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from core.arms import ARMS, ArmName
from core.device import DeviceContext
from core.segments import matches, parse, text
from releases import guard_text
from releases.breach import CohortBreach
from releases.cohort_evidence import evidence_of
from releases.cohort_guard import cohorts_of, find_breach, findings_without
from releases.guardrails import Guardrail, OnFail, Verdict, judge
from releases.leaves import Leaf, tabulate
from releases.measurements import Kind
from releases.rollout import Advance, Halt, Hold, PausedFor, RollBack, State, decide
from releases.states import CohortStop
from tests.builders import at
from tests.releases.builders import CRASHES, PLAN, a_finding, a_rollout, some_evidence
from tests.releases.cohort_fleet import CHIPS, PHONES, a_fleet

G35 = parse('chipset="Helio G35"')
G35_NNAPI = parse('chipset="Helio G35" and accelerator=nnapi')
Harm = Callable[[DeviceContext, ArmName], float]


def twenty_times_on(rule: str) -> Harm:
    segment = parse(rule)
    return lambda device, arm: 0.1 if arm == "candidate" and matches(segment, device) else 0.005


def test_the_cohort_that_crashes_is_found_and_the_rest_is_sound() -> None:
    found = find_breach([CRASHES], a_fleet(twenty_times_on('chipset="Helio G35"'), seed=1))

    assert found is not None
    assert found.cohort == G35
    assert found.finding.verdict is Verdict.FAIL
    assert [finding.verdict for finding in found.rest] == [Verdict.PASS]
    assert found.sentence.startswith('Only chipset="Helio G35": Crash rate ')


def test_two_facts_together_are_named_when_it_takes_both() -> None:
    found = find_breach([CRASHES], a_fleet(twenty_times_on('chipset="Helio G35" and accelerator=nnapi'), seed=2))

    assert found is not None
    assert found.cohort == G35_NNAPI


@pytest.mark.parametrize("rule", ['chipset="Helio G35"', "tier=low"])
def test_at_the_first_look_that_stops_anything_neither_too_many_nor_too_few_phones_are_named(rule: str) -> None:
    phones = [replace(phone, tier="low" if phone.chipset in CHIPS[:2] else "high") for phone in PHONES]
    segment, named = parse(rule), []
    for seed in range(20):
        fleet = a_fleet(
            lambda device, arm: 0.3 if arm == "candidate" and matches(segment, device) else 0.01,
            seed=seed, installs=2, phones=phones,
        )  # fmt: skip
        looks = (find_breach([CRASHES], [leaf for leaf in fleet if leaf.hour < at(hour)]) for hour in range(2, 12))
        named += [next(text(look.cohort) for look in looks if look is not None)]

    assert named == [rule] * 20


def test_harm_everywhere_is_no_cohorts_matter() -> None:
    fleet = tabulate(a_fleet(lambda _, arm: 0.05 if arm == "candidate" else 0.005, seed=3))

    assert find_breach([CRASHES], fleet) is None
    assert findings_without([CRASHES], fleet, ())[0][0].verdict is Verdict.FAIL


def test_two_bad_cohorts_are_stopped_one_after_the_other() -> None:
    table = tabulate(a_fleet(twenty_times_on('chipset in ("Helio G35", "Exynos 850")'), seed=4))
    stopped: list[CohortStop] = []
    for _ in range(2):
        found = find_breach([CRASHES], table, stopped=stopped)
        assert found is not None
        stopped.append(CohortStop(segment=found.cohort, since=at(1), reason="x", returns=True))

    assert {stop.segment for stop in stopped} == {G35, parse('chipset="Exynos 850"')}
    assert find_breach([CRASHES], table, stopped=stopped) is None
    assert findings_without([CRASHES], table, stopped)[0][0].verdict is Verdict.PASS


def test_a_halted_cohort_is_judged_on_only_for_a_guardrail_that_wants_its_holders_back() -> None:
    fleet = tabulate(a_fleet(twenty_times_on('chipset="Helio G35"'), seed=5))
    halted = [CohortStop(segment=G35, since=at(1), reason="by hand")]

    again = find_breach([CRASHES], fleet, stopped=halted)

    assert again is not None
    assert again.cohort == G35
    assert find_breach([replace(CRASHES, on_fail="halt")], fleet, stopped=halted) is None


def first_stop(harm: Harm, *, seed: int, installs: int) -> str | None:
    """Look every hour as the tick does; return the cohort that is stopped first, "everyone", or None."""
    leaves = a_fleet(harm, seed=seed, installs=installs, metrics=("crash_rate",))
    for hour in range(1, 13):
        table = tabulate(leaf for leaf in leaves if leaf.hour < at(hour))
        whole = findings_without([CRASHES], table, ())[0][0].verdict is Verdict.FAIL
        found = find_breach([CRASHES], table, whole_fails=whole)
        if found is not None or whole:
            return "everyone" if found is None else text(found.cohort)
    return None


def test_when_the_whole_has_failed_the_cohort_that_does_harm_is_named_in_time() -> None:
    stops = [first_stop(twenty_times_on('chipset="Helio G35"'), seed=seed, installs=5) for seed in range(20)]

    assert stops.count('chipset="Helio G35"') >= 18


def test_harm_to_everybody_is_hardly_ever_taken_for_one_cohorts() -> None:
    stops = [
        first_stop(lambda _, arm: 0.02 if arm == "candidate" else 0.001, seed=seed, installs=5) for seed in range(20)
    ]

    assert stops.count("everyone") >= 18


def test_equal_arms_hardly_ever_stop_a_cohort() -> None:
    """One in a hundred releases ever; twenty may see one."""
    alarms = 0
    for seed in range(20):
        table = tabulate(a_fleet(lambda *_: 0.02, seed=100 + seed, hours=24))
        alarms += find_breach([CRASHES, replace(CRASHES, metric="timeout_rate")], table) is not None

    assert alarms <= 1


@pytest.mark.parametrize("guard", ["crash_rate<+0.2pt", "crash_rate<+10%", "csat>-5pt", "csat>-5%", "latency_p95<+10%"])
def test_all_cohorts_at_once_give_the_same_evidence_as_one_after_another(guard: str) -> None:
    guardrail = guard_text.parse(guard)[0]
    table = tabulate(_some_leaves(guardrail))
    cohorts = cohorts_of(table, table.rows())

    at_once = evidence_of(guardrail, table, np.array([flags for _, flags in cohorts], dtype=float))

    assert len(cohorts) > 5
    for (_, flags), log_e in zip(cohorts, at_once, strict=True):
        one = judge(guardrail, table.measure(flags)[0])
        assert np.exp(log_e) == pytest.approx(one.e_value, rel=1e-6)


def test_cohorts_too_small_to_judge_and_the_majority_are_no_cohorts() -> None:
    few = [replace(leaf, n=1, total=0) for leaf in a_fleet(lambda *_: 0.0, seed=1, hours=1)]
    table = tabulate(a_fleet(lambda *_: 0.01, seed=1, hours=4))

    assert cohorts_of(tabulate(few), tabulate(few).rows()) == []
    assert parse("platform=android") not in [cohort for cohort, _ in cohorts_of(table, table.rows())]
    assert find_breach([CRASHES], []) is None


BREACH = CohortBreach(cohort=G35, finding=a_finding(Verdict.FAIL), rest=(a_finding(),), hypotheses=20)


def test_the_tick_stops_the_cohort_and_not_the_release() -> None:
    decision = decide(a_rollout(), PLAN, [a_finding(Verdict.FAIL)], at(1), cohort=BREACH)

    assert decision == RollBack(reason='Only chipset="Helio G35": Crash rate: fail.', cohort=G35)


@pytest.mark.parametrize("on_fail", ["halt", "pause"])
def test_a_guardrail_that_does_not_roll_back_halts_the_cohort(on_fail: OnFail) -> None:
    finding = replace(BREACH.finding, guardrail=replace(CRASHES, on_fail=on_fail))

    decision = decide(a_rollout(State.PAUSED), PLAN, [], at(1), cohort=replace(BREACH, finding=finding))

    assert isinstance(decision, Halt)
    assert decision.cohort == G35


def test_a_stopped_cohort_does_not_keep_the_others_from_going_on() -> None:
    stop = CohortStop(segment=G35, since=at(1), reason="x", returns=True)

    decision = decide(a_rollout(stopped=(stop,)), PLAN, [a_finding()], at(24), evidence=some_evidence())

    assert isinstance(decision, Advance)


def test_equal_files_that_differ_pause_the_release_and_quarantine_nothing() -> None:
    aa = replace(PLAN, is_aa=True)

    decision = decide(a_rollout(), aa, [a_finding(Verdict.FAIL)], at(1), cohort=BREACH)

    assert (type(decision).__name__, getattr(decision, "why", None)) == ("Pause", PausedFor.GUARDRAIL)
    assert "the measuring is at fault" in decision.reason
    assert isinstance(decide(a_rollout(State.HALTED), aa, [a_finding(Verdict.FAIL)], at(1)), Hold)


def _some_leaves(guardrail: Guardrail) -> list[Leaf]:
    random = np.random.default_rng(9)
    kind: Kind = "log_mean" if guardrail.metric == "latency_p95" else "rate"
    leaves = []
    for hour in range(6):
        for device in PHONES:
            for arm in ARMS:
                values = random.normal(3.7, 0.4, 40) if kind == "log_mean" else random.random(40) < 0.3
                leaves.append(
                    Leaf(
                        hour=at(hour),
                        device=device,
                        arm=arm,
                        metric=guardrail.metric,
                        n=40,
                        total=float(values.sum()),
                        total_sq=float((values**2).sum()),
                        kind=kind,
                    )
                )
    assert len(CHIPS) == 4
    return leaves
