"""Valid releases for tests, each saying only what matters."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from core.db import Databases
from releases import artifact_store, store
from releases.artifacts import Artifact
from releases.guardrails import Arm, Finding, Guardrail, Measurement, Stratum, Verdict
from releases.plan import Plan, Release, parse_plan, plan_hash
from releases.rollout import Act, Advance, Approve, Evidence, Rollout, State, Submit, apply
from tests.builders import T0, at

PLAN = parse_plan(to="5,25,100", bake="24h", guard="crash_rate<+0.2pt")
CRASHES = PLAN.guardrails[0]


class Seconds:
    """A monotonic clock that stands until it is moved."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def digest_of(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def an_artifact(version: str = "1.4.0", **changes: Any) -> Artifact:
    variant = changes.get("variant", "int8")
    values: dict[str, Any] = {
        "sha256": digest_of(f"{version} {variant}"), "model": "kws", "version": version, "variant": variant,
        "size_bytes": 1000,
    }  # fmt: skip
    return Artifact(**(values | changes))


def a_release(plan: Plan = PLAN, **changes: Any) -> Release:
    values: dict[str, Any] = {
        "id": "rel_01", "number": 12, "app": "demo", "model": "kws", "baseline_version": "1.3.2",
        "candidate_version": "1.4.0", "baselines": (an_artifact("1.3.2").sha256,),
        "candidates": (an_artifact().sha256,), "salt": "rel_01", "plan": plan,
        "plan_hash": plan_hash(plan, [an_artifact().sha256]), "proposed_by": "U0DANA", "reason": None,
        "created_at": T0,
    }  # fmt: skip
    return Release(**(values | changes))


def a_rollout(state: State = State.PROGRESSING, **changes: Any) -> Rollout:
    values: dict[str, Any] = {"release_id": "rel_01", "state": state, "stage": 0, "since": T0, "stage_since": T0}
    return Rollout(**(values | changes))


def a_finding(verdict: Verdict = Verdict.PASS, guardrail: Guardrail = CRASHES, **changes: Any) -> Finding:
    values: dict[str, Any] = {"sentence": f"Crash rate: {verdict}.", "n_baseline": 500, "n_candidate": 500}
    return Finding(guardrail=guardrail, verdict=verdict, **(values | changes))


def some_evidence(hours: float = 24, **changes: Any) -> Evidence:
    values: dict[str, Any] = {"baseline_installs": 200, "candidate_installs": 200, "newest": at(hours)}
    return Evidence(**(values | changes))


def rates(*cells: tuple[int, int, int, int], metric: str = "crash_rate") -> Measurement:
    """Return a rate from (harms and installs of the baseline, harms and installs of the candidate), an hour each."""
    strata = tuple(
        Stratum(hour=at(hour), name="all", baseline=Arm(n=n_c, total=k_c, total_sq=k_c),
                candidate=Arm(n=n_t, total=k_t, total_sq=k_t))
        for hour, (k_c, n_c, k_t, n_t) in enumerate(cells)
    )  # fmt: skip
    return Measurement(metric=metric, kind="rate", strata=strata)


def register_both(session: Session, app: str = "demo", **of_candidate: Any) -> tuple[Artifact, Artifact]:
    """Register kws 1.3.2 as baseline and kws 1.4.0."""
    baseline, candidate = an_artifact("1.3.2", is_baseline=True), an_artifact("1.4.0", **of_candidate)
    for artifact in (baseline, candidate):
        artifact_store.register_artifact(session, artifact, app=app, by="key_1", now=T0)
    return baseline, candidate


def propose(session: Session, plan: Plan = PLAN, **changes: Any) -> tuple[Release, Rollout]:
    values: dict[str, Any] = {
        "app": "demo", "model": "kws", "version": "1.4.0", "plan": plan, "by": "U0DANA", "reason": None, "now": T0
    }  # fmt: skip
    return store.create_release(session, **(values | changes))


def do(session: Session, rollout: Rollout, *acts: Act, hours: float = 0) -> Rollout:
    """Apply the acts one after another and save each."""
    for act in acts:
        after = apply(rollout, act, at(hours))
        store.save_rollout(session, rollout, after)
        rollout = after
    return rollout


def start(session: Session, plan: Plan = PLAN, **changes: Any) -> tuple[Release, Rollout]:
    """Propose, approve and start a release."""
    release, rollout = propose(session, plan, **changes)
    return release, do(session, rollout, Submit(), Approve(), Advance(stage=0, reason="started"))


@contextmanager
def queries(databases: Databases) -> Iterator[list[str]]:
    """Note every statement that the control database is sent."""
    said: list[str] = []

    def note(_connection: object, _cursor: object, statement: str, *_more: object) -> None:
        said.append(statement)

    sa.event.listen(databases.control_engine, "before_cursor_execute", note)
    try:
        yield said
    finally:
        sa.event.remove(databases.control_engine, "before_cursor_execute", note)
