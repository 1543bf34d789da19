"""Where feedback's numbers become guardrails' words: cells of both arms as measurements, and what they say.

Rates count install-hours, so one bad phone does not decide. A p95 is judged as the mean of its logarithm over
install-hours; CSAT as the satisfied share (4 and 5).
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from bot.context import Context
from core.db import reading
from feedback import store as feedback
from feedback.scores import satisfied_from
from feedback.sketches import PER_DOUBLING
from feedback.store import ArmCell
from feedback.telemetry import CSAT, HARMS, LATENCY_P95
from releases import guardrails
from releases.guardrails import Finding
from releases.measurements import Arm, Evidence, Kind, Measurement, Stratum, evidence
from releases.plan import Release
from releases.rollout import Rollout, State

NOBODY: Final = Arm(n=0, total=0)
SCALE: Final = 5
LN_BUCKET: Final = math.log(2) / PER_DOUBLING  # how far apart two edges of a histogram are
HEARD_WITHIN: Final = timedelta(days=30)


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """What was measured and found at one moment."""

    findings: tuple[Finding, ...]
    evidence: Evidence


def look(ctx: Context, release: Release, rollout: Rollout) -> Look:
    """Measure both arms since the release began and judge every guardrail."""
    with reading(ctx.databases.ingest) as session:
        cells = feedback.arm_cells(session, app=release.app, release=release.id)
        holders = None
        if rollout.state is State.ROLLING_BACK:
            since = rollout.since - HEARD_WITHIN
            seen = feedback.installs_seen(session, app=release.app, since=since)
            mine = [device for _, device in seen if device.model == release.model]
            holders = sum(device.model_version == release.candidate_version for device in mine)
    measured = measurements(cells)
    return Look(
        findings=guardrails.judge_all(release.plan.guardrails, measured),
        evidence=evidence(measured, since=rollout.stage_since, holders=holders),
    )


def measurements(cells: Iterable[ArmCell]) -> tuple[Measurement, ...]:
    """Return one measurement for each metric that a guardrail can have, from cells of both arms. Pure."""
    arms: dict[str, dict[tuple[datetime, str], dict[str, Arm]]] = defaultdict(lambda: defaultdict(dict))
    for cell in cells:
        if cell.metric in ARMS:
            arms[cell.metric][cell.hour, cell.stratum][cell.arm] = ARMS[cell.metric][1](cell)
    return tuple(
        Measurement(metric=metric, kind=ARMS[metric][0], strata=_strata(by_stratum))
        for metric, by_stratum in arms.items()
    )


def _strata(by_stratum: Mapping[tuple[datetime, str], Mapping[str, Arm]]) -> tuple[Stratum, ...]:
    return tuple(
        Stratum(hour=hour, name=name, baseline=both.get("baseline", NOBODY), candidate=both.get("candidate", NOBODY))
        for (hour, name), both in sorted(by_stratum.items())
    )


def _rate(cell: ArmCell) -> Arm:
    return Arm(n=cell.n, total=cell.total, total_sq=cell.total)


def _log_p95(cell: ArmCell) -> Arm:
    values = {(bucket + 0.5) * LN_BUCKET: n for bucket, n in cell.buckets.items()}
    return Arm(
        n=sum(values.values()),
        total=math.fsum(n * value for value, n in values.items()),
        total_sq=math.fsum(n * value * value for value, n in values.items()),
    )


def _satisfied(cell: ArmCell) -> Arm:
    hits = sum(n for rating, n in cell.buckets.items() if rating >= satisfied_from(SCALE))
    return Arm(n=cell.n, total=hits, total_sq=hits)


ARMS: Final[Mapping[str, tuple[Kind, Callable[[ArmCell], Arm]]]] = {
    **dict.fromkeys(HARMS, ("rate", _rate)),
    LATENCY_P95: ("log_mean", _log_p95),
    CSAT: ("rate", _satisfied),
}
