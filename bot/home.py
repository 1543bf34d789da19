"""App Home: what waits for me, my models, the last digest, what channels hear, and what I may do."""

from __future__ import annotations

import msgspec
from sqlalchemy.orm import Session

from bot import digests, overview, permissions, speech, subscriptions
from bot.context import Context
from bot.overview import Overview
from bot.pages_web import digest_url
from bot.permissions import Role
from bot.request import Person
from bot.views import home as views
from bot.views.home import LastDigest, Waiting
from core.db import reading
from feedback.digest import Digest
from releases.states import State

# What a release waits for, and who may decide it.
WAITS: dict[State, tuple[str, tuple[Role, ...]]] = {
    State.AWAITING_APPROVAL: ("waits for approval", ("approver",)),
    State.PAUSED: ("is paused", ("operator",)),
    State.HALTED: ("is halted: it goes on after an approval, or back", ("approver", "operator")),
}


def show(ctx: Context, person: Person) -> None:
    """Publish the person's home. Raises: UpstreamError: Slack could not be reached."""
    facts = overview.look(ctx, person.id)
    with reading(ctx.databases.control) as session:
        waiting = _waiting(ctx, session, facts)
        last = digests.latest(session, app=ctx.settings.app)
        heard = subscriptions.listed(session, ctx.settings.app)
    digest = None
    if last is not None:
        content = msgspec.convert(last.content, Digest)
        digest = LastDigest(headline=content.headline, url=digest_url(last, ctx.settings))
    view = views.home(facts, waiting, digest, heard, command=ctx.settings.slack_command, now=ctx.clock())
    speech.publish(ctx.slack, person.id, view)


def _waiting(ctx: Context, session: Session, facts: Overview) -> tuple[Waiting, ...]:
    """Return the releases that this person may decide about; nobody approves what they proposed."""
    found = []
    for release, rollout in facts.releases:
        if rollout.state not in WAITS:
            continue
        why, roles = WAITS[rollout.state]
        is_own = rollout.state is State.AWAITING_APPROVAL and release.proposed_by == facts.person
        if not is_own and permissions.may(session, ctx.settings.slack_admins, facts.person, roles, release.model):
            found.append(Waiting(release=release, why=why))
    return tuple(found)
