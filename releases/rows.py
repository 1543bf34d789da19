"""Rows of releases as facts, and facts as columns."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from core import segments
from releases import plan as plans
from releases.plan import Release
from releases.states import CohortStop, PausedFor, Rollout, State
from releases.tables import ReleaseRow, RolloutRow


def columns(rollout: Rollout) -> dict[str, Any]:
    return {
        "state": str(rollout.state), "stage": rollout.stage, "since": rollout.since,
        "stage_since": rollout.stage_since, "revision": rollout.revision, "reason": rollout.reason,
        "paused_for": str(rollout.paused_for) if rollout.paused_for else None, "cleared": rollout.cleared,
        "stopped": [_stop_json(stop) for stop in rollout.stopped] or None, "unequal": rollout.unequal,
    }  # fmt: skip


def rollout_of(row: RolloutRow) -> Rollout:
    return Rollout(
        release_id=row.release_id, state=State(row.state), stage=row.stage, since=row.since,
        stage_since=row.stage_since, revision=row.revision, reason=row.reason,
        paused_for=PausedFor(row.paused_for) if row.paused_for else None, cleared=row.cleared,
        stopped=tuple(_stop(facts) for facts in row.stopped or ()), unequal=row.unequal,
    )  # fmt: skip


def release_of(row: ReleaseRow) -> Release:
    return Release(
        id=row.id, number=row.number, app=row.app, model=row.model, baseline_version=row.baseline_version,
        candidate_version=row.candidate_version, baselines=tuple(row.baselines), candidates=tuple(row.candidates),
        salt=row.salt, plan=plans.from_json(row.plan), plan_hash=row.plan_hash, proposed_by=row.proposed_by,
        reason=row.reason, created_at=row.created_at, rival_version=row.rival_version, rivals=tuple(row.rivals or ()),
    )  # fmt: skip


def _stop_json(stop: CohortStop) -> dict[str, Any]:
    return {"segment": segments.to_json(stop.segment), "since": stop.since.isoformat(), "reason": stop.reason,
            "returns": stop.returns}  # fmt: skip


def _stop(facts: Mapping[str, Any]) -> CohortStop:
    return CohortStop(segment=segments.from_json(facts["segment"]), since=datetime.fromisoformat(facts["since"]),
                      reason=facts["reason"], returns=facts["returns"])  # fmt: skip
