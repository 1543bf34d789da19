"""A breach: which guardrail failed, where it is worst, and the regression that its ticket is about."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

import msgspec
from sqlalchemy.orm import Session

from bot import tickets
from bot.context import Context
from bot.flows.look import Look
from bot.flows.regressions import comparison_of, known_cohorts
from bot.flows.rival import rows_of
from bot.flows.telling import note_stop, tell
from bot.ticket_rules import Evidence, RegressionFacts
from bot.views import figures
from bot.views.release import WorseCohort
from core import segments
from core.db import reading
from core.segments import EVERYONE, Segment
from feedback import store as feedback
from feedback.regressions import Regression, find_regressions, fingerprint, tally
from feedback.telemetry import METRICS
from releases import artifact_store
from releases.guardrails import Finding, Verdict, worst
from releases.plan import Release
from releases.rollout import Act, Halt, Pause, RollBack, Rollout
from releases.wording import share

MEANS = frozenset({"csat"})
VERBATIMS = 3
DONE = {RollBack: "Rolled back", Halt: "Halted", Pause: "Paused"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Breach:
    """The regression to open a ticket for, and the cohorts in which the failing metric is worse.

    None are told when one cohort alone is the matter: the sentence says it.
    """

    regression: RegressionFacts
    cohorts: tuple[WorseCohort, ...]

    def facts(self) -> dict[str, object]:
        """Return what the release's history keeps of it."""
        return {"fingerprints": [self.regression.fingerprint], "cohorts": msgspec.to_builtins(self.cohorts)}


def investigate(ctx: Context, release: Release, rollout: Rollout, act: Act, seen: Look, now: datetime) -> Breach | None:
    """Return what is known of the breach that `act` answers; None when no guardrail failed."""
    if isinstance(act, Halt | RollBack) and act.cohort is not None:
        return _of_cohort(ctx, release, rollout, act, seen, now) if seen.cohort is not None else None
    found = worst(seen.findings)
    if found is None or found.verdict is not Verdict.FAIL or not isinstance(act, RollBack | Halt | Pause):
        return None
    regressions, quotes = _where(ctx, release, found, now)
    with reading(ctx.databases.control) as session:
        cohort = _known_cohort(session, release, rollout, found.guardrail.metric)
    if cohort is None:
        cohort = regressions[0].cohort if regressions else ""
    facts = _facts(ctx, release, rollout, found, cohort, now)
    facts = replace(
        facts,
        sentence=_sentence(found, regressions),
        done=f"{DONE[type(act)]} {facts.done}",
        evidence=_evidence(regressions, seen.findings),
        verbatims=quotes,
    )
    return Breach(regression=facts, cohorts=tuple(_worse(each) for each in regressions))


def _of_cohort(
    ctx: Context, release: Release, rollout: Rollout, act: Halt | RollBack, seen: Look, now: datetime
) -> Breach:
    """Return the breach of one cohort; the other guardrails' rows tell that everybody else is sound."""
    assert seen.cohort is not None
    found, cohort = seen.cohort.finding, segments.text(seen.cohort.cohort)
    note_stop(ctx, comparison_of(release, found.guardrail.metric), seen.cohort.cohort, now)
    facts = _facts(ctx, release, rollout, found, cohort, now)
    facts = replace(
        facts,
        sentence=f"{seen.cohort.sentence} Everybody else is sound.",
        done=f"{DONE[type(act)]} for {cohort} alone {facts.done} The release goes on without it.",
        evidence=tuple(row for row in [_finding_row(found, cohort)] if row is not None),
        verbatims=_quotes(ctx, release, seen.cohort.cohort, now),
    )
    return Breach(regression=facts, cohorts=())


def _facts(
    ctx: Context, release: Release, rollout: Rollout, found: Finding, cohort: str, now: datetime
) -> RegressionFacts:
    with reading(ctx.databases.control) as session:
        files = artifact_store.find_artifacts(session, app=release.app, model=release.model)
    stage, stages = release.plan.stages[rollout.stage], len(release.plan.stages)
    metric, version = found.guardrail.metric, found.version or release.candidate_version
    offered = (*release.baselines, *release.candidates, *release.rivals)
    return RegressionFacts(
        fingerprint=fingerprint(release.app, release.model, metric, cohort, version),
        app=release.app,
        model=release.model,
        metric=metric,
        cohort=cohort,
        first_bad_version=version,
        sentence=found.sentence,
        baseline_version=release.baseline_version,
        release_id=release.id,
        release=release.name,
        stage=f"{rollout.stage + 1} of {stages} ({share(stage.percent)})",
        done=f"by Muster on {figures.moment(now)}, at {share(stage.percent)} of the installs.",
        artifacts=tuple((f"{file.version} {file.variant}", file.sha256) for file in files if file.sha256 in offered),
    )


def _where(
    ctx: Context, release: Release, breached: Finding, now: datetime
) -> tuple[tuple[Regression, ...], tuple[str, ...]]:
    """Return the worst cohorts, and what people in the worst one wrote if they are enough to be shown."""
    metric = breached.guardrail.metric
    if metric not in METRICS:
        return (), ()
    with reading(ctx.databases.control) as session:
        known = known_cohorts(session, release, metric)
    leaves = tally(rows_of(ctx, release, metric, breached.version))
    worst = find_regressions(leaves, metric=metric, minimum=ctx.settings.minimum_cohort, known=known)
    # The first is what the stop is about, and named as such.
    found = tell(ctx, comparison_of(release, metric), worst, leaves, now, certain=1)
    return found, _quotes(ctx, release, found[0].segment if found else EVERYONE, now)


def _quotes(ctx: Context, release: Release, where: Segment, now: datetime) -> tuple[str, ...]:
    app, model, since = release.app, release.model, release.created_at
    with feedback.fresh(ctx.databases.ingest) as session:
        heard = feedback.heard(session, app=app, model=model, since=since, until=now)
        groups = feedback.answer_counts(heard, attribute="platform", where=where, since=since, until=now)
        if sum(group.installs for group in groups) < ctx.settings.minimum_cohort:
            return ()
        quotes = feedback.quotes(
            session, app=app, model=model, key=ctx.settings.sealing, where=where, limit=VERBATIMS, since=since,
            until=now,
        )  # fmt: skip
    return tuple(quote.text for quote in quotes)


def _known_cohort(session: Session, release: Release, rollout: Rollout, metric: str) -> str | None:
    """Return the cohort that a ticket of this release is about already: halted, then rolled back, is one ticket.

    A cohort that was stopped alone has a ticket of its own.
    """
    alone = {segments.text(stop.segment) for stop in rollout.stopped}
    for ticket in tickets.of_release(session, release.id):
        is_its = ticket.regression.metric == metric and ticket.regression.cohort not in alone
        if is_its and ticket.regression.reported_by is None:
            return ticket.regression.cohort
    return None


def _sentence(found: Finding, regressions: Sequence[Regression]) -> str:
    if not regressions or not regressions[0].cohort:
        return found.sentence
    worse = _worse(regressions[0])
    show = figures.share if worse.is_share else figures.plain
    values = f"{show(worse.candidate)} against {show(worse.baseline)}"
    return f"{found.sentence} Worst for {worse.cohort}: {values} on {figures.count(worse.installs)} installs."


def _worse(regression: Regression) -> WorseCohort:
    return WorseCohort(
        cohort=regression.cohort or "everyone",
        metric=regression.metric,
        baseline=regression.baseline,
        candidate=regression.candidate,
        installs=regression.installs_candidate,
        is_share=regression.metric not in MEANS,
    )


def _evidence(regressions: Sequence[Regression], findings: Sequence[Finding]) -> tuple[Evidence, ...]:
    """Return the worst cohorts, then every guardrail that failed; what one says of everybody is not said twice."""
    failed = _finding_rows(findings)
    judged = {(row.cohort, row.metric) for row in failed}
    cohorts = [row for each in regressions if ((row := _cohort_row(each)).cohort, row.metric) not in judged]
    return (*cohorts, *failed)


def _cohort_row(regression: Regression) -> Evidence:
    return Evidence(
        cohort=regression.cohort,
        metric=regression.metric,
        baseline=regression.baseline,
        candidate=regression.candidate,
        effect=regression.effect,
        low=regression.low,
        high=regression.high,
        n_baseline=regression.installs_baseline,
        n_candidate=regression.installs_candidate,
    )


def _finding_rows(findings: Sequence[Finding]) -> list[Evidence]:
    """Return every guardrail that failed, over everybody."""
    failed = (finding for finding in findings if finding.verdict is Verdict.FAIL)
    return [row for finding in failed if (row := _finding_row(finding, "")) is not None]


def _finding_row(finding: Finding, cohort: str) -> Evidence | None:
    values = (finding.baseline, finding.candidate, finding.effect, finding.low, finding.high)
    if None in values:
        return None
    baseline, candidate, effect, low, high = (float(value or 0.0) for value in values)
    return Evidence(
        cohort=cohort, metric=finding.guardrail.metric, baseline=baseline, candidate=candidate, effect=effect,
        low=low, high=high, n_baseline=finding.n_baseline, n_candidate=finding.n_candidate,
        relative=finding.relative,
    )  # fmt: skip
