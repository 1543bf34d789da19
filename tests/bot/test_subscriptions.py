"""Channels hear what they subscribed to, once, from then on; goals and schedules are set from Slack."""

from __future__ import annotations

from dataclasses import replace

import msgspec
import pytest

from bot import digests, goals, posts, subscriptions
from bot.answer import Person, handle
from bot.context import Context
from bot.flows import delivery, kpis, subscribers
from bot.flows import digest as digest_flow
from bot.subscriptions import may_meet
from bot.views.blocks import Message
from core.db import reading
from core.errors import InvalidInputError
from feedback.digest import only
from feedback.store import Activity, Battery, Corrected
from sandbox.slack.state import Message as Shown
from sandbox.world import World
from tests.bot.digests_made import a_full_week
from tests.bot.releases_made import Floor, words
from tests.bot.slack_rules import accepted
from tests.bot.workspace import DANA, FEEDBACK, MIA, PAM, TOM
from tests.builders import ManualClock
from tests.conftest import JobList

WEEK = "2026-W47"


@pytest.fixture
def floor(ctx: Context, world: World, jobs: JobList, clock: ManualClock) -> Floor:
    return Floor(ctx=ctx, world=world, jobs=jobs, clock=clock)


def type_in(floor: Floor, line: str, *, channel: str = FEEDBACK, person: str = PAM) -> Message:
    message = handle(floor.ctx, Person(person, person), line, channel=channel)
    accepted(message)
    return message


def heard(floor: Floor) -> list[Shown]:
    """Let the tick's look and its jobs run, twice, and return what the channel was told."""
    for _ in range(2):
        subscribers.spread(floor.ctx)
        floor.jobs.waiting = [job for job in floor.jobs.waiting if job.job == "tell_channel"]
        floor.jobs.run(floor.ctx, {"tell_channel": subscribers.tell_channel})
    messages = floor.world.slack.workspace.messages()
    return [each for each in messages if each.channel == FEEDBACK and each.is_from_app]


def test_a_channel_hears_what_happens_to_a_release_from_then_on_once(floor: Floor) -> None:
    floor.type(DANA, 'release start kws@1.4.0 to=5,100 bake=1h guard="crash_rate<+0.2pt"')
    assert "subscribed this channel to releases of kws" in type_in(floor, "subscribe kws releases").text
    floor.type(MIA, "release approve R1")
    floor.tick()

    said = [each.text for each in heard(floor)]

    assert len(said) == 2
    assert f"*R1* kws 1.3.2 → 1.4.0 was approved by <@{MIA}>" in said[0]
    assert "was started" in said[1]


def test_in_threads_the_first_news_holds_the_others(floor: Floor) -> None:
    type_in(floor, "subscribe all releases thread")
    floor.started()

    first, *others = heard(floor)

    assert first.thread_ts is None
    assert len(others) == 2
    assert {each.thread_ts for each in others} == {first.ts}


def test_other_models_other_topics_and_other_devices_are_left_out(floor: Floor) -> None:
    type_in(floor, "subscribe kws regressions digests")
    floor.started()
    assert heard(floor) == []

    with floor.ctx.databases.control.begin() as session:
        subscriptions.drop(session, "demo", FEEDBACK, "kws", ("regressions", "digests"))
    type_in(floor, 'subscribe kws releases where="platform=ios"')
    floor.type(DANA, "release pause R1")
    assert len(heard(floor)) == 1  # a release for everybody is one for iOS as well


def test_a_slack_that_is_down_hears_of_it_later(floor: Floor) -> None:
    type_in(floor, "subscribe kws releases")
    floor.type(DANA, 'release start kws@1.4.0 to=5,100 bake=1h guard="crash_rate<+0.2pt"')
    floor.world.faults.set(slack_down=True)
    assert heard(floor) == []
    floor.world.faults.set(slack_down=False)

    assert len(heard(floor)) == 1


def test_the_own_channel_hears_it_in_the_cards_thread_and_not_twice(floor: Floor) -> None:
    assert floor.ctx.settings.slack_channel is not None
    type_in(floor, "subscribe kws releases", channel=floor.ctx.settings.slack_channel)
    floor.started()

    subscribers.spread(floor.ctx)

    assert "tell_channel" not in floor.jobs.names()


def test_subscriptions_are_listed_changed_and_ended(floor: Floor) -> None:
    assert "No channel has subscribed" in type_in(floor, "subscribe").text
    type_in(floor, "subscribe kws")
    type_in(floor, "subscribe kws releases thread where=\"chipset='Helio G35'\"")

    listed = words(type_in(floor, "subscribe list"))
    assert "3 subscriptions" in listed
    assert "releases of kws, in threads, where" in listed
    assert "Dry run" in type_in(floor, "unsubscribe kws releases --dry-run").text
    assert "hears no more releases of kws" in type_in(floor, "unsubscribe kws releases").text
    assert "had not subscribed" in type_in(floor, "unsubscribe kws releases").text


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("subscribe nothing", "There is no model nothing; there are kws"),
        ("subscribe kws rumors", "is none of releases, regressions, digests, thread, broadcast"),
        ("subscribe kws thread broadcast", "choose thread or broadcast"),
        ("subscribe kws where=nonsense", "nonsense"),
    ],
)
def test_a_mistake_is_named(floor: Floor, line: str, told: str) -> None:
    assert told in words(type_in(floor, line))


def test_a_direct_message_is_no_channel(floor: Floor) -> None:
    assert "in the channel that should hear it" in words(type_in(floor, "subscribe kws", channel="D0PAM"))


@pytest.mark.parametrize(
    ("cohort", "where", "meet"),
    [
        ("", "platform=ios", True),
        ("platform=android", "platform=ios", False),
        ("platform=android and chipset=A", "platform=android", True),
        ("chipset in (A, B)", "chipset in (B, C)", True),
        ("chipset in (A, B)", "chipset=C", False),
        ("platform=Android", "platform=android", True),
        ("ram_gb<4", "ram_gb>8", True),  # numbers are not looked at: better told once too often
        ("not platform=ios", "platform=ios", True),
    ],
)
def test_only_what_certainly_is_about_other_devices_is_left_out(cohort: str, where: str, meet: bool) -> None:
    assert may_meet(cohort, where) is meet


def test_a_channel_that_wants_one_models_digest_reads_that_alone(floor: Floor) -> None:
    type_in(floor, "subscribe kws digests")
    digest = replace(a_full_week(), app="demo")
    with floor.ctx.databases.control.begin() as session:
        kept = digests.keep(session, app="demo", week=WEEK, content=msgspec.to_builtins(digest), now=floor.clock())
    digest_flow.post_digest(floor.ctx, WEEK)
    floor.jobs.run(floor.ctx, {"deliver_digest": delivery.deliver_digest})

    mine = [words(each) for each in floor.world.slack.workspace.messages() if each.channel == FEEDBACK]
    assert len(mine) == 1
    assert "R12" in mine[0]
    assert "R13" not in mine[0]
    assert "Stopped hearing" not in mine[0]
    with reading(floor.ctx.databases.control) as session:
        assert posts.find(session, kept.id, "C0RELEASES") is not None


def test_only_leaves_the_others_out_everywhere() -> None:
    told = only(a_full_week(), {"wake"})

    assert told.headline == "2026-W47: 1 × Watch."
    assert ([each.model for each in told.models], told.wanted, told.moved, told.worst) == (["wake"], (), (), ())
    assert [each.model for each in told.tickets] == ["wake"]


def test_the_schedule_is_changed_from_slack_and_moves_the_next_digest(floor: Floor) -> None:
    assert "takes the role operator" in words(floor.type(PAM, "digest schedule tue 10:00 Europe/Berlin"))
    assert "Dry run" in floor.type(DANA, "digest schedule tue 10:00 Europe/Berlin --dry-run").text
    assert "every mon 09:00 UTC" in floor.type(PAM, "digest schedule").text

    said = floor.type(DANA, "digest schedule tue 10:00 Europe/Berlin").text

    assert "every tue 10:00 Europe/Berlin" in said
    assert "the next one Tue 17 Nov 09:00 UTC" in said
    assert digest_flow.schedule(floor.ctx).weekday == 1


@pytest.mark.parametrize(
    "line", ["mon", "mon 25:00 UTC", "someday 09:00 UTC", "mon 09:00 Mars/Olympus", "mon 9:00 UTC"]
)
def test_a_schedule_that_is_none_is_refused_in_words(floor: Floor, line: str) -> None:
    said = words(floor.type(TOM, f"digest schedule {line}"))

    assert "must read like" in said or "knows no time zone" in said


def test_goals_are_set_shown_and_taken_away(floor: Floor) -> None:
    assert "none yet" in floor.type(PAM, "digest goal kws").text
    floor.type(DANA, "digest goal kws csat>85% size<4MB")
    floor.type(DANA, "digest goal kws csat>=90%")
    assert "csat &gt; 90\u00a0%, size &lt; 4\u00a0MB" in floor.type(PAM, "digest goal kws").text
    assert "none yet" in floor.type(DANA, "digest goal kws none").text
    assert "takes the role operator" in words(floor.type(PAM, "digest goal kws none"))


@pytest.mark.parametrize("word", ["csat", "csat>85kg", "speed>3", "csat=85%", "csat>-5%", "csat>85%%"])
def test_what_is_no_goal_is_refused(word: str) -> None:
    with pytest.raises(InvalidInputError, match="must read like csat>85%"):
        goals.parse([word])


@pytest.mark.parametrize(
    ("word", "limit", "met", "missed"),
    [("csat>85%", 0.85, 0.85, 0.84), ("size<4MB", 4e6, 4e6, 4.1e6), ("latency_p95<0.12s", 120.0, 119.0, 121.0)],
)
def test_a_goal_is_held_against_its_figure(word: str, limit: float, met: float, missed: float) -> None:
    (goal,) = goals.parse([word])

    assert goal.limit == pytest.approx(limit)
    assert goal.is_met(met)
    assert not goal.is_met(missed)


def test_a_figure_of_too_few_people_is_not_measured(floor: Floor) -> None:
    wanted = {goal.measure: goal for goal in goals.parse(["crashes<1%", "latency_p95<50ms", "csat>80%"])}
    few = Activity(model="kws", impressions=5, responses=5, respondents=5, reporting=5, inferences=50, crashes=0,
                   timeouts=0)  # fmt: skip

    def rows(activity: Activity) -> list[tuple[str, str, bool | None]]:
        seen = kpis.Seen(report=None, activity=activity, latency_bucket=20)
        return [
            (each.name, each.value, each.is_met)
            for each in kpis.told("kws", kpis.Goals(wanted=wanted), seen, minimum=20)
        ]

    assert all(value == "not measured" for name, value, _ in rows(few) if name != "Inferences reported")
    many = {name: (value, met) for name, value, met in rows(replace(few, reporting=200, crashed=4))}
    assert many["Installs with a crash"] == ("2\u00a0%", False)
    assert many["Latency, p95 of the usual hour"] == ("38.1\u00a0ms", True)
    assert many["Battery per hour of use"] == ("not measured", None)


def test_accuracy_and_battery_are_measured_or_said_to_be_not() -> None:
    wanted = {goal.measure: goal for goal in goals.parse(["accuracy>95%", "battery<2%"])}
    ran = Activity(model="kws", impressions=0, responses=0, respondents=0, reporting=90, inferences=50, crashes=0,
                   timeouts=0)  # fmt: skip

    def rows(battery: Battery | None, corrected: Corrected | None) -> list[tuple[str, str | None, bool | None]]:
        seen = kpis.Seen(report=None, activity=ran, latency_bucket=None, battery=battery, corrected=corrected)
        return [
            (each.value, each.goal, each.is_met)
            for each in kpis.told("kws", kpis.Goals(wanted=wanted), seen, minimum=20)
            if each.name.startswith(("Accuracy proxy", "Battery"))
        ]

    enough = Battery(share=0.015, installs=60), Corrected(answered=200, corrected=14, people=120)
    few = Battery(share=0.015, installs=19), Corrected(answered=200, corrected=14, people=19)
    unmeasured = [("not measured", "> 95\xa0%", None), ("not measured", "< 2\xa0%", None)]
    assert rows(*enough) == [("93\xa0%", "> 95\xa0%", False), ("1.5\xa0%", "< 2\xa0%", True)]
    assert rows(*few) == unmeasured
    assert rows(None, None) == unmeasured
