"""A digest whose counts of people are noised: charged once, the same when asked again, refused when spent."""

from __future__ import annotations

import json
import threading
from dataclasses import replace
from datetime import timedelta

import pytest

from bot import doctor, ledger
from bot.context import Context
from bot.flows import digest as flow
from bot.flows import noised
from bot.flows.week import gather
from bot.views import digest as views
from bot.views import digest_mail, digest_wiki, digest_words, pages
from core.db import reading
from feedback.digest import Digest, NoiseNote
from feedback.ingest import Collector
from feedback.noised import SPENT, Budget, Charge, Query, Refused
from sandbox.world import World
from tests.bot.digests_made import a_full_week
from tests.bot.noise_made import KnownNoise
from tests.bot.releases_made import Floor, words
from tests.bot.slack_rules import accepted
from tests.bot.workspace import DANA, PAM
from tests.builders import T0, ManualClock
from tests.conftest import JobList
from tests.feedback.sending import a_batch, a_context, a_running_poll, a_summary, an_answer

WEEK = "2026-W47"
MONDAY_AFTER = T0 + timedelta(days=7)
ENOUGH = 5.0


@pytest.fixture
def noise() -> KnownNoise:
    return KnownNoise()


@pytest.fixture
def floor(ctx: Context, world: World, jobs: JobList, clock: ManualClock, noise: KnownNoise) -> Floor:
    """The week has a budget of ten queries; 30 people answer, one of them twice, 12 are asked only, 2 of 25 crash."""
    settings = replace(ctx.settings, dp_epsilon_per_week=ENOUGH)
    floor = Floor(ctx=replace(ctx, settings=settings, noise=noise), world=world, jobs=jobs, clock=clock)
    with floor.ctx.databases.control.begin() as session:
        a_running_poll(session)
    clock.advance(days=1)
    for number in range(30):
        send(floor, f"answers-{number}", an_answer(f"a-{number}", at=clock()))
    send(floor, "answers-0", an_answer("again", at=clock()))
    for number in range(12):
        send(floor, f"asked-{number}", an_answer(f"s-{number}", at=clock(), event="poll shown", answers=[]))
    for number in range(25):
        errors = {"crash": 3} if number < 2 else {}
        send(floor, f"runs-{number}", inferences=(a_summary(f"i-{number}", at=clock(), errors=errors),))
    clock.now = MONDAY_AFTER
    return floor


def send(
    floor: Floor, install: str, *events: dict[str, object], inferences: tuple[dict[str, object], ...] = ()
) -> None:
    context = a_context(install=install, model={"name": "kws", "version": "1.3.2"})
    body = a_batch(*events, inferences=inferences, sent_at=floor.clock().isoformat(), context=context)
    reply = Collector(floor.ctx.databases, floor.ctx.settings).accept_batch(
        json.dumps(body).encode(), app="demo", now=floor.clock()
    )
    assert reply.accepted == len(events) + len(inferences), reply


def composed(floor: Floor) -> Digest:
    return flow.content(flow.compose_once(floor.ctx, flow.week_named(floor.ctx, WEEK)))


def told(floor: Floor) -> dict[str, Charge]:
    with reading(floor.ctx.databases.control) as session:
        return {each.key: each for each in ledger.charges(session, app="demo", week=WEEK)}


def complaints(floor: Floor) -> list[str]:
    """What `muster doctor` finds wrong."""
    return [check.sentence for check in doctor.noise(floor.ctx) if not check.passed]


def with_budget(floor: Floor, epsilon: float) -> None:
    floor.ctx = replace(floor.ctx, settings=replace(floor.ctx.settings, dp_epsilon_per_week=epsilon))


def complain(floor: Floor) -> None:
    """24 people write one of two things."""
    floor.clock.now = T0 + timedelta(days=2)
    for number in range(24):
        words_ = f"it is far too slow {number}" if number % 2 else f"always the wrong word {number}"
        answers = [{"question": "q_csat", "value": 1}, {"question": "q_txt", "value": words_}]
        send(floor, f"writer-{number}", an_answer(f"t-{number}", at=floor.clock(), answers=answers))
    floor.clock.now = MONDAY_AFTER


def test_counts_of_people_are_told_with_their_noise(floor: Floor) -> None:
    digest = composed(floor)

    health = digest.health
    assert (health.responses, health.impressions) == (30 + 7, 30 + 7 + 12 + 7)
    assert (health.reporting, health.silent) == (67 + 7, 0 + 7)
    crashed = next(number for number in digest.numbers if number.name == "installs with a crash (noised)")
    assert round(crashed.score.value * crashed.score.n) == 2 + 7 + 7
    assert crashed.score.n == 25 + 4 * 7


def test_somebody_who_answers_twice_counts_once(floor: Floor) -> None:
    composed(floor)

    assert told(floor)["answers of kws"].cells["answered"] == 30 + 7


def test_themes_are_told_with_noise_for_as_many_as_one_person_may_be_in(floor: Floor, noise: KnownNoise) -> None:
    complain(floor)

    digest = composed(floor)

    charge = told(floor)["themes of kws"]
    assert (len(charge.cells), 0.5) in noise.asked
    assert charge.scale == len(charge.cells) / 0.5
    assert digest.themes
    assert {theme.name: theme.people for theme in digest.themes} == charge.cells
    assert all(theme.change is None for theme in digest.themes)
    assert "about " in digest_words.theme_line(digest.themes[0])


def test_each_query_is_charged_once_with_its_bound(floor: Floor, noise: KnownNoise) -> None:
    composed(floor)

    assert {key: each.epsilon for key, each in told(floor).items()} == {
        "installs": 0.5, "answers of kws": 0.5, "telemetry of kws": 0.5,
    }  # fmt: skip
    assert noise.asked == [(1, 0.5)] * 3


def test_the_same_week_again_gives_the_same_answers_for_nothing(floor: Floor, noise: KnownNoise) -> None:
    first = gather(floor.ctx, flow.week_named(floor.ctx, WEEK), charges=True)
    noise.shift = -3

    again = gather(floor.ctx, flow.week_named(floor.ctx, WEEK), charges=True)

    assert again == first
    assert len(noise.asked) == 3


def test_what_the_budget_has_no_more_for_is_withheld_and_said_so(floor: Floor) -> None:
    with_budget(floor, 1.0)

    digest = composed(floor)

    assert set(told(floor)) == {"installs", "answers of kws"}
    assert not any("installs with" in number.name for number in digest.numbers)
    assert "Withheld: this week's privacy budget is spent (telemetry of kws)." in digest_words.health_lines(digest)
    assert "ε 1 of 1 spent, 0 left" in " ".join(digest_words.health_lines(digest))


def test_where_the_budget_is_small_it_is_not_always_the_first_that_are_told(floor: Floor) -> None:
    complain(floor)
    with_budget(floor, 1.0)

    composed(floor)

    assert set(told(floor)) == {"telemetry of kws", "themes of kws"}  # the turn of this week


def test_a_budget_below_one_query_tells_nothing_at_all(floor: Floor, noise: KnownNoise) -> None:
    with_budget(floor, 0.1)

    digest = composed(floor)

    assert noise.asked == []
    assert (digest.health.responses, digest.health.impressions, digest.health.reporting) == (None, None, None)
    assert not digest.is_empty


def test_without_opendp_every_count_is_withheld_rather_than_shown_bare(floor: Floor) -> None:
    floor.ctx = replace(floor.ctx, noise=None)

    digest = composed(floor)

    assert (digest.health.responses, digest.health.reporting) == (None, None)
    assert not any("installs with" in number.name for number in digest.numbers)
    assert "Withheld: OpenDP is not installed (extra dp)" in " ".join(digest_words.health_lines(digest))
    assert told(floor) == {}


def test_doctor_and_the_worker_say_that_opendp_is_missing(floor: Floor, caplog: pytest.LogCaptureFixture) -> None:
    floor.ctx = replace(floor.ctx, noise=None)

    noised.warn_if_missing(floor.ctx)

    wrong = complaints(floor)
    assert any("OpenDP is not installed" in sentence and "requirements/dp.txt" in sentence for sentence in wrong)
    assert [record.message for record in caplog.records if record.levelname == "ERROR"] == ["noise.missing"]


def test_doctor_says_that_a_query_costs_more_than_the_week_has(floor: Floor) -> None:
    with_budget(floor, 0.1)

    wrong = complaints(floor)

    assert any("above MUSTER_DP_EPSILON_PER_WEEK" in sentence for sentence in wrong)


def test_a_preview_and_a_dry_run_spend_nothing_and_tell_nothing_new(floor: Floor, noise: KnownNoise) -> None:
    for said in (floor.type(PAM, f"digest preview week={WEEK}"), floor.type(DANA, f"digest now week={WEEK} --dry-run")):
        assert "Withheld: they are told when the digest of the week is composed" in words(said)

    assert noise.asked == []
    assert told(floor) == {}


def test_a_preview_of_a_week_that_was_composed_repeats_its_counts(floor: Floor) -> None:
    composed(floor)

    said = words(floor.type(PAM, f"digest preview week={WEEK}"))

    assert "About 37 of 56 installs that were asked answered" in said


def test_the_next_week_is_compared_with_what_was_told_of_this_one(floor: Floor) -> None:
    composed(floor)
    floor.clock.advance(days=1)
    for number in range(40):
        send(floor, f"later-{number}", inferences=(a_summary(f"l-{number}", at=floor.clock(), errors={"crash": 1}),))
    floor.clock.now = MONDAY_AFTER + timedelta(days=7)

    digest = gather(floor.ctx, flow.week_named(floor.ctx, "2026-W48"), charges=True)

    crashed = next(number for number in digest.numbers if number.name == "installs with a crash (noised)")
    assert crashed.change is not None
    assert crashed.change.value == pytest.approx((40 + 14) / (40 + 28) - 16 / 53)


def test_two_who_ask_at_once_cannot_spend_the_same_rest(floor: Floor, noise: KnownNoise) -> None:
    budget = Budget(per_week=0.5, per_query=0.5)
    found: list[Charge | Refused] = []

    def ask(key: str) -> None:
        query = Query(key=key, cells={"n": 1}, bound=1)
        with floor.ctx.databases.control.begin() as session:
            found.append(
                ledger.ask(session, query, app="demo", week=WEEK, budget=budget, source=noise, now=floor.clock())
            )

    both = [threading.Thread(target=ask, args=(key,)) for key in ("one", "other")]
    for each in both:
        each.start()
    for each in both:
        each.join()

    assert found.count(SPENT) == 1
    assert len(told(floor)) == 1


def test_an_answer_whose_transaction_fails_is_not_charged(floor: Floor, noise: KnownNoise) -> None:
    query = Query(key="installs", cells={"n": 1}, bound=1)
    budget = Budget(per_week=1.0, per_query=0.5)

    with floor.ctx.databases.control.begin() as session:
        ledger.ask(session, query, app="demo", week=WEEK, budget=budget, source=noise, now=floor.clock())
        session.rollback()

    assert told(floor) == {}


def test_the_command_shows_the_ledger_and_what_is_left(floor: Floor) -> None:
    assert "Nothing has been told" in words(floor.type(PAM, "digest budget"))
    composed(floor)

    said = words(floor.type(PAM, "digest budget"))

    assert "ε 1.5 of 5 spent, 3.5 left; a query costs 0.5" in said
    assert "telemetry of kws" in said


def test_where_nothing_is_noised_the_command_says_so(floor: Floor) -> None:
    floor.ctx = replace(floor.ctx, settings=replace(floor.ctx.settings, dp_epsilon_per_week=None))

    assert "MUSTER_DP_EPSILON_PER_WEEK is not set" in words(floor.type(PAM, "digest budget"))
    health = gather(floor.ctx, flow.week_named(floor.ctx, WEEK)).health
    assert (health.responses, health.noise) == (31, None)


def test_every_face_says_how_far_off_the_counts_may_be() -> None:
    week = a_full_week()
    note = NoiseNote(epsilon=0.5, spent=1.5, budget=4.0, scales=(2.0,), withheld=((SPENT.reason, ("themes of kws",)),))
    week = replace(week, health=replace(week.health, noise=note))
    slack = views.digest(week, url="http://muster.test/digests/1")
    mail = digest_mail.mail(week, url="http://muster.test/digests/1", stop_url="http://muster.test/stop")

    accepted(slack)
    for face in (
        words(slack),
        pages.digest_page(week, composed="now"),
        digest_wiki.body(week, url="http://muster.test", origin="x"),
        mail.plain,
        mail.html,
    ):
        assert "noise of scale 2 (19 of 20 off by" in face
        assert "themes of kws" in face


def test_the_doctor_says_when_queries_take_turns_and_what_would_tell_all(floor: Floor) -> None:
    small = replace(floor.ctx, settings=replace(floor.ctx.settings, dp_epsilon_per_week=1.0))

    (enough,), (turns,) = doctor.noise(floor.ctx), doctor.noise(small)

    assert "in turn" not in enough.sentence
    assert turns.passed
    assert "2 of the 4 queries that 1 models may need" in turns.sentence
    assert "MUSTER_DP_EPSILON_PER_WEEK=2 tells all" in turns.sentence
