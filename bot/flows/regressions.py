"""Looking for regressions: at ticks of a live release when enough new is there to see, and every night.

Looks are paid for: of the chance to tell anything false, the k-th look at a subject gets 1 / (k (k + 1)), so that all
looks together, however many, keep to ALPHA (union bound). A tick looks only when a seventh more has arrived than at the
last look; so what all looks read is a few times what there is, and the count of looks grows with its logarithm.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

import msgspec
from sqlalchemy.orm import Session

from bot import cards, regressions, tickets
from bot.context import Context
from bot.flows.telling import Comparison, tell
from bot.regressions import Found, RivalFacts, WorseFacts
from bot.ticket_rules import Evidence, RegressionFacts, band
from bot.views import regression as views
from core.db import reading
from core.engine import enqueue
from feedback import store as feedback
from feedback.regressions import Regression, find_regressions, fingerprint, tally
from feedback.store import InstallSums
from feedback.telemetry import METRICS
from releases import artifact_store
from releases.plan import Release
from releases.store import load_release

log = logging.getLogger(__name__)

ALPHA: Final = 0.05
LEAST_SEEN: Final = 100
GROWTH: Final = 1.15
# A regression that was found at so many looks in a row gets a ticket; a guardrail that breaks opens one at once.
LOOKS_FOR_TICKET: Final = 3
WEEK: Final = timedelta(days=7)
WEEKS_BEFORE: Final = 4
# Every night is a look of its own: so small a part each that a year tells a few false ones at most.
NIGHTLY_ALPHA: Final = 0.01


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """What is looked at: the arms of a release, or a model's last week against the four before."""

    app: str
    model: str
    version: str
    source: regressions.Source
    release: Release | None = None
    baseline_version: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Looked:
    """What a look found of one metric, and what of it may be told."""

    found: tuple[Regression, ...] = ()
    told: tuple[Regression, ...] = ()


def ask_for_look(ctx: Context, release: Release) -> bool:
    """Ask for a look at the release if a seventh more was reported since the last one; cheap enough for every tick."""
    with feedback.fresh(ctx.databases.ingest) as session:
        seen = feedback.reported(session, app=release.app, release=release.id)
    with reading(ctx.databases.control) as session:
        looks, before = regressions.last_look(session, release.id)
    if seen < max(LEAST_SEEN, GROWTH * before):
        return False
    with ctx.databases.control.begin() as session:
        enqueue(session, "look_for_regressions", key=f"{release.id}/{looks}", release=release.id)
    return True


def look_at_release(ctx: Context, release: str) -> None:
    """Compare the arms of a release in every cohort and metric. A job; run twice it looks twice."""
    now = ctx.clock()
    with reading(ctx.databases.control) as session:
        of = load_release(session, release)
        looks, _ = regressions.last_look(session, of.id)
    with feedback.fresh(ctx.databases.ingest) as session:
        seen = feedback.reported(session, app=of.app, release=of.id)
    subject = Subject(
        app=of.app, model=of.model, version=of.candidate_version, source="release", release=of,
        baseline_version=of.baseline_version,
    )  # fmt: skip
    alpha = ALPHA / len(METRICS) / ((looks + 1) * (looks + 2))
    with feedback.fresh(ctx.databases.ingest) as session:
        sums = feedback.install_sums(session, app=of.app, release=of.id, metrics=METRICS)
    looked = [_of_release(ctx, of, metric, sums[metric], alpha, now) for metric in METRICS]
    with ctx.databases.control.begin() as session:
        regressions.note_look(session, of.id, looks=looks + 1, seen=seen, now=now)
        standing = _keep(session, subject, looked, now)
        if not of.plan.is_aa:
            _want_ticket(session, standing, now)
    log.info("regressions.looked", extra={"release": of.id, "look": looks + 1, "found": len(standing)})


def look_at_weeks(ctx: Context, model: str) -> None:
    """Compare a model's last seven days with the four weeks before, in every cohort and metric. A job, nightly."""
    app, now = ctx.settings.app, ctx.clock()
    with reading(ctx.databases.control) as session:
        baselines = artifact_store.current_baselines(session, app=app, model=model)
        known = _known(regressions.standing(session, app=app, model=model, source="weeks"))
    version = baselines[0].version if baselines else "any"
    subject = Subject(app=app, model=model, version=version, source="weeks")
    looked: list[Looked] = []
    for metric in METRICS:
        with feedback.fresh(ctx.databases.ingest) as session:
            rows = feedback.period_rows(
                session, app=app, model=model, metric=metric,
                before=now - (1 + WEEKS_BEFORE) * WEEK, since=now - WEEK, until=now,
            )  # fmt: skip
        compared = Comparison(
            app=app, subject=f"weeks:{model}", metric=metric, since=now - (1 + WEEKS_BEFORE) * WEEK, is_of_arms=False
        )
        looked.append(_find(ctx, rows, compared, NIGHTLY_ALPHA / len(METRICS), known.get(metric, ()), now))
    with ctx.databases.control.begin() as session:
        standing = _keep(session, subject, looked, now)
        _want_ticket(session, standing, now)
    log.info("regressions.looked", extra={"model": model, "found": len(standing)})


def comparison_of(release: Release, metric: str) -> Comparison:
    return Comparison(app=release.app, subject=f"release:{release.id}", metric=metric, since=release.created_at)


def _of_release(
    ctx: Context, release: Release, metric: str, rows: Sequence[InstallSums], alpha: float, now: datetime
) -> Looked:
    with reading(ctx.databases.control) as session:
        known = known_cohorts(session, release, metric)
    return _find(ctx, rows, comparison_of(release, metric), alpha, known, now)


def known_cohorts(session: Session, release: Release, metric: str) -> tuple[str, ...]:
    """Return the cohorts that people were told of before, in tickets first."""
    wanted = [each.regression for each in tickets.of_release(session, release.id)]
    told = [each.cohort for each in wanted if each.metric == metric]
    found = regressions.standing(session, app=release.app, release_id=release.id)
    return tuple(dict.fromkeys([*told, *_known(found).get(metric, ())]))


def _find(
    ctx: Context, rows: Sequence[InstallSums], compared: Comparison, alpha: float, known: Sequence[str], now: datetime
) -> Looked:
    leaves = tally(rows)
    if not leaves:
        return Looked()
    minimum = ctx.settings.minimum_cohort
    found = find_regressions(leaves, metric=compared.metric, minimum=minimum, alpha=alpha, known=known)
    return Looked(found=found, told=tell(ctx, compared, found, leaves, now) if found else ())


def _known(found: Sequence[Found]) -> dict[str, tuple[str, ...]]:
    by_metric: dict[str, tuple[str, ...]] = {}
    for each in found:
        by_metric[each.metric] = (*by_metric.get(each.metric, ()), each.cohort)
    return by_metric


def _keep(session: Session, subject: Subject, looked: Sequence[Looked], now: datetime) -> tuple[Found, ...]:
    """Write down what was found and may be told, and what is not there any more; return what was written down.

    What is there still, but may not be told now, keeps the numbers it had.
    """
    release = subject.release.id if subject.release else None
    before = regressions.standing(
        session, app=subject.app, model=subject.model, release_id=release, source=subject.source
    )
    told = [each for look in looked for each in look.told]
    there = [_as_found(subject, each, now).fingerprint for look in looked for each in look.found]
    kept = tuple(regressions.keep(session, _as_found(subject, each, now), now=now) for each in told)
    for each in regressions.settle(session, before, still=there, now=now):
        tickets.healed(session, each.fingerprint, now)
    return kept


def _as_found(subject: Subject, told: Regression, now: datetime) -> Found:
    numbers = {name: getattr(told, name) for name in WorseFacts.__dataclass_fields__ if hasattr(told, name)}
    numbers["rivals"] = tuple(msgspec.convert(msgspec.to_builtins(each), type=RivalFacts) for each in told.rivals)
    numbers["release"] = subject.release.name if subject.release else None
    return Found(
        fingerprint=fingerprint(subject.app, subject.model, told.metric, told.cohort, subject.version),
        app=subject.app, model=subject.model, metric=told.metric, cohort=told.cohort, version=subject.version,
        source=subject.source, release_id=subject.release.id if subject.release else None,
        facts=WorseFacts(**numbers, baseline_version=subject.baseline_version),
        points=(), looks=1, first_seen=now, last_seen=now, gone_at=None,
    )  # fmt: skip


def _want_ticket(session: Session, standing: Sequence[Found], now: datetime) -> None:
    """Want the ticket of the heaviest regression that stands, unless one is about these phones already.

    A ticket that is there gets the newer numbers.
    """
    lasting = [each for each in standing if each.looks >= LOOKS_FOR_TICKET]
    if not lasting:
        return
    first = lasting[0]
    there = {each.fingerprint: each for each in tickets.recent(session, app=first.app, model=first.model, limit=200)}
    for each in lasting:
        if each.fingerprint in there and there[each.fingerprint].regression.reported_by is None:
            tickets.want(session, ticket_facts(each, there[each.fingerprint].regression), now=now)
    if first.release_id is not None and tickets.of_release(session, first.release_id):
        return
    new = [each for each in lasting if each.fingerprint not in there and band(ticket_facts(each)) > 0]
    if new:
        worst = max(new, key=lambda each: (band(ticket_facts(each)), each.facts.confidence, each.fingerprint))
        card = cards.posted(session, worst.release_id) if worst.release_id else None
        thread = {"channel": card.channel, "thread": card.ts} if card else {}
        tickets.want(session, ticket_facts(worst), now=now, **thread)


def ticket_facts(found: Found, before: RegressionFacts | None = None) -> RegressionFacts:
    """Return what a ticket says of a regression; what `before` knows besides its numbers stays."""
    row = Evidence(
        cohort=found.cohort, metric=found.metric, baseline=found.facts.baseline, candidate=found.facts.candidate,
        effect=found.facts.effect, low=found.facts.low, high=found.facts.high,
        n_baseline=found.facts.installs_baseline, n_candidate=found.facts.installs_candidate,
    )  # fmt: skip
    if before is not None:
        others = [each for each in before.evidence if (each.cohort, each.metric) != (row.cohort, row.metric)]
        return replace(before, evidence=(row, *others))
    return RegressionFacts(
        fingerprint=found.fingerprint, app=found.app, model=found.model, metric=found.metric, cohort=found.cohort,
        first_bad_version=found.version, sentence=views.sentence(found), baseline_version=found.facts.baseline_version,
        release_id=found.release_id, release=found.facts.release, evidence=(row,),
    )  # fmt: skip
