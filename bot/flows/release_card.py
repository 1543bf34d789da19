"""Jobs that show a release in Slack: the card, edited in place, and the news in its thread."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Literal

import msgspec
from sqlalchemy.orm import Session

from bot import cards, permissions, posts, speech, tickets
from bot.context import Context
from bot.flows import showing
from bot.flows.look import Look, look
from bot.ticket_rules import Ticket
from bot.views import figures
from bot.views import release as views
from bot.views import release_news as news_views
from core.clock import Clock, system_clock
from core.db import reading
from core.engine import enqueue
from core.errors import UpstreamError
from core.keys import name_of
from releases import registry, store
from releases.artifact_store import find_artifact
from releases.plan import Release
from releases.rollout import Hold, Rollout, State, approval_subject
from releases.store import Event, Pending

EVERY = timedelta(seconds=5)
IN_ORDER_FOR = timedelta(minutes=15)
BEFORE_START = frozenset({State.DRAFT, State.AWAITING_APPROVAL, State.SCHEDULED, State.CANCELLED, State.REJECTED})


def show_card(ctx: Context, release: str, *, wall: Clock = system_clock) -> None:
    """Post the card, or edit it if it shows something else now; at most every five seconds of real time. A job.

    Raises: UpstreamError: Slack cannot just now (passing), or refuses.
    """
    channel = ctx.settings.slack_channel
    if channel is None:
        return
    claimed = showing.claim(ctx, release, channel, wall=wall, every=EVERY, job="show_card", release=release)
    if claimed is not None:
        showing.show(ctx, claimed, views.card(card_facts(ctx, release, ctx.clock())))


def announce(ctx: Context, release: str, revision: str, *, wall: Clock = system_clock) -> None:
    """Tell one event of a release in its card's thread, once; halt, rollback and completion also the channel. A job.

    Raises: UpstreamError: Slack cannot just now, or the card or the news before is not there yet (passing).
    """
    channel = ctx.settings.slack_channel
    if channel is None:
        return
    subject = f"{release}/{revision}"
    with reading(ctx.databases.control) as session:
        if posts.find(session, subject, channel) is not None:
            return
        facts = store.load_release(session, release)
        history = store.history(session, release)
        event = _event(history, int(revision))
        is_early = event is not None and _is_early(session, history, event, channel, ctx.clock())
        asked = permissions.who_can(session, ctx.settings.slack_admins, ("approver",), facts.model)
        card = cards.find(session, release, channel)
        by = name_of(session, event.who) if event is not None else ""
    if event is None:
        return
    if is_early:
        raise UpstreamError("slack", f"the news of {facts.name} before this one is not told yet", permanent=False)
    if card is None or not card.ts:
        show_card(ctx, release, wall=wall)
        with reading(ctx.databases.control) as session:
            card = cards.find(session, release, channel)
        if card is None or not card.ts:
            raise UpstreamError("slack", f"the card of {facts.name} is not there yet", permanent=False)
    told = _news(facts, event, by, tuple(person for person in asked if person != facts.proposed_by))
    ts = speech.post(
        ctx.slack, channel, news_views.news(told), thread=card.ts, broadcast=told.kind in news_views.BROADCAST
    )
    with ctx.databases.control.begin() as session:
        posts.note(session, subject, channel, ts=ts, now=ctx.clock())


def refresh(ctx: Context, release: Release, now: datetime, seen: Look) -> None:
    """Ask for the card to be shown again if it would show something else."""
    channel = ctx.settings.slack_channel
    if channel is None:
        return
    shown = showing.hash_of(views.card(card_facts(ctx, release.id, now, seen=seen)))
    with reading(ctx.databases.control) as session:
        card = cards.find(session, release.id, channel)
    if card is None or card.shown != shown:
        with ctx.databases.control.begin() as session:
            enqueue(session, "show_card", key=f"{release.id}/{now.isoformat()}", release=release.id)


def card_facts(ctx: Context, release_id: str, now: datetime, *, seen: Look | None = None) -> views.Card:
    """Return what the card shows of a release at this moment; `seen` is what was measured just now, if it was."""
    with reading(ctx.databases.control) as session:
        release, rollout = store.load_release(session, release_id), store.load_rollout(session, release_id)
        history = store.history(session, release_id)
        approved = store.approvers(session, release_id, release.plan_hash)
        waiting = store.pending(session, release, rollout, now=now)
        lines = _ticket_lines(ctx, session, release_id)
        proposed_by = name_of(session, release.proposed_by)
        unread = _unread(session, release) if rollout.state in BEFORE_START else ()
    if rollout.state in BEFORE_START - {State.SCHEDULED}:
        seen = None
    elif seen is None:
        seen = look(ctx, release, rollout, now)
    outlook = _outlook(release, rollout, waiting, now)
    if seen is not None and outlook is None:
        decision = seen.decide(release, rollout, now)
        is_waiting = isinstance(decision, Hold) and rollout.state in (State.SCHEDULED, State.PROGRESSING)
        outlook = decision.reason if is_waiting else None
    return views.Card(
        release=release,
        rollout=rollout,
        findings=() if seen is None else seen.findings,
        cohorts=next((cohorts for event in reversed(history) if (cohorts := _cohorts(event))), ()),
        tickets=lines,
        approved_by=approved,
        outlook=outlook,
        approval=approval_mark(release, rollout),
        unread=unread,
        proposed_by=proposed_by,
    )


def _unread(session: Session, release: Release) -> tuple[str, ...]:
    files = [find_artifact(session, app=release.app, sha256=each) for each in (*release.candidates, *release.rivals)]
    return registry.unread(session, app=release.app, artifacts=files)


def approval_mark(release: Release, rollout: Rollout) -> str | None:
    """Return what a button remembers of what it was shown for: short, and different once anything changed."""
    subject = approval_subject(rollout, release.plan_hash)
    return None if subject is None else hashlib.sha256(subject.encode()).hexdigest()[:12]


def _outlook(release: Release, rollout: Rollout, waiting: Pending | None, now: datetime) -> str | None:
    """Return what is waited for when people or the calendar decide; as a moment, so that the card need not change."""
    plan = release.plan
    if waiting is not None:
        return _approvals(waiting, rollout, now)
    match rollout.state:
        case State.SCHEDULED if plan.starts_at and now < plan.starts_at:
            return f"Starts {figures.moment(plan.starts_at, now)}"
        case State.PROGRESSING if now < (baked_at := rollout.stage_since + plan.stages[rollout.stage].bake):
            return f"Bakes until {figures.moment(baked_at, now)}"
        case State.ROLLING_BACK:
            return f"Installs have until {figures.moment(rollout.since + plan.way_back, now)} to return"
        case _:
            return None


def _approvals(waiting: Pending, rollout: Rollout, now: datetime) -> str:
    what = {State.AWAITING_APPROVAL: "this plan", State.HALTED: "going on"}.get(rollout.state, "the next stage")
    if rollout.state is State.AWAITING_APPROVAL and waiting.until is not None and now >= waiting.until:
        return f"Nobody approved it before {figures.moment(waiting.until, now)}: cancel it and propose it again"
    until = f", until {figures.moment(waiting.until, now)}" if waiting.until is not None else ""
    if waiting.needed == 1:
        return f"A second person has to approve {what}{until}"
    return f"{waiting.needed} people have to approve {what}, {len(waiting.by)} have{until}"


def _ticket_lines(ctx: Context, session: Session, release_id: str) -> tuple[views.TicketLine, ...]:
    return tuple(
        views.TicketLine(
            fingerprint=ticket.fingerprint,
            state=_ticket_state(ticket),
            key=ticket.key,
            url=ctx.jira.browse_url(ticket.key) if ctx.jira and ticket.key else None,
        )
        for ticket in tickets.of_release(session, release_id)
    )


def _ticket_state(ticket: Ticket) -> Literal["open", "closed", "won't do", "muted"]:
    """Return what has become of the issue; muted is what we were asked to be, won't do what Jira says of it."""
    if ticket.state == "muted":
        return "won't do" if ticket.resolution and ticket.muted_until is None else "muted"
    return "closed" if ticket.state == "done" else "open"


def _news(release: Release, event: Event, by: str, asked: tuple[str, ...]) -> news_views.News:
    return news_views.News(
        release=release,
        kind=event.what,
        state=State(event.facts["state"]),
        stage=int(event.facts["stage"]),
        reason=event.reason,
        by=by,
        cohorts=_cohorts(event),
        fingerprints=tuple(event.facts.get("fingerprints", ())),
        asked=asked if event.what == "proposed" else (),
        cohort=event.facts.get("cohort"),
    )


def _event(history: tuple[Event, ...], revision: int) -> Event | None:
    return next((event for event in history if event.facts.get("revision") == revision), None)


def _is_early(session: Session, history: tuple[Event, ...], event: Event, channel: str, now: datetime) -> bool:
    """Return whether the news before this one is yet to be told; a breach and old news wait for none."""
    if event.what in news_views.BROADCAST or now - event.at > IN_ORDER_FOR:
        return False
    numbered = [each for each in history[: history.index(event)] if "revision" in each.facts]
    if not numbered:
        return False
    return posts.find(session, f"{event.release_id}/{numbered[-1].facts['revision']}", channel) is None


def _cohorts(event: Event) -> tuple[views.WorseCohort, ...]:
    kept: Mapping[str, Any] = event.facts
    return msgspec.convert(kept.get("cohorts", []), tuple[views.WorseCohort, ...])
