"""What is going on: open releases, running polls, and what one person may do."""

from __future__ import annotations

from dataclasses import dataclass

from bot import store
from bot.context import Context
from bot.store import Grant
from core.db import reading
from feedback.store import StoredPoll, running_polls
from releases.plan import Release
from releases.states import Rollout
from releases.store import open_releases


@dataclass(frozen=True, slots=True, kw_only=True)
class Overview:
    """`polls` are those that phones may show now. `is_first_admin`: by setting, so no grant says it."""

    person: str
    is_first_admin: bool
    grants: tuple[Grant, ...]
    releases: tuple[tuple[Release, Rollout], ...]
    polls: tuple[StoredPoll, ...]


def look(ctx: Context, person: str, *, model: str | None = None) -> Overview:
    app = ctx.settings.app
    with reading(ctx.databases.control) as session:
        polls = running_polls(session, app, ctx.clock())
        return Overview(
            person=person,
            is_first_admin=person in ctx.settings.slack_admins,
            grants=store.grants(session, person=person),
            releases=open_releases(session, app=app, model=model),
            polls=tuple(poll for poll in polls if model in (None, poll.model)),
        )
