"""A/B: three equal arms that nobody leaves, two candidates judged apart, and a decision that keeps its evidence."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.db import Databases
from core.device import DeviceContext
from core.errors import InvalidInputError
from releases import artifact_store, comparison, store
from releases.buckets import one_of_three
from releases.catalog import read_slots
from releases.guardrails import Arm, Measurement, Stratum, Verdict
from releases.offers import Slot, offer, rival_id
from releases.plan import parse_plan
from releases.rollout import Advance, Complete, Halt, RollBack
from tests.builders import T0, at
from tests.releases.builders import CRASHES, a_release, an_artifact, do, propose, register_both, start

PLAN = parse_plan(to="10,33", bake="24h", guard="crash_rate<+0.2pt", versus="1.5.0")
PHONE = DeviceContext(platform="android")
RELEASE = a_release(PLAN, rival_version="1.5.0", rivals=("b" * 64,))


def an_arm_of(harms: int, n: int, *, hours: int = 4, baseline: tuple[int, int] = (0, 0)) -> Measurement:
    k_c, n_c = baseline
    strata = tuple(
        Stratum(hour=at(hour), name="all", candidate=Arm(n=n, total=harms, total_sq=harms),
                baseline=Arm(n=n_c, total=k_c, total_sq=k_c))
        for hour in range(hours)
    )  # fmt: skip
    return Measurement(metric="crash_rate", kind="rate", strata=strata)


@given(st.integers(0, 999_999))
def test_widening_a_comparison_moves_nobody_out_of_a_candidate(bucket: int) -> None:
    arms = [one_of_three(bucket, percent) for percent in (0.1, 5, 20, 33.3)]

    inside = [arm != "none" for arm in arms]
    assert len(set(arms) - {"none"}) <= 1
    assert inside == sorted(inside)


def test_the_three_arms_are_of_one_size() -> None:
    sizes = Counter(one_of_three(bucket, 12.5) for bucket in range(0, 1_000_000, 7))

    assert max(sizes[arm] for arm in ("candidate", "rival", "baseline")) - min(
        sizes[arm] for arm in ("candidate", "rival", "baseline")
    ) <= 2  # fmt: skip


def test_both_candidates_are_offered_and_report_apart(databases: Databases) -> None:
    with databases.control.begin() as session:
        register_both(session)
        artifact_store.register_artifact(session, an_artifact("1.5.0"), app="demo", by="key_1", now=T0)
        release, rollout = start(session, PLAN, rival="1.5.0")
        do(session, rollout, Advance(stage=1, reason="go"))
        slot = read_slots(session)["demo"][0]

    seen = {}
    for n in range(200):
        found = offer(f"device-{n}", PHONE, slot)
        assert found.artifact is not None
        seen[found.artifact.version, found.arm] = found.release_id
    assert seen == {
        ("1.4.0", "candidate"): release.id, ("1.5.0", "candidate"): rival_id(release),
        ("1.3.2", "baseline"): release.id, ("1.3.2", "none"): release.id,
    } or seen == {
        ("1.4.0", "candidate"): release.id, ("1.5.0", "candidate"): rival_id(release),
        ("1.3.2", "baseline"): release.id,
    }  # fmt: skip


def test_a_comparison_replaces_nothing_and_a_halt_keeps_holders_of_either(databases: Databases) -> None:
    with databases.control.begin() as session:
        register_both(session)
        artifact_store.register_artifact(session, an_artifact("1.5.0"), app="demo", by="key_1", now=T0)
        _, rollout = start(session, PLAN, rival="1.5.0")
        do(session, rollout, Advance(stage=1, reason="go"), halt := Halt(reason="look"))
        slot = read_slots(session)["demo"][0]
        running = slot.live
        assert running is not None
        live = replace(slot, live=replace(running, rollout=replace(running.rollout, state=rollout.state)))
        rivals = next(f"device-{n}" for n in range(99) if _version(f"device-{n}", PHONE, live) == "1.5.0")
        assert _version(rivals, PHONE, slot) == "1.3.2"
        assert _version(rivals, replace(PHONE, model="kws", model_version="1.5.0"), slot) == "1.5.0"
        assert halt.cohort is None


def test_after_a_comparison_the_baseline_is_what_it_was(databases: Databases) -> None:
    with databases.control.begin() as session:
        register_both(session)
        artifact_store.register_artifact(session, an_artifact("1.5.0"), app="demo", by="key_1", now=T0)
        _, rollout = start(session, PLAN, rival="1.5.0")
        do(session, rollout, Complete(reason="known enough"))
        assert {each.version for each in artifact_store.current_baselines(session, app="demo", model="kws")} == {
            "1.3.2"
        }
        assert _version("device-1", PHONE, read_slots(session)["demo"][0]) == "1.3.2"

        _, again = start(session, parse_plan(to="50,100", guard="none"), version="1.5.0")
        do(session, again, RollBack(reason="late"))


@pytest.mark.parametrize(
    ("rival", "words"),
    [("9.9.9", "has no registered file"), ("1.4.0", "is the candidate itself"), ("1.3.2", "is the baseline already")],
)
def test_a_rival_that_compares_nothing_is_refused(databases: Databases, rival: str, words: str) -> None:
    with databases.control.begin() as session:
        register_both(session)
        with pytest.raises(InvalidInputError) as caught:
            propose(session, PLAN, rival=rival)

    assert [(problem.path, words in problem.message) for problem in caught.value.problems] == [("versus", True)]


def test_three_arms_fit_no_share_above_a_third() -> None:
    with pytest.raises(InvalidInputError) as caught:
        parse_plan(to="10,50", versus="1.5.0")

    assert "at or below 33.3" in str(caught.value.problems[0])


def test_each_candidate_is_judged_against_the_baseline_and_both_against_each_other() -> None:
    found = comparison.compare([CRASHES], [an_arm_of(5, 1000, baseline=(5, 1000))], [an_arm_of(60, 1000)],
                               cohorts={"tier=low": ([an_arm_of(1, 50)], [an_arm_of(9, 50)])})  # fmt: skip

    assert [each.verdict for each in found.candidate] == [Verdict.PASS]
    assert [each.verdict for each in found.rival] == [Verdict.FAIL]
    assert found.failed == ("rival",)
    assert [(each.cohort, each.better) for each in found.contrasts] == [
        ("everybody", "candidate"),
        ("tier=low", "candidate"),
    ]
    assert found.contrasts[0].sentence == (
        "Crash rate of everybody: 0.5 % (n=4 000) against 6 % (n=4 000): −5.5 pt (−6.3 pt to −4.8 pt)."
    )


def test_two_that_do_not_differ_are_neither() -> None:
    found = comparison.compare([], [an_arm_of(5, 1000)], [an_arm_of(6, 1000)])

    assert found.contrasts[0].better == "neither"


def test_a_decision_keeps_the_evidence_it_was_made_on() -> None:
    found = comparison.compare([CRASHES], [an_arm_of(5, 1000, baseline=(5, 1000))], [an_arm_of(60, 1000)])

    kept = comparison.record(RELEASE, found, chosen="candidate", reason="fewer crashes", by="U0MIA", now=at(48))

    assert (kept.chosen, kept.rival, kept.by) == ("1.4.0", "1.5.0", "U0MIA")
    assert kept.evidence[1].startswith("1.5.0: Crash rate 6 % against 0.5 %")
    facts = json.loads(json.dumps(kept.facts()))
    assert facts["figures"][0]["n_rival"] == 4000
    with pytest.raises(ValueError, match="the rival breaks a guardrail"):
        comparison.record(RELEASE, found, chosen="rival", reason="newer", by="U0MIA", now=at(48))
    with pytest.raises(ValueError, match="compares no two candidates"):
        comparison.record(a_release(), found, chosen="neither", reason="", by="U0MIA", now=at(48))


def test_the_files_of_both_candidates_are_what_people_approve(databases: Databases) -> None:
    with databases.control.begin() as session:
        register_both(session)
        artifact_store.register_artifact(session, an_artifact("1.5.0"), app="demo", by="key_1", now=T0)
        release, _ = propose(session, PLAN, rival="1.5.0")

        assert store.load_release(session, release.name).rivals == (an_artifact("1.5.0").sha256,)
        assert release.plan_hash != a_release(PLAN).plan_hash


def _version(install: str, device: DeviceContext, slot: Slot) -> str | None:
    found = offer(install, device, slot)
    return found.artifact.version if found.artifact else None
