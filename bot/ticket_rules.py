"""What a ticket is and what to do next about it: the whole of "one ticket per fingerprint" as a table.

Jira has no idempotent create. So an attempt is written down before it is made, and after an attempt
whose outcome nobody knows, the answer is looked up until absence is certain; only then is it tried again.
Pure.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

State = Literal["pending", "creating", "open", "done", "muted"]

# A request that we stopped waiting for may still be at work in Jira; its gateway gives up after a minute.
SETTLE = timedelta(seconds=60)
COMMENT_EVERY = timedelta(days=1)
POINT_BANDS = (0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5)
RATIO_BANDS = (0.05, 0.1, 0.2, 0.5, 1.0, 2.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """One metric in one cohort under both arms. Shares lie in 0..1, latencies are ms.

    `effect`, `low` and `high` (its interval) are candidate − baseline, or that over baseline when `relative`.
    """

    cohort: str
    metric: str
    baseline: float
    candidate: float
    effect: float
    low: float
    high: float
    n_baseline: int
    n_candidate: int
    relative: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    title: str
    url: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RegressionFacts:
    """What is known of a regression when its ticket is wanted; kept as it was seen then.

    `evidence` has the worst row first. `stage` reads "2 of 3 (25 %)", `done` "Rolled back at … by Muster".
    `artifacts` are (version or variant, sha256) pairs. `verbatims` are scrubbed already.
    """

    fingerprint: str
    app: str
    model: str
    metric: str
    cohort: str
    first_bad_version: str
    sentence: str
    baseline_version: str | None = None
    release_id: str | None = None
    release: str | None = None
    stage: str | None = None
    done: str | None = None
    evidence: tuple[Evidence, ...] = ()
    artifacts: tuple[tuple[str, str], ...] = ()
    verbatims: tuple[str, ...] = ()
    links: tuple[Link, ...] = ()
    reported_by: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Ticket:
    """A ticket as stored.

    `attempt` names the request that may be in flight since `attempted_at` (real time); if it made an issue,
    the number of its key is above `attempt_after`.
    """

    regression: RegressionFacts
    state: State
    band: int
    revision: int
    wanted_at: datetime
    key: str | None = None
    linked: bool = False
    said_band: int | None = None
    said_at: datetime | None = None
    attempt: str | None = None
    attempted_at: datetime | None = None
    attempt_after: int | None = None
    muted_until: datetime | None = None
    problem: str | None = None
    channel: str | None = None
    thread: str | None = None
    announced: bool = False

    @property
    def fingerprint(self) -> str:
        return self.regression.fingerprint


@dataclass(frozen=True, slots=True, kw_only=True)
class JiraFacts:
    """What a look-up saw. `certain`: had the issue existed, this look-up would have seen it.

    `newest` is the highest key number that is known of; later issues have higher ones.
    """

    key: str | None = None
    certain: bool = False
    newest: int = 0
    commented: bool = False


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
    """An earlier attempt did comment: write that down."""

    band: int


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


Step = LookUp | Create | Adopt | PutLink | Comment | Note | Wait | Later | Nothing


def next_step(ticket: Ticket, jira: JiraFacts | None, now: datetime, *, wall: datetime) -> Step:
    """Decide the next single act; `jira` is None until something was looked up.

    `now` is the world's time (days between comments), `wall` real time (requests in flight).
    """
    if is_muted(ticket, now):
        return Nothing("muted")
    if ticket.key is None:
        return _towards_an_issue(ticket, jira, wall)
    if not ticket.linked:
        return PutLink(ticket.key)
    if ticket.band == ticket.said_band:
        return Nothing("the issue says so already")
    return _towards_a_comment(ticket, ticket.key, jira, now, wall)


def _towards_an_issue(ticket: Ticket, jira: JiraFacts | None, wall: datetime) -> Step:
    if jira is None:
        return LookUp()
    if jira.key is not None:
        return Adopt(jira.key, _told(ticket))
    if ticket.attempted_at is None:
        return Create(jira.newest)
    if not jira.certain:
        return Wait("Jira has more new issues than one look can see")
    if wall < ticket.attempted_at + SETTLE:
        return Wait("an earlier request may still be at work")
    # Should that request still come through after all, it is looked for from where it began.
    return Create(jira.newest if ticket.attempt_after is None else ticket.attempt_after)


def _towards_a_comment(ticket: Ticket, key: str, jira: JiraFacts | None, now: datetime, wall: datetime) -> Step:
    if ticket.attempted_at is not None:
        if jira is None:
            return LookUp()
        if jira.commented:
            return Note(_told(ticket))
        if wall < ticket.attempted_at + SETTLE:
            return Wait("an earlier comment may still be at work")
        return Comment(key, ticket.attempt or comment_mark(ticket))
    if ticket.said_at is not None and now < ticket.said_at + COMMENT_EVERY:
        return Later(ticket.said_at + COMMENT_EVERY)
    return Comment(key, comment_mark(ticket))


def is_muted(ticket: Ticket, now: datetime) -> bool:
    return ticket.state == "muted" and (ticket.muted_until is None or now < ticket.muted_until)


def create_mark(ticket: Ticket) -> str:
    return f"issue with band {ticket.band}"


def comment_mark(ticket: Ticket) -> str:
    """Return what names this comment: the band it tells of, and when the word before it was."""
    before = "none" if ticket.said_at is None else ticket.said_at.strftime("%Y%m%dT%H%M%S")
    return f"band {ticket.band} after {before}"


def _told(ticket: Ticket) -> int:
    """Return the band that the attempt told of; the facts may be newer by now."""
    match = re.search(r"band (\d+)", ticket.attempt or "")
    return int(match[1]) if match else ticket.band


def label(fingerprint: str) -> str:
    return f"muster-{fingerprint}"


def band(regression: RegressionFacts) -> int:
    """Return how bad the worst row is, in coarse steps: 0 is hardly anything; 0 as well without evidence."""
    if not regression.evidence:
        return 0
    return max(_band_of(row) for row in regression.evidence)


def _band_of(row: Evidence) -> int:
    if row.relative or max(abs(row.baseline), abs(row.candidate)) > 1:
        size = abs(row.effect) if row.relative else abs(row.effect) / (abs(row.baseline) or 1.0)
        return sum(size >= edge for edge in RATIO_BANDS)
    return sum(abs(row.effect) >= edge for edge in POINT_BANDS)
