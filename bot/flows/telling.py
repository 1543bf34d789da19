"""The gate of comparisons: of which cohorts regressions, tickets and news of a breach may tell numbers."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from bot.context import Context
from core import segments
from core.device import DeviceContext
from core.segments import EVERYONE, Segment
from feedback import store as feedback
from feedback.gate import Group, admit_cohorts
from feedback.regressions import Leaf, Regression


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """What is compared: a metric between the arms of a release, which no install is in twice, or between weeks."""

    app: str
    subject: str
    metric: str
    since: datetime
    is_of_arms: bool = True

    @property
    def ledger(self) -> str:
        return f"{self.subject}/{self.metric}"


def tell(
    ctx: Context, compared: Comparison, found: Sequence[Regression], leaves: Sequence[Leaf], now: datetime,
    *, certain: int = 0,
) -> tuple[Regression, ...]:  # fmt: skip
    """Return those that may be told, each with the rivals that may, and remember what that tells.

    The first, `certain` ones are told whatever comes of it: a stop has named them.
    """
    wanted = [*(each.segment for each in found), *(rule_of(rival.cohort) for each in found for rival in each.rivals)]
    with ctx.databases.ingest.begin() as session:
        feedback.lock_shown(session)
        told = feedback.told_groups(session, app=compared.app, poll=compared.ledger, since=compared.since)
        passed = admit_cohorts(
            wanted, earlier=[each.where for each in told], installs=_installs(leaves, compared),
            minimum=ctx.settings.minimum_cohort, certain=wanted[:certain],
        )  # fmt: skip
        groups = (Group(since=compared.since, until=now, where=where) for where in passed)
        feedback.remember(session, groups, app=compared.app, poll=compared.ledger, now=now)
    return tuple(
        replace(each, rivals=tuple(rival for rival in each.rivals if rule_of(rival.cohort) in passed))
        for each in found
        if each.segment in passed
    )


def note_stop(ctx: Context, compared: Comparison, cohort: Segment, now: datetime) -> None:
    """Remember that a cohort was stopped alone: that is told with its numbers, whatever comes of it."""
    group = Group(since=compared.since, until=now, where=cohort)
    with ctx.databases.ingest.begin() as session:
        feedback.remember(session, [group], app=compared.app, poll=compared.ledger, now=now)


def rule_of(cohort: str) -> Segment:
    """Return the rule of a cohort as people type it; "" is everyone."""
    return segments.parse(cohort) if cohort else EVERYONE


def _installs(leaves: Iterable[Leaf], compared: Comparison) -> list[tuple[DeviceContext, int]]:
    """Return the installs of each kind of device; of weeks at least so many, as most are in both."""
    arms: dict[DeviceContext, list[int]] = defaultdict(list)
    for leaf in leaves:
        arms[leaf.device].append(leaf.installs)
    count = sum if compared.is_of_arms else max
    return [(device, count(installs)) for device, installs in arms.items()]
