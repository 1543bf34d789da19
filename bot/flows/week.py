"""What a week was like, gathered from answers, telemetry, releases and tickets into a Digest."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

import msgspec
from sqlalchemy.orm import Session

from bot import digests, tickets
from bot.context import Context
from bot.flows import drift, kpis, noised, themes
from bot.ticket_rules import Ticket
from bot.views import figures
from bot.views import ticket as ticket_views
from bot.weeks import Week
from core.db import reading
from core.segments import EVERYONE
from feedback import store
from feedback.digest import (
    TREND_WEEKS,
    Counted,
    Digest,
    Health,
    Kpi,
    ModelWeek,
    ReleaseWeek,
    TicketWeek,
    compose_digest,
)
from feedback.polls import asks_for_corrections
from feedback.reporting import Asked, report_until
from feedback.reports import CohortReport
from feedback.scores import share
from feedback.store import Activity, Corrected, StoredPoll
from releases import artifact_store
from releases import store as release_store
from releases.plan import Release
from releases.rollout import PausedFor, Rollout, State
from releases.store import Event
from releases.wording import share as percent

BY = "chipset"
QUOTES = 3
TICKETS = 200
STOPS = frozenset({"halted", "rolled_back", "killed"})
COHORT_NEWS = {"cohort_halted": "was halted", "cohort_rolled_back": "was rolled back", "cohort_resumed": "went on"}
BEFORE_START = frozenset({"proposed", "approved"})
WANTS: dict[State, tuple[str, ...]] = {
    State.AWAITING_APPROVAL: ("approve", "reject"),
    State.PAUSED: ("resume", "rollback"),
    State.HALTED: ("approve", "rollback"),
}
NOTHING = Activity(
    model="", impressions=0, responses=0, respondents=0, reporting=0, inferences=0, crashes=0, timeouts=0
)


def gather(ctx: Context, week: Week, *, charges: bool = False) -> Digest:
    """Compose the digest of the week from what is stored now; store nothing.

    Where counts are noised, `charges` lets them be told at a cost (bot.flows.noised), which is kept.
    """
    app = ctx.settings.app
    with reading(ctx.databases.control) as session:
        known = store.list_polls(session, app)
        releases = _releases(session, app, week)
        told = tuple(_ticket(ctx, ticket) for ticket in tickets.recent(session, app=app, limit=TICKETS))
        names = {poll.model for poll in known} | {model for _, model in artifact_store.models(session, app=app)}
        goals = {name: kpis.of_model(session, app, name) for name in names}
        kept = digests.before(session, app=app, week=week.name, limit=TREND_WEEKS)
    with store.fresh(ctx.databases.ingest) as session:
        last = _week_before(week)
        now, before = _activity(session, app, week), _activity(session, app, last)
        said = {
            name: themes.week_lines(ctx, name, starts=week.starts, ends=week.ends)
            for name in sorted(names | now.keys())
        }
        noise = noised.tell(ctx, session, week, last, said, charges=charges)
        if noise is not None:
            now, before = noised.activity(noise.told, said), noised.activity(noise.before, said)
        models = []
        for name, lines in said.items():
            report = _report(ctx, name, _poll_of(name, known), week)
            counted = _counted(ctx, now.get(name, NOTHING), before.get(name, NOTHING))
            seen = _seen(session, app, name, known, week, report=report, activity=now.get(name, NOTHING))
            told_kpis = kpis.told(name, goals.get(name, kpis.NO_GOALS), seen, minimum=ctx.settings.minimum_cohort)
            models.append(
                ModelWeek(
                    model=name,
                    report=report,
                    counted=counted if noise is None else noised.counted(noise, name, counted),
                    quotes=_quotes(ctx, session, name, report, week),
                    kpis=(*told_kpis, *_ages(ctx, name)),
                    themes=lines if noise is None else noised.theme_lines(noise, name, lines),
                )
            )
        hidden = sum(model.report.hidden for model in models if model.report)
        exact = _health(session, app, week, tuple(now.values()), hidden)
        health = exact if noise is None else noised.health(noise, tuple(said), suppressed_cohorts=hidden)
    return compose_digest(
        week.name, app=app, starts=week.starts, ends=week.ends, models=models, releases=releases, tickets=told,
        health=health, earlier=[msgspec.convert(each.content, Digest) for each in kept],
    )  # fmt: skip


def _week_before(week: Week) -> Week:
    year, number, _ = (week.starts - timedelta(days=3)).isocalendar()  # far from where zones begin the week
    return Week(name=f"{year}-W{number:02d}", starts=week.starts - (week.ends - week.starts), ends=week.starts)


def _activity(session: Session, app: str, week: Week) -> dict[str, Activity]:
    return {each.model: each for each in store.activity(session, app=app, since=week.starts, until=week.ends)}


def _seen(
    session: Session, app: str, model: str, known: Sequence[StoredPoll], week: Week, *, report: CohortReport | None,
    activity: Activity,
) -> kpis.Seen:  # fmt: skip
    return kpis.Seen(
        report=report,
        activity=activity,
        latency_bucket=store.usual_latency_p95(session, app=app, model=model, since=week.starts, until=week.ends),
        battery=store.battery_per_hour(session, app=app, model=model, since=week.starts, until=week.ends),
        corrected=_corrected(session, app, model, known, week),
    )


def _poll_of(model: str, known: Sequence[StoredPoll]) -> StoredPoll | None:
    """Return the model's running poll, or else its newest; `known` has the newest first."""
    mine = [poll for poll in known if poll.model == model]
    return next((poll for poll in mine if poll.poll.status == "running"), mine[0] if mine else None)


def _report(ctx: Context, model: str, poll: StoredPoll | None, week: Week) -> CohortReport | None:
    if poll is None:
        return None
    app, minimum, now = ctx.settings.app, ctx.settings.minimum_cohort, ctx.clock()
    asked = Asked(model=model, attribute=BY, since=week.ends - week.starts, where=EVERYONE)
    return report_until(
        ctx.databases, poll, asked, app=app, minimum=minimum, since=week.starts, until=week.ends, now=now
    )  # fmt: skip


def _corrected(session: Session, app: str, model: str, known: Sequence[StoredPoll], week: Week) -> Corrected | None:
    """Return how often people corrected the model; None when no poll of it asks them to."""
    asking = [each.poll.id for each in known if each.model == model and asks_for_corrections(each.poll)]
    if not asking:
        return None
    return store.corrected(session, app=app, polls=asking, since=week.starts, until=week.ends)


def _counted(ctx: Context, now: Activity, before: Activity) -> tuple[Counted, ...]:
    """Return shares of installs, so that one that crashes all day counts once; nothing of too few people."""
    least = ctx.settings.minimum_cohort
    if now.reporting < least:
        return ()
    n_before = before.reporting if before.reporting >= least else 0
    return tuple(
        Counted(name=name, hits=hits, n=now.reporting, hits_before=hits_before, n_before=n_before)
        for name, hits, hits_before in (
            ("installs with a crash", now.crashed, before.crashed),
            ("installs with a time-out", now.timed_out, before.timed_out),
        )
    )


def _ages(ctx: Context, model: str) -> tuple[Kpi, ...]:
    """Return how old the model and its training data are, against their goals."""
    age = drift.age(ctx, model)
    if age is None:
        return ()
    ages = (
        (f"Age of {age.version}", age.stale.model_days, age.goal.age_days),
        ("Age of its training data", age.stale.data_days, age.goal.data_days),
    )
    return tuple(
        Kpi(
            model=model, name=name, value=f"{days} days", goal=None if goal is None else f"at most {goal} days",
            is_met=None if goal is None else days <= goal,
        )
        for name, days, goal in ages
        if days is not None
    )  # fmt: skip


def _quotes(ctx: Context, session: Session, model: str, report: CohortReport | None, week: Week) -> tuple[str, ...]:
    if report is None or report.overall is None:
        return ()
    found = store.quotes(
        session, app=ctx.settings.app, model=model, since=week.starts, until=week.ends, key=ctx.settings.sealing,
        limit=4 * QUOTES,
    )  # fmt: skip
    return tuple(dict.fromkeys(quote.text for quote in found))[:QUOTES]


def _health(session: Session, app: str, week: Week, ran: Sequence[Activity], hidden: int) -> Health:
    shown, answered = sum(each.impressions for each in ran), sum(each.responses for each in ran)
    heard = len(store.installs_seen(session, app=app, since=week.starts, first_before=week.ends))
    known = len(store.installs_seen(session, app=app, since=_week_before(week).starts, first_before=week.ends))
    return Health(
        impressions=shown,
        responses=answered,
        response_rate=share(min(answered, shown), shown) if shown else None,
        reporting=heard,
        silent=known - heard,
        suppressed_cohorts=hidden,
    )


def _releases(session: Session, app: str, week: Week) -> tuple[ReleaseWeek, ...]:
    recent = release_store.recent_releases(session, app=app, since=week.starts)
    found = {release.id: (release, rollout) for release, rollout in recent}
    found |= {release.id: (release, rollout) for release, rollout in release_store.open_releases(session, app=app)}
    told = (
        _release(release, rollout, release_store.history(session, release.id), week)
        for release, rollout in found.values()
    )
    return tuple(each for each in told if each is not None)


def _release(release: Release, rollout: Rollout, history: Sequence[Event], week: Week) -> ReleaseWeek | None:
    events = [event for event in history if week.starts <= event.at < week.ends]
    wants = WANTS.get(rollout.state, ())
    if rollout.state is State.PAUSED and rollout.paused_for is PausedFor.APPROVAL:
        wants = ("approve", "rollback")
    if not events and not wants:
        return None
    return ReleaseWeek(
        release=release.name,
        model=release.model,
        state=str(rollout.state),
        sentence=f"{release.baseline_version} → {release.candidate_version} {_story(release, events, rollout)}",
        at=events[-1].at if events else rollout.since,
        moved=bool(events),
        stopped=any(event.what in STOPS for event in events),
        wants=wants,
    )


def _story(release: Release, events: Sequence[Event], rollout: Rollout) -> str:
    """Return what happened in the order in which it did: "was proposed, went to 5 % and 25 %, was rolled back: …"."""
    parts: list[str] = []
    begun = any(event.what == "started" for event in events)
    for event in events:
        if begun and event.what in BEFORE_START:
            continue
        if event.what in ("started", "advanced"):
            to = percent(release.plan.stages[int(event.facts["stage"])].percent)
            if parts and parts[-1].startswith("went to"):
                parts[-1] += f", {to}"
            else:
                parts.append(f"went to {to}")
        elif event.what in COHORT_NEWS:
            parts.append(_of_cohort(event))
        elif event.what in STOPS:
            parts.append(f"was {event.what.replace('_', ' ')}: {(event.reason or '').rstrip('.')}")
        elif event.what == "returned":
            parts.append("every install has been told to return")
        else:
            parts.append(f"was {event.what}")
    if not parts:
        parts = [f"is {str(rollout.state).replace('_', ' ')} since {figures.moment(rollout.since)}"]
    return "; ".join(parts).rstrip(".") + "."


def _of_cohort(event: Event) -> str:
    cohort = event.facts["cohort"]
    why = f": {event.reason.removeprefix(f'Only {cohort}: ').rstrip('.')}" if event.reason else ""
    return f"{COHORT_NEWS[event.what]} for {cohort} alone{why}"


def _ticket(ctx: Context, ticket: Ticket) -> TicketWeek:
    url = ctx.jira.browse_url(ticket.key) if ctx.jira and ticket.key else None
    return TicketWeek(
        model=ticket.regression.model,
        title=ticket_views.summary(ticket.regression),
        opened=ticket.wanted_at,
        closed=ticket.said_at if ticket.state == "done" else None,
        key=ticket.key,
        url=url,
    )
