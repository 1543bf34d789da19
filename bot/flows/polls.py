"""What commands do with polls: make, start and stop them, and say why a phone sees one or not."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Literal

import sqlalchemy as sa
from sqlalchemy.orm import Session

from bot import permissions
from bot.context import Context
from core import audit
from core.db import reading
from core.device import DeviceContext
from core.errors import ConflictError, NotFoundError
from core.privacy import InstallHash, pseudonymize
from feedback import polls, store
from feedback.choosing import Chosen, chosen
from feedback.polls import Poll
from feedback.responses import CONTEXT_FIELDS
from feedback.store import ImpressionCount, StoredPoll
from feedback.tables import CONTEXTS, INSTALLS
from feedback.targeting import Gate, explain

WEEK = timedelta(days=7)


@dataclass(frozen=True, slots=True, kw_only=True)
class Listed:
    """A poll with how many submissions answered it so far."""

    poll: StoredPoll
    responses: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """A poll in full; the impressions are those of the last seven days."""

    poll: StoredPoll
    responses: int
    shown: int
    answered: int
    chosen: tuple[Chosen, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Explained:
    """`device` is what the install last told; None when it never told anything."""

    poll: StoredPoll
    device: DeviceContext | None
    gates: tuple[Gate, ...]


def listed(ctx: Context, *, model: str | None) -> tuple[Listed, ...]:
    with reading(ctx.databases.control) as session:
        found = store.list_polls(session, ctx.settings.app, model=model)
    with store.fresh(ctx.databases.ingest) as session:
        counts = store.response_counts(session, app=ctx.settings.app)
    return tuple(Listed(poll=poll, responses=counts.get(poll.poll.id, 0)) for poll in found)


def found(ctx: Context, ref: str) -> StoredPoll:
    """Raises: NotFoundError."""
    with reading(ctx.databases.control) as session:
        return store.find_poll(session, ref, app=ctx.settings.app)


def shown(ctx: Context, ref: str) -> Shown:
    """Raises: NotFoundError."""
    app, now = ctx.settings.app, ctx.clock()
    with reading(ctx.databases.control) as session:
        poll = store.find_poll(session, ref, app=app)
    with store.fresh(ctx.databases.ingest) as session:
        counts = store.response_counts(session, app=app)
        heard = store.heard(session, app=app, model=poll.model, since=now - WEEK, until=now, poll=poll.poll.id)
    seen: tuple[ImpressionCount, ...] = store.impressions(heard, attribute="platform", since=now - WEEK, until=now)
    told = [each for each in seen if each.shown] or seen  # of the others nobody knows how many were asked
    return Shown(
        poll=poll,
        responses=counts.get(poll.poll.id, 0),
        shown=sum(each.shown for each in told),
        answered=sum(each.answered for each in told),
        chosen=chosen(ctx.databases, poll, app=app, minimum=ctx.settings.minimum_cohort, now=now),
    )


def require_to_create(ctx: Context, by: str, model: str | None) -> None:
    """Raises: NotAllowedError: they may not, for this model or (None) for any."""
    with reading(ctx.databases.control) as session:
        act = f"create a poll about {model}" if model else "create a poll"
        permissions.require(session, ctx.settings.slack_admins, by, ["operator"], model=model, act=act)


def create(ctx: Context, poll: Poll, *, by: str, is_dry_run: bool) -> StoredPoll | None:
    """Write the draft; the same one twice is one. None for a dry run.

    Raises: NotAllowedError; ConflictError: another poll has this name."""
    now, app, model = ctx.clock(), ctx.settings.app, poll.model or ""
    with ctx.databases.control.begin() as session:
        _require(ctx, session, by, model, f"create a poll about {model}")
        before = _known(session, poll.id, app)
        if before is not None and polls.revise(before.poll, poll) != before.poll:
            raise ConflictError(f"{before.ref} is called {before.poll.name} already; choose another name.")
        if before is not None or is_dry_run:
            return before if not is_dry_run else None
        saved = store.save_poll(session, poll, app=app, model=model, by=by, now=now)
        facts = {"name": poll.name, "model": model}
        audit.record(session, who=by, what="poll.created", subject=saved.ref, now=now, facts=facts)
    return saved


def set_status(
    ctx: Context, ref: str, status: Literal["running", "stopped"], *, by: str, is_dry_run: bool
) -> StoredPoll:
    """Start or stop a poll; a dry run returns it as it would be.

    Raises: NotFoundError; NotAllowedError; ConflictError: it is in that state already."""
    now, app = ctx.clock(), ctx.settings.app
    verb = "start" if status == "running" else "stop"
    with ctx.databases.control.begin() as session:
        poll = store.find_poll(session, ref, app=app)
        _require(ctx, session, by, poll.model, f"{verb} {poll.ref}")
        changed = store.set_poll_status(session, poll.ref, status, now=now, app=app)
        if is_dry_run:
            session.rollback()
            return changed
        what = "poll.started" if status == "running" else "poll.stopped"
        audit.record(session, who=by, what=what, subject=poll.ref, now=now, facts={"name": poll.poll.name})
    return changed


def explained(ctx: Context, ref: str, install: str) -> Explained:
    """Say gate by gate why the install sees the poll or not. Raises: NotFoundError."""
    app = ctx.settings.app
    pseudonym = pseudonymize(install, ctx.settings.hash_key)
    with reading(ctx.databases.control) as session:
        poll = store.find_poll(session, ref, app=app)
    with ctx.databases.ingest.begin() as session:
        store.gather_install(session, install, app=app, keys=ctx.settings.hash_key)
        device = _last_device(session, app, pseudonym)
        history = store.install_history(
            session, app=app, install=pseudonym, device=device or DeviceContext(), poll=poll.poll
        )
    gates = explain(poll.poll, install, device or DeviceContext(), history, ctx.clock())
    return Explained(poll=poll, device=device, gates=gates)


def _require(ctx: Context, session: Session, by: str, model: str, act: str) -> None:
    permissions.require(session, ctx.settings.slack_admins, by, ["operator"], model=model, act=act)


def _known(session: Session, poll_id: str, app: str) -> StoredPoll | None:
    try:
        return store.find_poll(session, poll_id, app=app)
    except NotFoundError:
        return None


def _last_device(session: Session, app: str, install: InstallHash) -> DeviceContext | None:
    facts = [CONTEXTS.c[field] for field in CONTEXT_FIELDS]
    source = INSTALLS.join(CONTEXTS, CONTEXTS.c.id == INSTALLS.c.context)
    found = session.execute(
        sa.select(*facts).select_from(source).where(INSTALLS.c.app == app, INSTALLS.c.install == install)
    ).first()
    return None if found is None else DeviceContext(**dict(zip(CONTEXT_FIELDS, found, strict=True)))
