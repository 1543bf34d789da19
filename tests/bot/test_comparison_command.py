"""Two candidates against one baseline: started, judged, compared by cohort, and decided with the evidence kept."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from bot import wiki_pages
from bot.context import Context
from bot.flows import wiki
from bot.views.blocks import Message
from core import audit
from core.db import reading
from feedback.ingest import Collector
from releases import artifact_store, store
from releases.catalog import read_slots
from releases.offers import offer, rival_id
from releases.rollout import Advance, State
from sandbox.world import World
from tests.bot.releases_made import Floor, words
from tests.bot.workspace import DANA, MIA, PAM
from tests.builders import ManualClock
from tests.conftest import JobList
from tests.integrations.wire import a_wiki_client, a_wiki_wire
from tests.releases.builders import an_artifact

START = 'release start kws@1.4.0 versus=1.5.0 to=5,33 bake=1h guard="crash_rate<+0.2pt"'
CHIPS = ("Helio G35", "Tensor G2")


@pytest.fixture
def floor(ctx: Context, world: World, jobs: JobList, clock: ManualClock) -> Floor:
    floor = Floor(ctx=ctx, world=world, jobs=jobs, clock=clock)
    with ctx.databases.control.begin() as session:
        artifact_store.register_artifact(session, an_artifact("1.5.0"), app="demo", by="key_1", now=clock())
    return floor


def begin(floor: Floor, line: str = START) -> None:
    floor.type(DANA, line)
    floor.type(MIA, "release approve R1")
    floor.tick()


def report_hours(floor: Floor, *, candidate: int = 0, rival: int = 0, installs: int = 120, hours: int = 1) -> None:
    """Each of the three arms reports from both chips; so many installs of each arm and chip crash in every hour."""
    release = floor.release()
    arms = (("baseline", "1.3.2", release.id, 0), ("candidate", "1.4.0", release.id, candidate),
            ("candidate", "1.5.0", rival_id(release), rival))  # fmt: skip
    for _ in range(hours):
        floor.clock.advance(hours=1)
        for chip in CHIPS:
            for arm, version, reported, crashing in arms:
                _send(floor, [
                    _summary(floor, chip, n, (arm, version, reported), crashed=n < crashing) for n in range(installs)
                ])  # fmt: skip


def _summary(floor: Floor, chip: str, n: int, told: tuple[str, str, str], *, crashed: bool) -> dict[str, Any]:
    floor.sent += 1
    arm, version, release = told
    return {
        "uuid": f"uuid-{floor.sent}", "install": f"{version}-{chip}-{n}", "window_start": floor.clock().isoformat(),
        "count": 100, "errors": {"crash": int(crashed)}, "os.name": "Android", "soc": chip,
        "model": {"name": "kws", "version": version, "release": release, "arm": arm},
    }  # fmt: skip


def _send(floor: Floor, inferences: list[dict[str, Any]]) -> None:
    body = {"sent_at": floor.clock().isoformat(), "context": {}, "inferences": inferences}
    collector = Collector(floor.ctx.databases, floor.ctx.settings)
    assert collector.accept_batch(json.dumps(body).encode(), app="demo", now=floor.clock()).rejected == 0


def decide(floor: Floor, what: str, *, by: str = MIA) -> Message:
    return floor.type(by, f'release decide R1 {what} reason="fewer crashes"')


def test_a_comparison_runs_with_three_arms_and_names_both(floor: Floor) -> None:
    begin(floor)

    assert "R1 · kws 1.3.2 → 1.4.0 or 1.5.0" in words(floor.type(PAM, "release show R1"))
    with reading(floor.ctx.databases.control) as session:
        slot = read_slots(session)["demo"][0]
    found = [offer(f"device-{n}", _device(), slot) for n in range(2000)]
    sizes = {
        name: sum((each.arm, each.artifact and each.artifact.version) == name for each in found)
        for name in [("baseline", "1.3.2"), ("candidate", "1.4.0"), ("candidate", "1.5.0")]
    }
    assert all(60 <= size <= 140 for size in sizes.values())  # 5 % of 2000 each


def test_the_report_tells_effect_interval_and_n_for_everybody_and_by_cohort(floor: Floor) -> None:
    begin(floor)
    report_hours(floor, candidate=6, rival=0, hours=3)

    answer = floor.type(PAM, "release compare R1")

    said = words(answer)
    (table,) = [block for block in answer.blocks if block["type"] == "data_table"]
    rows = [[cell["text"] for cell in row] for row in table["rows"][1:]]
    assert ["Crash rate", "everybody", "720 / 720", "+5 pt", "+3.5 pt to +6.8 pt", "1.5.0"] in _plain(rows)
    assert {row[1] for row in rows} == {"everybody", 'chipset="Helio G35"', 'chipset="Tensor G2"'}
    assert "1.4.0 breaks a guardrail" in said
    assert [block["type"] for block in answer.blocks].count("data_visualization") == 1


def test_few_installs_of_a_cohort_are_not_told(floor: Floor) -> None:
    begin(floor)
    report_hours(floor, installs=12, hours=3)

    assert "Helio" not in words(floor.type(PAM, "release compare R1"))


def test_the_second_stage_waits_until_both_candidates_were_judged(floor: Floor) -> None:
    begin(floor)
    floor.clock.advance(minutes=5)
    floor.phones_report(crashing=0)
    floor.clock.advance(hours=1)
    assert "too little data to judge crash_rate" in floor.tick().reason

    report_hours(floor)

    assert isinstance(floor.tick(), Advance)


def test_a_breach_of_the_second_candidate_rolls_the_comparison_back_under_its_name(floor: Floor) -> None:
    begin(floor)
    report_hours(floor, rival=30, hours=2)

    decision = floor.tick()

    assert decision.reason.startswith("1.5.0: Crash rate")
    assert floor.rollout().state is State.ROLLING_BACK
    with reading(floor.ctx.databases.control) as session:
        files = artifact_store.find_artifacts(session, app="demo", model="kws")
    assert {file.version for file in files if file.quarantined} == {"1.4.0", "1.5.0"}


def test_a_decision_is_recorded_with_its_evidence_and_ends_the_comparison(floor: Floor) -> None:
    begin(floor)
    report_hours(floor, candidate=1, hours=2)

    answer = decide(floor, "1.5.0")

    assert "decided by <@U0MIA> to release 1.5.0. fewer crashes" in answer.text
    assert "`release start kws@1.5.0`" in words(answer)
    assert floor.rollout().state is State.COMPLETED
    with reading(floor.ctx.databases.control) as session:
        (event,) = [each for each in store.history(session, floor.release().id) if each.what == "decided"]
        (line,) = [each for each in audit.entries(session) if each.what == "release.decided"]
        assert audit.verify(session) is None
        assert artifact_store.current_baselines(session, app="demo", model="kws")[0].version == "1.3.2"
    assert (event.facts["chosen"], event.who, event.reason) == ("1.5.0", MIA, "fewer crashes")
    assert any("1.5.0: Crash rate" in sentence for sentence in event.facts["evidence"])
    assert event.facts["figures"][0]["n_candidate"] == 480
    assert line.facts["figures"] == event.facts["figures"]


def test_the_same_decision_twice_is_one(floor: Floor) -> None:
    begin(floor)
    report_hours(floor)

    decide(floor, "neither")
    again = decide(floor, "neither")

    assert "decided already" in again.text
    assert floor.history().count("decided") == 1


@pytest.mark.parametrize(
    ("line", "mistake"),
    [
        ("release decide R1 9.9.9 reason=x", "must be 1.4.0, 1.5.0 or neither, not 9.9.9"),
        ("release decide R1 1.5.0", "must say why"),
        ("release decide R1 reason=x", "say which one, or neither"),
        ("release decide R1 1.4.0 reason=x", "1.4.0 breaks a guardrail"),
    ],
)
def test_a_decision_that_cannot_be_made_says_why(floor: Floor, line: str, mistake: str) -> None:
    begin(floor)
    report_hours(floor, candidate=30, hours=2)

    assert mistake in words(floor.type(MIA, line))
    assert "decided" not in floor.history()


@pytest.mark.parametrize("line", ["decide R1", "decide R1 1.4.0 reason=x", "compare R1"])
def test_a_release_with_one_candidate_is_not_said_to_have_moved_on(floor: Floor, line: str) -> None:
    begin(floor, START.replace("versus=1.5.0 to=5,33", "to=5,100"))

    told = words(floor.type(MIA, f"release {line}"))

    assert "R1 has one candidate, which replaces the baseline when it is complete" in told
    assert "`release start kws@1.4.0 versus=…` compares two" in told
    assert "Somebody was faster" not in told


def test_only_an_approver_decides_and_a_dry_run_keeps_nothing(floor: Floor) -> None:
    begin(floor)
    report_hours(floor)

    assert "it takes the role approver. <@U0MIA> or <@U0TOM> can." in words(decide(floor, "1.5.0", by=PAM))
    assert "it would be decided to release 1.5.0" in words(
        floor.type(MIA, "release decide R1 1.5.0 reason=x --dry-run")
    )
    assert floor.history() == ["proposed", "approved", "started"]


def test_three_arms_of_more_than_a_third_are_refused(floor: Floor) -> None:
    said = words(floor.type(DANA, "release start kws@1.4.0 versus=1.5.0 to=5,50"))

    assert "must stay at or below 33.3" in said


def test_the_decision_stands_in_confluence(floor: Floor, world: World) -> None:
    floor.ctx = replace(floor.ctx, confluence=a_wiki_client(a_wiki_wire(world.confluence)))
    begin(floor)
    report_hours(floor, candidate=1, hours=2)

    decide(floor, "1.5.0")
    floor.jobs.run(floor.ctx, {"put_page": wiki.put_page, **dict.fromkeys(("show_card", "announce"), _nothing)})

    with reading(floor.ctx.databases.control) as session:
        page = wiki_pages.load(session, f"decision/{floor.release().id}")
    assert (page.title, page.is_put, page.problem) == ("Decision R1: kws 1.4.0 or 1.5.0", True, None)
    assert "1.5.0 is to be released." in page.body
    assert "fewer crashes" in page.body


def _nothing(_ctx: object, **_ids: str) -> None:
    pass


def _device() -> Any:
    from core.device import DeviceContext

    return DeviceContext(platform="android")


def _plain(rows: list[list[str]]) -> list[list[str]]:
    return [[cell.replace("\xa0", " ") for cell in row] for row in rows]
