"""Digest: the facts it is composed of and the page that comes out (import from feedback.digest). Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from feedback.reports import CohortReport
from feedback.scores import Change, Score

Verdict = Literal["Healthy", "Watch", "Act"]
TicketState = Literal["opened", "closed", "still open"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ReleaseWeek:
    """What a release did in the week. `wants` are the verbs a person may now press, such as approve.

    `sentence` says it without the number: "went from 5 to 25 %", "was rolled back: crash_rate …".
    """

    release: str
    model: str
    state: str
    sentence: str
    at: datetime
    moved: bool = True
    stopped: bool = False
    wants: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class TicketWeek:
    """A ticket that was open at some time in the week; `key` is None until the tracker has given one."""

    model: str
    title: str
    opened: datetime
    closed: datetime | None = None
    key: str | None = None
    url: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Counted:
    """A share counted from telemetry, this week and the week before; more of it is worse (crashes, time-outs).

    `noise` is the standard deviation of what was added to `hits`, and to the others.
    """

    name: str
    hits: int
    n: int
    hits_before: int = 0
    n_before: int = 0
    noise: float = 0.0
    noise_before: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Kpi:
    """A figure of a model with its goal, both as they are shown; `is_met` is None without a goal."""

    model: str
    name: str
    value: str
    goal: str | None = None
    is_met: bool | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelWeek:
    """All that is known of a model's week; `quotes` are scrubbed already and of cohorts that are large enough."""

    model: str
    report: CohortReport | None = None
    counted: tuple[Counted, ...] = ()
    quotes: tuple[str, ...] = ()
    kpis: tuple[Kpi, ...] = ()
    themes: tuple[ThemeLine, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class NoiseNote:
    """How the counts of people were noised: epsilon of a query, of the week so far and at most, scales that were used.

    `withheld` are reasons, each with the queries that were not answered for it.
    """

    epsilon: float
    spent: float
    budget: float
    scales: tuple[float, ...]
    withheld: tuple[tuple[str, tuple[str, ...]], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Health:
    """How much the numbers can be trusted. `silent` installs were heard of before, but not in this week.

    With `noise`, counts are of people and noised, and None where they are withheld; without, impressions and responses
    count what was shown and sent.
    """

    impressions: int | None = 0
    responses: int | None = 0
    response_rate: Score | None = None
    reporting: int | None = 0
    silent: int | None = 0
    suppressed_cohorts: int = 0
    stale_sdks: int = 0
    noise: NoiseNote | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelLine:
    model: str
    verdict: Verdict
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Past:
    """What an earlier digest said of a number, `weeks_ago` weeks before; as it was told then, never counted anew."""

    week: str
    weeks_ago: int
    score: Score


@dataclass(frozen=True, slots=True, kw_only=True)
class Number:
    """A score, its change, and its trend, the oldest first; `is_small`: too few people to be more than a hint."""

    model: str
    name: str
    score: Score
    change: Change | None
    is_small: bool
    trend: tuple[Past, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class CohortLine:
    model: str
    attribute: str
    cohort: str
    score: Score
    change: Change | None


@dataclass(frozen=True, slots=True, kw_only=True)
class TicketLine:
    model: str
    title: str
    key: str | None
    url: str | None
    state: TicketState
    age_days: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ThemeLine:
    """What several people wrote about; `change` is people now against what the weeks before make one expect."""

    model: str
    name: str
    people: int
    is_new: bool = False
    change: float | None = None
    is_noised: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Digest:
    """The week in one page; its fields stand in the order in which they are shown.

    An empty week has nothing but `headline`, one line that says so.
    """

    app: str
    week: str
    starts: datetime
    ends: datetime
    headline: str
    is_empty: bool
    models: tuple[ModelLine, ...] = ()
    wanted: tuple[ReleaseWeek, ...] = ()
    moved: tuple[ReleaseWeek, ...] = ()
    numbers: tuple[Number, ...] = ()
    worst: tuple[CohortLine, ...] = ()
    best: tuple[CohortLine, ...] = ()
    themes: tuple[ThemeLine, ...] = ()
    quotes: tuple[str, ...] = ()
    tickets: tuple[TicketLine, ...] = ()
    health: Health = Health()
    kpis: tuple[Kpi, ...] = ()
