"""Plans read as people type them, and every mistake is told at once."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.errors import InvalidInputError
from core.segments import parse as parse_segment
from releases import guard_text, plan
from releases.guardrails import Guardrail
from releases.metrics import METRICS

FULL = {
    "to": "0.1,1,5,25,100",
    "bake": "24h",
    "where": "platform=android and ram_gb<4",
    "guard": "latency_p95<+10% crash_rate<+0.2pt csat>-5pt",
}


def problems_of(**options: str) -> dict[str, str]:
    with pytest.raises(InvalidInputError) as caught:
        plan.parse_plan(**{"to": "5,100", **options})
    told: dict[str, str] = {}
    for problem in caught.value.problems:
        told[problem.path] = "; ".join(part for part in (told.get(problem.path), problem.message) if part)
    return told


def test_the_plan_of_the_handbook_is_understood() -> None:
    read = plan.parse_plan(**FULL)

    assert [stage.percent for stage in read.stages] == [0.1, 1, 5, 25, 100]
    assert {stage.bake for stage in read.stages} == {timedelta(hours=24)}
    assert read.segment == parse_segment("platform=android and ram_gb<4")
    assert read.guardrails == (
        Guardrail(metric="latency_p95", margin=0.1, relative=True),
        Guardrail(metric="crash_rate", margin=0.002, relative=False),
        Guardrail(metric="csat", margin=0.05, relative=False),
    )


def test_all_mistakes_are_told_at_once() -> None:
    problems = problems_of(
        to="5,1,x,50", bake="soon", where="ram<4", guard="crash<+1pt csat<+5pt latency_p95<+1pt", min_installs="0",
        approve="30", start="tomorrow",
    )  # fmt: skip

    assert "must rise: 1 comes after 5" in problems["to"]
    assert "'x'" in problems["to"]
    assert "must end at 100" in problems["to"]
    assert "bake" in problems
    assert problems["approve"] == "must name shares of `to`, not '30'"
    assert "min" in problems
    assert "start" in problems
    assert any(path.startswith("where") for path in problems)


def test_every_mistaken_guardrail_is_told() -> None:
    with pytest.raises(InvalidInputError) as caught:
        guard_text.parse("crash_rat<+1pt csat<+5pt latency_p95<+1pt timeout_rate timeout_rate<+1pt timeout_rate<+2pt")

    told = [problem.message for problem in caught.value.problems]
    assert told == [
        "no metric is called 'crash_rat'; did you mean crash_rate?",
        "csat may not fall too far, so it is written csat>-5pt",
        "latency_p95 is no share, so its margin is in percent, such as latency_p95<+10%",
        "'timeout_rate' must read like crash_rate<+0.2pt, latency_p95<+10% or csat>-5pt",
        "timeout_rate is guarded twice; keep one",
    ]


@pytest.mark.parametrize(
    "text",
    ["csat>-5pt", "csat > -5 pt", "csat>−5pt", "CSAT>-5pp", "csat>=-5pt", "csat>5pt", "csat>–5 pts"],
)
def test_a_guardrail_may_be_typed_in_many_ways(text: str) -> None:
    assert guard_text.parse(text) == (Guardrail(metric="csat", margin=0.05, relative=False),)


def test_a_guardrail_may_pause_or_halt_instead_of_rolling_back() -> None:
    halting, pausing = guard_text.parse("crash_rate<+0.2pt:halt, csat>-5pt:pause")

    assert (halting.on_fail, pausing.on_fail) == ("halt", "pause")
    assert "rollback, halt or pause" in problems_of(guard="crash_rate<+0.2pt:stop")["guard"]


def test_without_a_guard_the_usual_ones_hold_and_none_must_be_said() -> None:
    assert {rail.metric for rail in plan.parse_plan(to="5,100").guardrails} == {"crash_rate", "latency_p95"}
    assert plan.parse_plan(to="5,100", guard="none").guardrails == ()


def test_stages_may_bake_for_different_times() -> None:
    read = plan.parse_plan(to="1, 5%,100", bake="1h,1d12h,90min")

    assert [stage.bake for stage in read.stages] == [timedelta(hours=1), timedelta(hours=36), timedelta(minutes=90)]
    assert (
        problems_of(to="1,5,100", bake="1h,2h")["bake"] == "must be one length or one for each of the 3 stages, not 2"
    )


@pytest.mark.parametrize("text", ["", "0h", "5", "-1h", "h", "1y", "91d", "9999999999h", "1h 30m;drop"])
def test_what_is_no_sensible_length_of_time_is_refused(text: str) -> None:
    if text:
        assert "bake" in problems_of(bake=text)
    else:
        assert plan.parse_length(text) is None


@pytest.mark.parametrize("to", ["0,100", "0.00001,100", "101", "", "1,,100", "nan,100", "1e2", "-5,100", "5,5,100"])
def test_shares_outside_what_can_be_served_are_refused(to: str) -> None:
    assert "must rise" in problems_of(to=to)["to"] or "must be percentages" in problems_of(to=to)["to"]


def test_a_stage_without_a_bake_is_told_by_its_number() -> None:
    assert problems_of(to="1,5,100", bake="1h,,2h")["bake"].startswith("leaves stage 2 without a length")


def test_everybody_at_once_leaves_nothing_to_compare_with() -> None:
    assert "baseline to compare with" in problems_of(to="100")["to"]
    assert plan.parse_plan(to="100", guard="none").stages[0].percent == 100


def test_chosen_stages_need_a_person() -> None:
    read = plan.parse_plan(to="1,25,100", approve="25,100%", min_installs="50")

    assert [stage.needs_approval for stage in read.stages] == [False, True, True]
    assert {stage.min_installs for stage in read.stages} == {50}


def test_a_start_needs_its_time_zone() -> None:
    assert plan.parse_plan(to="5,100", start="2026-11-23T09:00+01:00").starts_at == datetime(
        2026, 11, 23, 8, tzinfo=UTC
    )
    assert "time zone" in problems_of(start="2026-11-23T09:00")["start"]


@pytest.mark.parametrize("start", ["9999-12-31T23:59:59-14:00", "9999-12-31T23:00Z", "0001-01-01T00:00+14:00"])
def test_a_start_at_an_end_of_the_calendar_is_a_mistake(start: str) -> None:
    assert "must be a moment" in problems_of(start=start)["start"]


def test_an_approval_is_bound_to_the_plan_and_the_files() -> None:
    read = plan.parse_plan(**FULL)
    bound = plan.plan_hash(read, ["a", "b"])

    assert plan.plan_hash(read, ["b", "a"]) == bound
    assert plan.plan_hash(read, ["a", "c"]) != bound
    assert plan.plan_hash(replace(read, guardrails=()), ["a", "b"]) != bound
    assert plan.plan_hash(replace(read, segment=parse_segment("platform=ios")), ["a", "b"]) != bound


RAILS = st.builds(
    Guardrail,
    metric=st.sampled_from(sorted(set(METRICS) - {"latency_p95"})),
    margin=st.integers(0, 9_999).map(lambda hundredths: hundredths / 10_000),
    relative=st.booleans(),
    on_fail=st.sampled_from(["rollback", "halt", "pause"]),
)
PLANS = st.builds(
    lambda shares, hours, rails, least: plan.Plan(
        stages=tuple(
            plan.Stage(percent=share / 10_000, bake=timedelta(hours=hours), min_installs=least)
            for share in sorted({*shares, 1_000_000})
        ),
        guardrails=tuple({rail.metric: rail for rail in rails}.values()),
        segment=parse_segment('platform=android and chipset="Helio G35"'),
    ),
    st.sets(st.integers(1, 999_999), min_size=1, max_size=4), st.integers(1, 1000), st.lists(RAILS, max_size=4),
    st.integers(1, 1000),
)  # fmt: skip


@given(PLANS)
def test_a_plan_survives_the_database(written: plan.Plan) -> None:
    assert plan.from_json(plan.to_json(written)) == written


@given(PLANS)
def test_a_plan_written_as_text_reads_as_the_same_plan(written: plan.Plan) -> None:
    guard = guard_text.text(written.guardrails)

    read = guard_text.parse(guard)

    assert [rail.metric for rail in read] == [rail.metric for rail in written.guardrails]
    assert all(a.margin == pytest.approx(b.margin) for a, b in zip(read, written.guardrails, strict=True))
    assert f'guard="{guard}"' in plan.text(written)
    assert "where='platform=android and chipset=\"Helio G35\"'" in plan.text(written)


@given(st.text(max_size=60), st.text(max_size=60), st.text(max_size=60))
def test_whatever_is_typed_is_read_or_refused_with_reasons(to: str, bake: str, guard: str) -> None:
    told: tuple[object, ...] = ()
    try:
        read = plan.parse_plan(to=to, bake=bake, guard=guard)
    except InvalidInputError as error:
        told = error.problems

    assert told or read.stages
