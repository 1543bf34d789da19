"""One cohort of a release: stopped alone by the tick or by people, kept, called a false alarm, resumed."""

from __future__ import annotations

import pytest

from bot import tickets
from bot.context import Context
from bot.flows.digest import week_named
from bot.flows.week import gather
from core import segments
from core.db import reading
from core.device import DeviceContext
from releases import store
from releases.catalog import read_slots
from releases.offers import offer
from releases.rollout import Advance, Halt, Hold, RollBack, State
from sandbox.world import World
from tests.bot.releases_made import START, Floor, button_values, words
from tests.bot.workspace import DANA, MIA, PAM, TOM
from tests.builders import ManualClock
from tests.conftest import JobList

G35 = 'chipset="Helio G35"'
WHERE = f"where='{G35}'"
HALTING = START.replace("<+0.2pt", "<+0.2pt:halt")


@pytest.fixture
def floor(ctx: Context, world: World, jobs: JobList, clock: ManualClock) -> Floor:
    return Floor(ctx=ctx, world=world, jobs=jobs, clock=clock)


def breached(floor: Floor, plan: str = START) -> None:
    """The release has started, and the candidate crashes on the Helio G35 alone."""
    floor.type(DANA, plan)
    floor.type(MIA, "release approve R1")
    floor.tick()
    floor.clock.advance(minutes=20)
    floor.phones_report(crashing=0, installs=300)
    floor.phones_report(crashing=0.4, on="Helio G35")


def stopped(floor: Floor) -> dict[str, bool]:
    """Each stopped cohort, and whether its installs return."""
    return {segments.text(stop.segment): stop.returns for stop in floor.rollout().stopped}


def offered(floor: Floor, chipset: str) -> set[str]:
    """The versions that a hundred new phones with this chipset are told to run."""
    with reading(floor.ctx.databases.control) as session:
        (slot,) = read_slots(session)["demo"]
    device = DeviceContext(platform="android", chipset=chipset)
    found = {offer(f"phone-{number}", device, slot).artifact for number in range(100)}
    return {artifact.version for artifact in found if artifact is not None}


def test_a_breach_of_one_chipset_rolls_back_that_cohort_and_the_rest_goes_on(floor: Floor) -> None:
    breached(floor)

    decision = floor.tick()

    assert isinstance(decision, RollBack)
    assert stopped(floor) == {G35: True}
    assert floor.rollout().state is State.PROGRESSING
    assert floor.history()[-1] == "cohort_rolled_back"
    assert offered(floor, "Helio G35") == {"1.3.2"}
    assert offered(floor, "Snapdragon 680") == {"1.3.2", "1.4.0"}


def test_the_week_tells_of_the_cohort_that_was_stopped_alone_and_of_what_people_did_about_it(floor: Floor) -> None:
    breached(floor)
    floor.tick()
    floor.type(MIA, f"release halt R1 {WHERE} reason=sure")

    (moved,) = gather(floor.ctx, week_named(floor.ctx, "2026-W47")).moved

    assert f"; was rolled back for {G35} alone: Crash rate " in moved.sentence
    assert "_" not in moved.sentence


def test_the_others_are_judged_without_it_and_widen(floor: Floor) -> None:
    breached(floor)
    floor.tick()
    floor.clock.advance(hours=1)
    floor.phones_report(crashing=0, installs=300)

    assert isinstance(floor.tick(), Advance)
    assert (floor.rollout().state, floor.rollout().stage) == (State.PROGRESSING, 1)


def test_the_news_tells_the_evidence_and_one_ticket_is_about_that_cohort(floor: Floor) -> None:
    breached(floor)
    floor.tick()
    floor.tick()
    floor.run()

    told = words(floor.news()[-1])

    assert "rolled back for chipset=" in told
    assert "Everybody else goes on" in told
    assert floor.news()[-1].broadcast
    assert list(button_values(floor.news()[-1])) == ["Roll back everywhere", "False alarm – mute 24 h"]
    with reading(floor.ctx.databases.control) as session:
        (ticket,) = tickets.of_release(session, floor.release().id)
    assert ticket.regression.cohort == G35
    assert ticket.regression.evidence[0].candidate == pytest.approx(0.4, abs=0.01)
    assert "Everybody else is sound." in ticket.regression.sentence


def test_a_cohort_of_a_halted_release_is_stopped_without_saying_that_others_go_on(floor: Floor) -> None:
    breached(floor)
    floor.type(MIA, "release halt R1")

    said = words(floor.type(MIA, f"release halt R1 {WHERE}"))
    floor.run()
    news = words(floor.news()[-1])

    for told in (said, news):
        assert "The release itself is halted." in told
        assert "Everybody else goes on" not in told
    assert "halted for chipset=" in news
    assert "everybody else goes on" not in words(floor.type(MIA, "release show R1"))


def test_harm_everywhere_stops_the_whole_release(floor: Floor) -> None:
    breached(floor)
    floor.phones_report(crashing=0.3, on="Tensor G2", installs=300)
    floor.phones_report(crashing=0.3, on="Exynos 850", installs=300)

    decision = floor.tick()

    assert isinstance(decision, RollBack)
    assert decision.cohort is None
    assert floor.rollout().state is State.ROLLING_BACK


def test_a_guardrail_that_halts_halts_the_cohort_and_a_person_may_keep_it_so(floor: Floor) -> None:
    breached(floor, HALTING)

    assert isinstance(floor.tick(), Halt)
    floor.run()
    clicks = button_values(floor.news()[-1])

    assert list(clicks) == ["Roll back everywhere", "Keep halted", "False alarm – mute 24 h"]
    assert "stays halted" in floor.type(MIA, clicks["Keep halted"]).text
    assert "is kept halted for chipset=" in floor.type(TOM, clicks["Keep halted"]).text
    assert "You may not keep R1 halted" in words(floor.type(PAM, clicks["Keep halted"]))
    assert floor.history().count("kept") == 1
    with reading(floor.ctx.databases.control) as session:
        assert all("state" in event.facts for event in store.history(session, floor.release().id))
    assert stopped(floor) == {G35: False}


def test_a_false_alarm_lets_the_cohort_go_on_for_a_day_and_no_longer(floor: Floor) -> None:
    breached(floor, HALTING)
    floor.tick()
    floor.run()

    floor.type(MIA, button_values(floor.news()[-1])["False alarm – mute 24 h"])
    floor.type(DANA, f"release resume R1 {WHERE}")

    assert stopped(floor) == {}
    assert isinstance(floor.tick(), Hold)
    floor.clock.advance(hours=25)
    assert isinstance(floor.tick(), Halt)
    assert stopped(floor) == {G35: False}


def test_what_was_never_halted_cannot_be_resumed(floor: Floor) -> None:
    floor.started()

    assert "is not halted" in floor.type(DANA, f"release resume R1 {WHERE}").text


def test_people_stop_a_cohort_and_let_it_go_on(floor: Floor) -> None:
    floor.started()

    assert f"is halted for *{G35}* alone" in floor.type(MIA, f"release halt R1 {WHERE}").text
    assert "is halted already" in floor.type(DANA, f"release halt R1 {WHERE}").text
    assert offered(floor, "Helio G35") == {"1.3.2"}
    assert "goes on for" in floor.type(DANA, f"release resume R1 {WHERE}").text
    assert offered(floor, "Helio G35") == {"1.3.2", "1.4.0"}
    assert "is being rolled back for" in floor.type(MIA, f"release rollback R1 {WHERE}").text
    assert "never offered this candidate again" in words(floor.type(DANA, f"release resume R1 {WHERE}"))
    assert floor.history()[-3:] == ["cohort_halted", "cohort_resumed", "cohort_rolled_back"]


def test_a_dry_run_of_a_cohorts_stop_changes_nothing(floor: Floor) -> None:
    floor.started()

    said = floor.type(MIA, f"release halt R1 {WHERE} --dry-run").text

    assert "Dry run" in said
    assert "no further install of it gets 1.4.0" in said
    assert stopped(floor) == {}


@pytest.mark.parametrize(
    ("line", "answer"),
    [
        pytest.param("release halt R1 where='chipset=\"Helio X99\"'", "matches none of last week's", id="nobody"),
        pytest.param("release halt R1 where=chipst=G35", "chipset", id="a mistyped attribute"),
        pytest.param("release halt R1 where=everyone", "Everyone is no cohort", id="everyone"),
        pytest.param(f"release resume R1 {WHERE}", "You may not resume", id="no operator"),
        pytest.param(f"release kill R1 {WHERE}", "where=: is no option here", id="kill is for all"),
    ],
)
def test_a_cohort_that_cannot_be_meant_is_refused_with_the_reason(floor: Floor, line: str, answer: str) -> None:
    breached(floor)

    assert answer in words(floor.type(MIA, line))
    assert stopped(floor) == {}


def test_a_cohort_the_release_is_not_for_is_refused(floor: Floor) -> None:
    floor.type(DANA, f"{START} where=\"chipset='Snapdragon 680'\"")
    floor.type(MIA, "release approve R1")
    floor.tick()
    floor.clock.advance(minutes=20)
    floor.phones_report(crashing=0, on="Helio G35")

    assert "gets nothing of R1" in words(floor.type(MIA, f"release halt R1 {WHERE}"))


def test_fewer_people_than_may_be_shown_are_never_named_alone(floor: Floor) -> None:
    floor.started()
    floor.clock.advance(minutes=20)
    floor.phones_report(crashing=0, installs=300)
    for _ in range(6):
        floor.clock.advance(hours=1)
        floor.phones_report(crashing=1, on="Rare One", installs=8)

    floor.tick()

    assert stopped(floor) == {}
