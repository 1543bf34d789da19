"""Poll: what is asked of whom, when, how often and for how long it is kept (import from feedback.polls). Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal, get_args

from core.segments import EVERYONE, Segment
from feedback.questions import Question

Status = Literal["draft", "running", "stopped"]
STATUSES: Final = get_args(Status)
TriggerOperator = Literal["eq", "neq", "lt", "lte", "gt", "gte", "in", "not_in"]
TRIGGER_OPERATORS: Final = get_args(TriggerOperator)
END: Final = "end"


@dataclass(frozen=True, slots=True, kw_only=True)
class When:
    """A condition on a fact of the event, such as confidence below 0.6."""

    field: str
    operator: TriggerOperator
    value: str | float | bool | tuple[str | float | bool, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Trigger:
    """The event in the app after which the poll may be shown."""

    event: str
    when: When | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Sampling:
    """`percent` (0..100) of the installs, chosen by hash with `salt`: the same people stay sampled."""

    percent: float = 100.0
    salt: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Frequency:
    """At most `display_limit` impressions of this poll.

    And none within `cooldown_days` after any poll was shown, or `recontact_days` after this one was answered.
    """

    display_limit: int | None = None
    recontact_days: int | None = None
    cooldown_days: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Iterations:
    """The poll asks the same people `count` times, `every_days` apart from its start date, and then is over.

    What was shown or answered in one iteration does not count in the next.
    """

    count: int
    every_days: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Quota:
    """At most `limit` responses from each group of devices that agree in all fields of `by` (short names)."""

    by: tuple[str, ...]
    limit: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Consent:
    required: bool
    purpose: str | None = None
    text_version: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Poll:
    """A short, versioned questionnaire. Open from `start_date` until before `end_date`, while running."""

    id: str
    name: str
    questions: tuple[Question, ...]
    model: str | None = None
    status: Status = "draft"
    version: int = 1
    start_date: datetime | None = None
    end_date: datetime | None = None
    trigger: Trigger | None = None
    targeting: Segment = EVERYONE
    sampling: Sampling = Sampling()
    frequency: Frequency = Frequency()
    iterations: Iterations | None = None
    quotas: tuple[Quota, ...] = ()
    responses_limit: int | None = None
    consent: Consent = Consent(required=False)
    retention_days: int | None = None
