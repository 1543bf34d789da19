"""What a scenario may say: steps of acts by people, phones and the world, and what is expected to have come of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from sandbox.faults import Value
from sandbox.habits import Fault
from sandbox.member import Manner

PATIENCE_S = 20.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """A message that contains words stands in a channel (or direct message), so many `times` if that is told."""

    place: str
    words: str
    to: str | None = None
    times: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ReleaseIs:
    """The model's newest release is in a state, and at a share if that is told."""

    state: str
    percent: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Tickets:
    """There are so many tickets in Jira."""

    count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class AnswersOnce:
    """Every answer that phones sent is stored, and stored once."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NothingRefused:
    """Slack refused no message, and the collector no item."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunningOn:
    """At least so many phones run a version of the model, or at most."""

    version: str
    at_least: int = 0
    at_most: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DigestIs:
    """The newest digest is about a week, was posted so often, and its page opens.

    `pages` and `mails` are how many of it are in Confluence and in mailboxes, if that is told.
    """

    week: str
    posts: int
    pages: int | None = None
    mails: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class JobIs:
    """The model's newest job is in a state; one that is done has a report card, whose page opens."""

    state: str


Condition = Said | ReleaseIs | JobIs | Tickets | AnswersOnce | NothingRefused | RunningOn | DigestIs


@dataclass(frozen=True, slots=True, kw_only=True)
class Live:
    """Let time pass in slices of `every`, for `length` or up to `to`, and stop early once `until` holds.

    `pause_s`: real seconds after each slice, so that the service can look at what came.
    """

    length: timedelta | None = None
    to: datetime | None = None
    every: timedelta = timedelta(hours=1)
    until: Condition | None = None
    pause_s: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Say:
    who: str
    place: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Click:
    who: str
    place: str
    button: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Switch:
    faults: dict[str, Value]


@dataclass(frozen=True, slots=True, kw_only=True)
class SendAgain:
    """Some phones send their last batch again although it was acknowledged."""

    phones: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Deliver:
    """Every phone comes online and sends what still waits."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Register:
    """Upload the artifact of a version."""

    version: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PushPoll:
    """Send the poll to the service and start it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Expect:
    """A condition that must hold within some real seconds."""

    condition: Condition
    within_s: float = PATIENCE_S


Act = Live | Say | Click | Switch | SendAgain | Deliver | Register | PushPoll | Expect


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    title: str
    text: str
    acts: tuple[Act, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelFile:
    """An artifact, made when it is registered. The baseline is registered before anything else.

    `trained`: hidden units of a perceptron that learns scikit-learn's digits, registered with inputs to judge and to
    calibrate by; without it a file of so many kilobytes that has learned nothing.
    """

    version: str
    variant: str
    kilobytes: int
    is_baseline: bool = False
    trained: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """`poll` is the text of a poll file. `better_since`: from this version on the model is faster and hears better.

    `roles`: what the first admin grants to whom before anything happens.
    """

    name: str
    about: str
    start: datetime
    model: str
    manner: Manner
    files: tuple[ModelFile, ...]
    steps: tuple[Step, ...]
    poll: str | None = None
    faults: tuple[Fault, ...] = ()
    better_since: str | None = None
    roles: Mapping[str, str] = field(default_factory=dict)
