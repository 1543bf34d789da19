"""The second candidate of a comparison: what its installs told, and both candidates judged against the one baseline."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from sqlalchemy.orm import Session

from bot.context import Context
from bot.flows.measure import Way, table
from core.segments import Segment, matches
from feedback import store as feedback
from releases import arrivals
from releases.arrivals import Arrived
from releases.comparison import compare, with_baseline
from releases.guardrails import ALPHA, Finding
from releases.leaves import Table
from releases.measurements import Evidence, Measurement, evidence
from releases.offers import rival_id
from releases.outlook import with_outlook
from releases.plan import Release
from releases.rollout import Rollout


@dataclass(frozen=True, slots=True, kw_only=True)
class Heard:
    """What was heard of one candidate, and its installs."""

    table: Table
    came: tuple[feedback.Arrival, ...]
    diaries: feedback.Diaries

    def measured(self, without: Sequence[Segment] = ()) -> tuple[Measurement, ...]:
        return self.table.measure(self.table.rows(without=without))

    def losses(self, now: datetime) -> Measurement:
        return arrivals.losses(
            (Arrived(hour=each.hour, arm=each.arm, device=each.device, installs=each.installs, lost=each.lost)
             for each in self.came), now,
        )  # fmt: skip

    def installs(self, segment: Segment) -> int:
        return sum(each.installs for each in self.came if matches(segment, each.device))


def hear(ctx: Context, app: str, release_id: str, version: str, made: Mapping[str, Way]) -> Heard:
    """Read what phones with this candidate told; a rival reports under an id of its own."""
    wanted = frozenset(way.source for way in made.values())
    with feedback.fresh(ctx.databases.ingest) as session:
        diaries = feedback.diaries(session, app=app, release=release_id)
        by_device = feedback.arm_leaves(session, diaries, app=app, release=release_id, metrics=wanted)
    came = feedback.arrivals(diaries, version=version)
    return Heard(
        table=table(by_device, made), came=tuple(each for each in came if each.arm == "candidate"), diaries=diaries
    )


def hear_rival(ctx: Context, release: Release, made: Mapping[str, Way]) -> Heard:
    return hear(ctx, release.app, rival_id(release), str(release.rival_version), made)


def judge_both(release: Release, candidate: Sequence[Measurement], rival: Sequence[Measurement]) -> tuple[Finding, ...]:
    """Judge every guardrail for each of both, each at half the share of false alarms, and name its version. Pure."""
    found = compare(release.plan.guardrails, candidate, rival)
    other = [with_baseline(each, candidate) for each in rival]
    both = ((release.candidate_version, found.candidate, candidate), (str(release.rival_version), found.rival, other))
    return tuple(
        replace(each, version=version, sentence=f"{version}: {each.sentence}")
        for version, findings, measured in both
        for each in with_outlook(findings, measured, alpha=ALPHA / 2)
    )


def least_of_both(told: Evidence, rival: Sequence[Measurement], heard: Heard, rollout: Rollout) -> Evidence:
    """Return the evidence of the candidate of which less was seen: neither may go on unseen. Pure."""
    seen = [(each.arm, each.installs) for each in feedback.seen_since(heard.diaries, rollout.stage_since)]
    other = evidence(rival, since=rollout.stage_since, seen=seen)
    newest = None if told.newest is None or other.newest is None else min(told.newest, other.newest)
    least = min(told.candidate_installs, other.candidate_installs)
    return replace(told, candidate_installs=least, newest=newest)


def rows_of(ctx: Context, release: Release, metric: str, version: str | None) -> tuple[feedback.InstallSums, ...]:
    """Return (device, arm, n, total) of each install, of the baseline and of the candidate of this version."""
    with feedback.fresh(ctx.databases.ingest) as session:
        rows = _sums(session, release.app, release.id, metric)
        if version is None or version != release.rival_version:
            return rows
        own = _sums(session, release.app, rival_id(release), metric)
    return (*(row for row in rows if row[1] == "baseline"), *own)


def _sums(session: Session, app: str, release_id: str, metric: str) -> tuple[feedback.InstallSums, ...]:
    return feedback.install_sums(session, app=app, release=release_id, metrics=(metric,))[metric]
