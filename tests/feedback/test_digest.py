"""The week in one page."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from feedback.digest import (
    Counted,
    Digest,
    Health,
    Kpi,
    ModelWeek,
    ReleaseWeek,
    TicketWeek,
    compose_digest,
)
from feedback.scores import share
from tests.feedback.test_reports import T0, T1, a_group, a_report

GOOD = a_report(
    a_group("G2", 90, 10), a_group("A16", 88, 12), answers_before=[a_group("G2", 89, 11), a_group("A16", 89, 11)]
)
NOON = datetime(2026, 11, 18, 12, tzinfo=UTC)


def a_digest(*models: ModelWeek, **facts: Any) -> Digest:
    return compose_digest("2026-W47", app="demo", starts=T0, ends=T1, models=models, **facts)


def a_release(**facts: Any) -> ReleaseWeek:
    usual: dict[str, Any] = {"release": "R12", "model": "kws", "state": "progressing", "sentence": "went to 25 %"}
    return ReleaseWeek(**(usual | {"at": NOON} | facts))


def a_ticket(opened: datetime, closed: datetime | None = None) -> TicketWeek:
    return TicketWeek(model="kws", title="crash_rate", key="EDGE-1", opened=opened, closed=closed)


def verdict(digest: Digest) -> tuple[str, str]:
    return digest.models[0].verdict, digest.models[0].reason


def test_an_empty_week_says_so_in_one_line() -> None:
    digest = a_digest(ModelWeek(model="kws"))

    assert digest == Digest(
        app="demo",
        week="2026-W47",
        starts=T0,
        ends=T1,
        is_empty=True,
        headline="2026-W47: no answers, no inferences, no release moved, no ticket.",
    )


def test_a_quiet_week_is_healthy_and_says_why() -> None:
    digest = a_digest(ModelWeek(model="kws", report=GOOD))

    assert verdict(digest) == ("Healthy", "CSAT 89 % (84–93), n=200, nothing got worse.")
    assert digest.headline == "2026-W47: 1 × Healthy."
    assert digest.numbers[0].score == share(178, 200)


def test_a_release_that_was_stopped_asks_to_act() -> None:
    stopped = a_release(state="rolled_back", sentence="was rolled back: crash_rate", stopped=True)

    digest = a_digest(ModelWeek(model="kws", report=GOOD), releases=[stopped])

    assert verdict(digest) == ("Act", "R12 was rolled back: crash_rate.")
    assert digest.moved == (stopped,)


@pytest.mark.parametrize(
    ("facts", "reason"),
    [
        ({"releases": [a_release(wants=("approve",), moved=False)]}, "R12 waits for a decision."),
        ({"tickets": [a_ticket(NOON)]}, "1 ticket open."),
        ({"tickets": [a_ticket(NOON), a_ticket(T0 - timedelta(days=30))]}, "2 tickets open."),
    ],
)
def test_what_is_unsettled_is_watched(facts: dict[str, Any], reason: str) -> None:
    assert verdict(a_digest(ModelWeek(model="kws", report=GOOD), **facts)) == ("Watch", reason)


def test_what_happens_to_one_model_is_no_verdict_on_another() -> None:
    facts = {"releases": [a_release(stopped=True)], "tickets": [a_ticket(NOON)]}

    digest = a_digest(ModelWeek(model="scan", report=GOOD), ModelWeek(model="kws", report=GOOD), **facts)

    assert [(line.model, line.verdict) for line in digest.models] == [("kws", "Act"), ("scan", "Healthy")]


def test_a_score_that_clearly_fell_is_watched() -> None:
    fell = a_report(a_group("G2", 120, 80), answers_before=[a_group("G2", 170, 30)])

    assert verdict(a_digest(ModelWeek(model="kws", report=fell))) == ("Watch", "CSAT fell to 60 % (53–67), n=200.")


def test_a_rate_that_clearly_rose_is_watched_and_one_that_fell_is_not() -> None:
    rose = Counted(name="crashes", hits=200, n=10_000, hits_before=100, n_before=10_000)
    fell = replace(rose, hits=50)

    assert verdict(a_digest(ModelWeek(model="kws", counted=(rose,)))) == (
        "Watch",
        "crashes rose to 2.00 % (1.74–2.29), n=10000.",
    )
    assert verdict(a_digest(ModelWeek(model="kws", counted=(fell,))))[0] == "Healthy"


def test_a_low_cohort_is_watched() -> None:
    usual = [a_group(f"chip {number}", 85, 15) for number in range(6)]

    digest = a_digest(ModelWeek(model="kws", report=a_report(*usual, a_group("Helio G35", 61, 39))))

    assert verdict(digest) == ("Watch", "Helio G35 is low: 61 % (51–70).")


def test_a_number_of_few_people_is_marked_and_decides_nothing() -> None:
    few = a_report(a_group("G2", 10, 20), answers_before=[a_group("G2", 30, 0)])

    digest = a_digest(ModelWeek(model="kws", report=few))

    assert digest.numbers[0].is_small
    assert verdict(digest) == ("Watch", "Too few people to tell.")


def test_the_worst_and_the_best_three_cohorts_are_shown_and_none_in_both() -> None:
    groups = [a_group(f"chip {number}", 50 + 5 * number, 50 - 5 * number) for number in range(5)]

    digest = a_digest(ModelWeek(model="kws", report=a_report(*groups)))

    assert [line.cohort for line in digest.worst] == ["chip 0", "chip 1", "chip 2"]
    assert [line.cohort for line in digest.best] == ["chip 4", "chip 3"]
    assert digest.worst[0].attribute == "chipset"


def test_a_cohort_above_the_average_is_not_among_the_worst_and_none_below_it_among_the_best() -> None:
    few_bad = [a_group("bad", 20, 80), a_group("good", 76, 24), a_group("better", 90, 10)]
    few_good = [a_group("bad", 20, 80), a_group("worse", 10, 90), a_group("good", 90, 10)]

    first, second = (a_digest(ModelWeek(model="kws", report=a_report(*groups))) for groups in (few_bad, few_good))

    assert [line.cohort for line in first.worst] == ["bad"]
    assert [line.cohort for line in first.best] == ["better", "good"]
    assert [line.cohort for line in second.worst] == ["worse", "bad"]
    assert [line.cohort for line in second.best] == ["good"]


def test_tickets_tell_their_state_and_age_at_the_end_of_the_week() -> None:
    old, new = a_ticket(T0 - timedelta(days=9)), a_ticket(NOON)
    closed = a_ticket(T0 - timedelta(days=2), closed=NOON)
    elsewhen = [a_ticket(T0 - timedelta(days=9), closed=T0 - timedelta(days=1)), a_ticket(T1)]

    digest = a_digest(ModelWeek(model="kws"), tickets=[new, old, closed, *elsewhen])

    assert [(line.state, line.age_days) for line in digest.tickets] == [
        ("still open", 16),
        ("closed", 4),
        ("opened", 4),
    ]


def test_quotes_health_decisions_and_figures_are_passed_on() -> None:
    kpi = Kpi(model="kws", name="p95", value="44 ms", goal="< 50 ms", is_met=True)
    model = ModelWeek(model="kws", report=GOOD, quotes=("a", "b", "c", "d"), kpis=(kpi,))
    waiting = a_release(wants=("approve",), moved=False)
    health = Health(impressions=400, responses=200, response_rate=share(200, 400), suppressed_cohorts=3)

    digest = a_digest(model, releases=[waiting], health=health)

    assert digest.quotes == ("a", "b", "c")
    assert (digest.kpis, digest.health, digest.wanted, digest.moved) == ((kpi,), health, (waiting,), ())


def test_releases_that_moved_stand_in_order_of_time() -> None:
    later, earlier = a_release(release="R2", at=NOON), a_release(release="R1", at=T0)

    assert a_digest(releases=[later, earlier]).moved == (earlier, later)


def a_week_with(week: str, days_ago: int, *models: ModelWeek) -> Digest:
    shift = timedelta(days=days_ago)
    return compose_digest(week, app="demo", starts=T0 - shift, ends=T1 - shift, models=models)


def test_the_trend_is_what_the_digests_of_the_weeks_before_said_and_no_more() -> None:
    before = a_report(a_group("G2", 70, 30))
    digests = [
        a_week_with("2026-W46", 7, ModelWeek(model="kws", report=before)),
        a_week_with("2026-W44", 21, ModelWeek(model="kws", report=GOOD), ModelWeek(model="other", report=before)),
        a_week_with("2026-W45", 14, ModelWeek(model="other", report=before)),
        a_week_with("2026-W39", 56, ModelWeek(model="kws", report=before)),
        a_week_with("2026-W47", 0, ModelWeek(model="kws", report=before)),
    ]

    (number,) = a_digest(ModelWeek(model="kws", report=GOOD), earlier=digests).numbers

    assert [(past.week, past.weeks_ago, past.score) for past in number.trend] == [
        ("2026-W44", 3, share(178, 200)),
        ("2026-W46", 1, share(70, 100)),
    ]


def test_a_number_that_is_new_has_no_trend() -> None:
    assert a_digest(ModelWeek(model="kws", report=GOOD)).numbers[0].trend == ()
