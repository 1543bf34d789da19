"""What to do next about a ticket: the whole of "one ticket per fingerprint" as a table.

Jira has no idempotent create. So an attempt is written down before it is made, and after an attempt
whose outcome nobody knows, the answer is looked up until absence is certain; only then is it tried again.
Pure.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from bot.ticket_rules import Ticket, band_told, comment_mark, heal_mark, is_heal_mark, is_muted

# A request that we stopped waiting for may still be at work in Jira; its gateway gives up after a minute.
SETTLE = timedelta(seconds=60)
COMMENT_EVERY = timedelta(days=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class JiraFacts:
    """What a look-up saw. `certain`: had the issue existed, this look-up would have seen it.

    `newest` is the highest key number that is known of; later issues have higher ones. `commented`: the attempt in
    flight has arrived. `is_refused`: it was closed as something that nobody will do.
    """

    key: str | None = None
    certain: bool = False
    newest: int = 0
    commented: bool = False
    is_done: bool = False
    is_refused: bool = False


@dataclass(frozen=True, slots=True)
class LookUp:
    """Ask Jira what is there."""


@dataclass(frozen=True, slots=True)
class Create:
    """Write the attempt down, then post the issue, whose number will be above `after`."""

    after: int


@dataclass(frozen=True, slots=True)
class Adopt:
    """Take over the issue that an earlier attempt made; it tells of `band`."""

    key: str
    band: int


@dataclass(frozen=True, slots=True)
class PutLink:
    """Put the link back to Muster; putting it twice changes nothing."""

    key: str


@dataclass(frozen=True, slots=True)
class Comment:
    """Tell the issue about the new band, marked so that it can be found again."""

    key: str
    mark: str


@dataclass(frozen=True, slots=True)
class Note:
    """An earlier attempt did comment: write down what it told, `mark`."""

    mark: str


@dataclass(frozen=True, slots=True)
class Relate:
    """Link the issue to the one before it; linking twice changes nothing."""

    key: str
    to: str


@dataclass(frozen=True, slots=True)
class Close:
    """Move the issue to done: what it is about has healed."""

    key: str


@dataclass(frozen=True, slots=True)
class Reopen:
    """Move the issue back: it is bad again."""

    key: str


@dataclass(frozen=True, slots=True)
class Renew:
    """Start over with a new issue, which relates to the one before if that is still there."""

    relates_to: str | None


@dataclass(frozen=True, slots=True)
class NoteState:
    """Write down what was done to the issue in Jira meanwhile: it is open, done, or refused for good."""

    state: Literal["open", "done", "refused"]


@dataclass(frozen=True, slots=True)
class Wait:
    """Nobody can know yet; look again soon."""

    reason: str


@dataclass(frozen=True, slots=True)
class Later:
    """There is something to say, but not before `at`."""

    at: datetime


@dataclass(frozen=True, slots=True)
class Nothing:
    reason: str


Step = (
    LookUp | Create | Adopt | PutLink | Relate | Comment | Note | Close | Reopen | Renew | NoteState | Wait | Later
    | Nothing
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """`heals_after`: how long it must be well before the issue hears of it; then it `closes`, or people do.

    A closed issue is opened again within `reopens_within`; later there is a new one.
    """

    heals_after: timedelta = timedelta(days=2)
    closes: bool = False
    reopens_within: timedelta = timedelta(days=14)


def next_step(
    ticket: Ticket, jira: JiraFacts | None, now: datetime, *, wall: datetime, policy: Policy | None = None
) -> Step:
    """Decide the next single act; `jira` is None until something was looked up.

    `now` is the world's time (days between comments), `wall` real time (requests in flight).
    """
    policy = policy or Policy()
    if is_muted(ticket, now):
        return Nothing("muted")
    if ticket.key is None:
        return _towards_an_issue(ticket, jira, wall)
    if ticket.state == "done":
        return _once_closed(ticket, ticket.key, jira, now, policy) if ticket.again else Nothing("closed")
    if not ticket.linked:
        return PutLink(ticket.key)
    if ticket.relates_to is not None and not ticket.related:
        return Relate(ticket.key, ticket.relates_to)
    if ticket.attempted_at is not None and (step := _in_flight(ticket, jira, wall)) is not None:
        return step
    if ticket.healed_at is not None:
        return _towards_health(ticket, ticket.key, ticket.healed_at, jira, now, policy)
    if ticket.band == ticket.said_band:
        return Nothing("the issue says so already")
    return _towards_a_comment(ticket, ticket.key, now)


def _towards_an_issue(ticket: Ticket, jira: JiraFacts | None, wall: datetime) -> Step:
    if jira is None:
        return LookUp()
    if jira.key is not None:
        return Adopt(jira.key, band_told(ticket.attempt, ticket.band))
    if ticket.attempted_at is None:
        return Create(jira.newest)
    if not jira.certain:
        return Wait("Jira has more new issues than one look can see")
    if wall < ticket.attempted_at + SETTLE:
        return Wait("an earlier request may still be at work")
    # Should that request still come through after all, it is looked for from where it began.
    return Create(jira.newest if ticket.attempt_after is None else ticket.attempt_after)


def _in_flight(ticket: Ticket, jira: JiraFacts | None, wall: datetime) -> Step | None:
    """Return what to do about a comment that may be in flight; None when it certainly did not arrive."""
    if jira is None:
        return LookUp()
    if jira.commented:
        return Note(ticket.attempt or "")
    if ticket.attempted_at is not None and wall < ticket.attempted_at + SETTLE:
        return Wait("an earlier comment may still be at work")
    return None


def _towards_a_comment(ticket: Ticket, key: str, now: datetime) -> Step:
    if ticket.attempt is not None and not is_heal_mark(ticket.attempt):
        return Comment(key, ticket.attempt)
    if ticket.said_at is not None and now < ticket.said_at + COMMENT_EVERY:
        return Later(ticket.said_at + COMMENT_EVERY)
    return Comment(key, comment_mark(ticket))


def _towards_health(
    ticket: Ticket, key: str, healed_at: datetime, jira: JiraFacts | None, now: datetime, policy: Policy
) -> Step:
    if now < healed_at + policy.heals_after:
        return Later(healed_at + policy.heals_after)
    if not ticket.told_healed:
        return Comment(key, heal_mark(healed_at))
    if not policy.closes:
        return Nothing("it has healed; closing is for people")
    if jira is None:
        return LookUp()
    return NoteState("done") if jira.is_done else Close(key)


def _once_closed(ticket: Ticket, key: str, jira: JiraFacts | None, now: datetime, policy: Policy) -> Step:
    """Decide about an issue that was closed and is bad again."""
    if jira is None:
        return LookUp()
    if jira.key is None:
        return Renew(None)
    if jira.is_refused:
        return NoteState("refused")
    if not jira.is_done:
        return NoteState("open")
    is_young = ticket.resolved_at is not None and now <= ticket.resolved_at + policy.reopens_within
    return Reopen(key) if is_young else Renew(key)
