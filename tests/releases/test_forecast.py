"""A dry run says who would get what, when, and what could be seen, from last week's installs."""

from __future__ import annotations

from datetime import timedelta

import pytest

from core.device import DeviceContext
from releases.forecast import Forecast, Seen, forecast
from releases.freeze import parse as parse_freeze
from releases.outlook import Usual
from releases.plan import Plan, parse_plan
from tests.builders import T0, at
from tests.releases.builders import an_artifact

BIG = Seen(device=DeviceContext(platform="android", ram_gb=8.0, chipset="Tensor G2"), installs=6000)
SMALL = Seen(device=DeviceContext(platform="android", ram_gb=2.0, chipset="Helio G35"), installs=4000)
PLAN = parse_plan(to="5,25,100", bake="24h", guard="crash_rate<+0.2pt")
FILES = (an_artifact(variant="int8", size_bytes=1_000_000),
         an_artifact(variant="fp32", sha256="f" * 64, size_bytes=4_000_000, min_ram_gb=4.0))  # fmt: skip
USUAL = {"crash_rate": Usual(kind="rate", value=0.005)}


def told(plan: Plan = PLAN, **changes: object) -> Forecast:
    return forecast(plan, FILES, (BIG, SMALL), T0, usual=USUAL, **changes)  # type: ignore[arg-type]


def test_installs_and_bytes_of_each_stage() -> None:
    found = told()

    assert (found.targeted, found.eligible, found.problems) == (10_000, 10_000, ())
    assert [(stage.candidate_installs, stage.baseline_installs) for stage in found.stages] == [
        (500, 500), (2500, 2500), (10_000, 0)
    ]  # fmt: skip
    whole = 6000 * 4_000_000 + 4000 * 1_000_000
    assert [stage.new_bytes for stage in found.stages] == [whole * 5 // 100, whole * 20 // 100, whole * 75 // 100]
    assert (found.days, found.stages[1].begins) == (3, at(24))


def test_a_stage_of_too_few_installs_is_said_to_wait_for_a_person() -> None:
    few = Seen(device=BIG.device, installs=400)

    def waits(**plan: str) -> tuple[str, ...]:
        return forecast(parse_plan(**{"to": "5,100", "guard": "crash_rate<+0.2pt", **plan}), FILES, (few,), T0).waits

    assert waits() == ("5 % reaches 20 installs, 30 of each arm are needed",)
    assert waits(min_installs="20") == waits(to="10,100") == waits(guard="none") == ()
    assert told().waits == ()


def test_the_baseline_against_itself_downloads_nothing() -> None:
    found = told(parse_plan(to="5,100", bake="24h", guard="crash_rate<+0.2pt", mode="aa"))

    assert [(stage.candidate_installs, stage.new_bytes) for stage in found.stages] == [(500, 0), (10_000, 0)]
    assert {size for cohort in found.cohorts for size in cohort.bytes_by_stage} == {0}


def test_each_cohort_has_its_own_line() -> None:
    cohorts = {cohort.cohort: cohort for cohort in told().cohorts}

    assert cohorts['chipset="Helio G35"'].by_stage == (200, 1000, 4000)
    assert cohorts['chipset="Helio G35"'].bytes_by_stage == (200_000_000, 1_000_000_000, 4_000_000_000)
    assert cohorts["platform=android"].installs == 10_000


def test_a_cohort_of_too_few_installs_has_no_line() -> None:
    rare = Seen(device=DeviceContext(platform="android", ram_gb=8.0, chipset="Unisoc T606"), installs=19)

    found = forecast(PLAN, FILES, (BIG, SMALL, rare), T0, usual=USUAL, minimum=20)

    assert 'chipset="Unisoc T606"' not in {cohort.cohort for cohort in found.cohorts}
    assert found.targeted == 10_019


def test_a_longer_or_wider_stage_shows_smaller_regressions() -> None:
    seen = [stage.visible[0].smallest for stage in told().stages]
    longer = told(parse_plan(to="5,25,100", bake="72h", guard="crash_rate<+0.2pt")).stages[0].visible[0].smallest

    assert seen[0] is not None
    assert seen[1] is not None
    assert longer is not None
    assert 0.002 < seen[1] < longer < seen[0]
    assert seen[2] == seen[1]  # at 100 % there is no baseline to compare with


def test_what_is_not_usual_yet_shows_nothing() -> None:
    assert forecast(PLAN, FILES, (BIG,), T0).stages[0].visible[0].smallest is None


def test_a_freeze_pushes_the_stages_behind_it() -> None:
    found = told(freezes=(parse_freeze("Tue 00:00 – Thu 12:00 UTC"),))

    assert [stage.begins for stage in found.stages] == [T0, at(75), at(99)]
    assert found.days == pytest.approx((at(123) - T0) / timedelta(days=1))


def test_a_start_that_lies_ahead_is_kept() -> None:
    plan = parse_plan(to="5,100", guard="none", start=at(48).isoformat())

    assert told(plan).stages[0].begins == at(48)


def test_who_is_held_back_downloads_nothing() -> None:
    found = told(parse_plan(to="5,25,100", guard="none", holdback="10"))

    assert found.eligible == 9000
    assert found.stages[-1].candidate_installs == 9000


def test_a_segment_that_matches_nobody_is_a_problem() -> None:
    found = told(parse_plan(to="5,100", guard="none", where="platform=ios"))

    assert [str(problem) for problem in found.problems] == [
        "where: platform=ios matches none of last week's 10 000 installs; widen it"
    ]


def test_devices_that_can_run_no_file_are_a_problem() -> None:
    found = forecast(PLAN, FILES[1:], (BIG, SMALL), T0)

    assert found.eligible == 6000
    assert "4 000 of last week's installs can run no file of 1.4.0 (needs 4 GB of memory)" in str(found.problems[0])
    assert next(each for each in found.cohorts if "Helio" in each.cohort).runnable == 0


def test_a_handful_that_can_run_no_file_is_left_out_and_keeps_nobody_from_it() -> None:
    handful = Seen(device=DeviceContext(platform="android", ram_gb=2.0), installs=19)

    found = forecast(PLAN, FILES[1:], (BIG, handful), T0, minimum=20)

    assert (found.problems, found.left_out) == ((), ("needs 4 GB of memory",))
    assert (found.targeted, found.eligible) == (6019, 6000)


def test_a_handful_is_a_problem_when_it_is_all_whom_the_release_is_for() -> None:
    handful = Seen(device=DeviceContext(platform="android", ram_gb=2.0), installs=19)

    found = forecast(PLAN, FILES[1:], (handful,), T0, minimum=20)

    assert "19 of last week's installs can run no file of 1.4.0" in str(found.problems[0])
    assert found.left_out == ()


def test_before_anything_was_heard_nothing_speaks_against_a_release() -> None:
    assert forecast(PLAN, FILES, (), T0).problems == ()
