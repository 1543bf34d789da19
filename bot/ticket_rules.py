"""What a ticket is, how bad is how bad, and by which marks what was said of it is found again. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

State = Literal["pending", "creating", "open", "done", "muted"]

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
    `healed_at`: since when it is not bad any more, and `told_healed` whether the issue knows. `resolved_at` and
    `resolution`: when and how the issue was closed. `again`: it is bad although the issue is closed.
    `generation` counts the issues of this fingerprint; `relates_to` is the one before, `related` that they are linked.
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
    healed_at: datetime | None = None
    told_healed: bool = False
    resolved_at: datetime | None = None
    resolution: str | None = None
    again: bool = False
    generation: int = 1
    relates_to: str | None = None
    related: bool = False

    @property
    def fingerprint(self) -> str:
        return self.regression.fingerprint


def is_muted(ticket: Ticket, now: datetime) -> bool:
    return ticket.state == "muted" and (ticket.muted_until is None or now < ticket.muted_until)


def create_mark(ticket: Ticket) -> str:
    return f"issue with band {ticket.band}"


def comment_mark(ticket: Ticket) -> str:
    """Return what names this comment: the band it tells of, and when the word before it was."""
    before = "none" if ticket.said_at is None else ticket.said_at.strftime("%Y%m%dT%H%M%S")
    return f"band {ticket.band} after {before}"


def heal_mark(healed_at: datetime) -> str:
    return f"healed since {healed_at:%Y%m%dT%H%M%S}"


def is_heal_mark(mark: str) -> bool:
    return mark.startswith("healed")


def band_told(mark: str | None, otherwise: int) -> int:
    """Return the band that an attempt told of; the facts may be newer by now."""
    match = re.search(r"band (\d+)", mark or "")
    return int(match[1]) if match else otherwise


def is_bad_again(ticket: Ticket, level: int) -> bool:
    """Tell whether a closed ticket has come back: it had healed, or is worse than its issue knows.

    Phones keep a bad version long after somebody closed the issue; that alone opens nothing.
    """
    return ticket.state == "done" and (ticket.healed_at is not None or level > (ticket.said_band or 0))


_REFUSED = re.compile(r"won.?t|wont|reject|declin|invalid|duplicate|not a bug|cannot reproduce|cancel", re.IGNORECASE)


def is_refusal(resolution: str | None, status: str) -> bool:
    """Tell whether an issue was closed as something that nobody will do, by its resolution or else its status."""
    return bool(_REFUSED.search(resolution or status))


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
