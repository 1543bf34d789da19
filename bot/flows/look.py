"""Looking at a release: what phones told of it, as findings, evidence and the one cohort that may be the matter."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy.orm import Session

from bot import tickets
from bot.context import Context
from bot.flows import measure, rival
from bot.flows.measure import FROM_REPORTS, Way, measurements, ways
from bot.ticket_rules import is_muted
from core import segments
from core.db import reading
from core.device import DeviceContext
from core.segments import Segment, matches
from feedback import store as feedback
from releases import arrivals, artifact_store, store
from releases.arrivals import LOST, Arrived, Period
from releases.cohort_guard import find_breach
from releases.compatibility import gaps
from releases.freeze_store import frozen
from releases.guardrails import Finding, Verdict, judge_all
from releases.leaves import Table
from releases.measurements import Evidence, Measurement, evidence
from releases.outlook import with_outlook
from releases.plan import Release
from releases.rollout import COHORT_STATES, Advance, CohortBreach, Decision, Frozen, Rollout, State, decide
from releases.store import Event
from releases.wording import count

HEARD_WITHIN: Final = timedelta(days=30)
LAST_WEEK: Final = timedelta(days=7)
EVERYBODY: Final = ""
ANEW_AFTER: Final = timedelta(minutes=15)
ANEW_AT: Final = 1.02
"""So much later, or with a fiftieth more reported, cohorts are judged anew; at once when everybody is not sound."""
KEPT_AT_MOST: Final = 1000
NEW_ONES: Final = frozenset({str(State.PROGRESSING), str(State.PAUSED)})


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """What was measured and found at one moment; `cohort` is the one to stop, if one alone is the matter."""

    findings: tuple[Finding, ...] = ()
    evidence: Evidence = field(default_factory=Evidence)
    cohort: CohortBreach | None = None
    frozen: Frozen | None = None

    def decide(self, release: Release, rollout: Rollout, now: datetime) -> Decision:
        return decide(
            rollout, release.plan, self.findings, now, evidence=self.evidence, frozen=self.frozen, cohort=self.cohort
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Heard:
    """What phones told since the release began. Without a `table` what was found by device before still stands."""

    cells: tuple[feedback.ArmCell, ...]
    table: Table | None
    arrived: tuple[Arrived, ...]
    holders: int | None
    seen: tuple[feedback.Seen, ...]
    from_reports: tuple[Measurement, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class _Kept:
    """What was found by device at the last whole look, which had `reports` install-hours and no cohort to stop."""

    revision: int
    reports: int
    at: datetime
    arrived: tuple[Arrived, ...]
    seen: tuple[feedback.Seen, ...]
    from_reports: tuple[Measurement, ...]


_kept: dict[str, _Kept] = {}
"""By release, in this process: to count the reports by device anew each minute would take minutes."""


def look(ctx: Context, release: Release, rollout: Rollout, now: datetime) -> Look:
    """Measure both arms since the release began and judge every guardrail, in every cohort as well."""
    with reading(ctx.databases.control) as session:
        ice = frozen(session, app=release.app, now=now)
        muted = _muted(session, release, now)
        history = store.history(session, release.id)
    if rollout.state is State.SCHEDULED:
        seen = Look(frozen=ice)
    else:
        seen = _judged(ctx, release, rollout, _periods(release, history), muted, now)
        seen = replace(seen, frozen=ice)
    if isinstance(seen.decide(release, rollout, now), Advance):
        blocked = _blocked(ctx, release, rollout, now)
        return replace(seen, evidence=replace(seen.evidence, blocked=blocked))
    return seen


def _judged(
    ctx: Context,
    release: Release,
    rollout: Rollout,
    periods: Sequence[Period],
    muted: frozenset[tuple[str, str]],
    now: datetime,
) -> Look:
    guardrails = release.plan.guardrails
    made = ways(guardrails)
    ill = [segments.parse(cohort) for _, cohort in muted if cohort != EVERYBODY]
    stopped = [*(stop.segment for stop in rollout.stopped), *ill]
    heard = _listen(ctx, release, rollout, made, now, is_whole=not stopped)
    arrived = arrivals.without(heard.arrived, stopped)
    losses = arrivals.losses(arrived, now)
    measured = (*_measured(heard, made, stopped), losses)
    other: tuple[Measurement, ...] = ()
    if release.rivals:
        rivals = rival.hear_rival(ctx, release, made)
        other = (*rivals.measured(stopped), rivals.losses(now))
    judged = rival.judge_both(release, measured, other) if release.rivals else judge_all(guardrails, measured)
    findings = judged if release.rivals else with_outlook(judged, measured)
    has_baked = now >= rollout.stage_since + release.plan.stages[rollout.stage].bake
    told = evidence(
        measured[:-1],
        since=rollout.stage_since,
        seen=[(each.arm, each.installs) for each in arrivals.without(heard.seen, stopped)],
        holders=0 if release.plan.is_aa and rollout.state is State.ROLLING_BACK else heard.holders,
        # Who has to download first reports later: the arms are compared once everybody had the time to.
        unequal=arrivals.unequal(arrived, periods) if has_baked else None,
        lost=None if any(each.metric == LOST.metric for each in guardrails) else arrivals.lost(losses),
    )
    if release.rivals:
        # A cohort is not stopped alone in a comparison: it would lose its candidates but not its baseline.
        return Look(
            findings=_with_mutes(findings, muted), evidence=rival.least_of_both(told, other[:-1], rivals, rollout)
        )
    if rollout.state not in COHORT_STATES or release.plan.is_aa or heard.table is None:
        return Look(findings=_with_mutes(findings, muted), evidence=told)
    least, people = ctx.settings.minimum_cohort, arrivals.by_device(heard.arrived)
    breach = find_breach(
        guardrails,
        heard.table,
        stopped=rollout.stopped,
        left_out=ill,
        may_name=lambda cohort: arrivals.installs(people, cohort) >= least,
        whole_fails=any(finding.verdict is Verdict.FAIL for finding in findings),
    )
    if breach is None and not stopped:
        _keep(release, rollout, heard, now)
    return Look(findings=_with_mutes(findings, muted), evidence=told, cohort=breach)


def _listen(
    ctx: Context, release: Release, rollout: Rollout, made: dict[str, Way], now: datetime, *, is_whole: bool
) -> _Heard:
    wanted = frozenset(way.source for way in made.values())
    with feedback.fresh(ctx.databases.ingest) as session:
        cells = feedback.arm_cells(session, app=release.app, release=release.id)
        kept = _kept.get(release.id) if is_whole else None
        if kept is not None and _still_stands(kept, release, rollout, measurements(cells, made), now):
            return _Heard(
                cells=cells, table=None, arrived=kept.arrived, holders=None, from_reports=kept.from_reports,
                seen=kept.seen,
            )  # fmt: skip
        diaries = feedback.diaries(session, app=release.app, release=release.id)
        by_device = feedback.arm_leaves(session, diaries, app=release.app, release=release.id, metrics=wanted)
        holders = _holders(session, release, rollout) if rollout.state is State.ROLLING_BACK else None
    arrived = tuple(
        Arrived(hour=each.hour, arm=each.arm, device=each.device, installs=each.installs, lost=each.lost)
        for each in feedback.arrivals(diaries, version=release.candidate_version)
    )
    table = measure.table(by_device, made)
    from_reports = tuple(each for each in table.measure(table.rows()) if each.metric in FROM_REPORTS)
    return _Heard(
        cells=cells, table=table, arrived=arrived, holders=holders, from_reports=from_reports,
        seen=feedback.seen_since(diaries, rollout.stage_since),
    )  # fmt: skip


def _still_stands(kept: _Kept, release: Release, rollout: Rollout, whole: Sequence[Measurement], now: datetime) -> bool:
    """Return whether cohorts need no new look: little was reported since, and everybody is sound. Pure."""
    reports = max((_hours(each) for each in whole), default=0)
    if rollout.state not in NEW_ONES or rollout.revision != kept.revision:
        return False
    if not kept.reports <= reports <= kept.reports * ANEW_AT or not kept.at <= now < kept.at + ANEW_AFTER:
        return False
    found = judge_all(release.plan.guardrails, (*whole, *kept.from_reports))
    return all(finding.verdict is Verdict.PASS or finding.guardrail.metric == LOST.metric for finding in found)


def _keep(release: Release, rollout: Rollout, heard: _Heard, now: datetime) -> None:
    whole = measurements(heard.cells, ways(release.plan.guardrails))
    if len(_kept) >= KEPT_AT_MOST:
        _kept.clear()
    _kept[release.id] = _Kept(
        revision=rollout.revision, reports=max((_hours(each) for each in whole), default=0), at=now,
        arrived=heard.arrived, seen=heard.seen, from_reports=heard.from_reports,
    )  # fmt: skip


def _hours(measurement: Measurement) -> int:
    return measurement.arm("baseline").n + measurement.arm("candidate").n


def _holders(session: Session, release: Release, rollout: Rollout) -> int:
    seen = feedback.installs_seen(session, app=release.app, since=rollout.since - HEARD_WITHIN)
    mine = [device for _, device in seen if device.model == release.model]
    versions = (release.candidate_version, release.rival_version)
    return sum(device.model_version in versions for device in mine)


def _measured(heard: _Heard, made: dict[str, Way], stopped: Sequence[Segment]) -> tuple[Measurement, ...]:
    """Return every metric over everybody who is not stopped, from cells where nobody is."""
    if stopped and heard.table is not None:
        return heard.table.measure(heard.table.rows(without=stopped))
    return (*measurements(heard.cells, made), *heard.from_reports)


def _muted(session: Session, release: Release, now: datetime) -> frozenset[tuple[str, str]]:
    """Return the (metric, cohort) of this release that somebody called a false alarm, for as long as that holds."""
    return frozenset(
        (ticket.regression.metric, ticket.regression.cohort)
        for ticket in tickets.of_release(session, release.id)
        if is_muted(ticket, now) and ticket.regression.reported_by is None
    )


def _with_mutes(findings: Sequence[Finding], muted: frozenset[tuple[str, str]]) -> tuple[Finding, ...]:
    """Let what was called a false alarm stop nothing; it does not let anything widen either."""
    note = "Called a false alarm: it stops nothing for now, and nothing widens."
    return tuple(
        replace(found, verdict=Verdict.INCONCLUSIVE, sentence=f"{found.sentence} {note}")
        if found.verdict is Verdict.FAIL and (found.guardrail.metric, EVERYBODY) in muted
        else found
        for found in findings
    )


def _periods(release: Release, history: Sequence[Event]) -> tuple[Period, ...]:
    """Return when new installs got the candidate, and at which share."""
    told = [event for event in history if "state" in event.facts]
    return tuple(
        Period(percent=release.plan.stages[int(event.facts["stage"])].percent, since=event.at, until=until)
        for event, until in zip(told, [*(after.at for after in told[1:]), None][: len(told)], strict=True)
        if event.facts["state"] in NEW_ONES
    )


def _blocked(ctx: Context, release: Release, rollout: Rollout, now: datetime) -> str | None:
    """Return what else forbids to start or widen: files that are gone, a way back that is, phones without a file."""
    with reading(ctx.databases.control) as session:
        files = artifact_store.find_artifacts(session, app=release.app, model=release.model)
    offered = {file.sha256: file for file in files if not file.quarantined}
    if not all(digest in offered for digest in (*release.candidates, *release.rivals)):
        return f"a file of {release.candidate_version} that was approved is no longer offered"
    if not any(digest in offered for digest in release.baselines):
        return f"the way back is gone: no file of {release.baseline_version} is offered any more"
    candidates = tuple(offered[digest] for digest in release.candidates)
    with feedback.fresh(ctx.databases.ingest) as session:
        seen = feedback.installs_seen(session, app=release.app, since=now - LAST_WEEK)
    wanted = [(device, 1) for _, device in seen if _gets_it(device, release, rollout)]
    gap = next(iter(gaps(candidates, wanted)), None)
    if gap is None or gap.installs < ctx.settings.minimum_cohort:
        return None
    return (
        f"{count(gap.installs)} of last week's installs can run no file of {release.candidate_version} ({gap.reason})"
    )


def _gets_it(device: DeviceContext, release: Release, rollout: Rollout) -> bool:
    return matches(release.plan.segment, device) and rollout.stop_of(device) is None
