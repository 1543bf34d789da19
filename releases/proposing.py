"""Proposing a release from a pipeline: everything that is wrong with it at once, and nothing that starts by itself.

What a pipeline may do ends where a person's approval begins: the proposal waits in Slack, and a key cannot approve.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from sqlalchemy.orm import Session

from core import audit
from core.engine import enqueue
from core.errors import InvalidInputError, Problem
from core.values import MODEL_NAME, NO_MODEL_NAME, is_storable
from releases import plan as plans
from releases import store
from releases.plan import A_A, Plan, Release
from releases.plan_words import LONGEST_WORD, PROPOSAL_WORDS
from releases.rollout import Rollout, State, Submit, apply


def propose(session: Session, body: object, *, app: str, by: str, now: datetime) -> tuple[Release, Rollout, bool]:
    """Write the proposal down and ask people for approval; return whether it is new.

    The same proposal by the same key again, while it is open, is the one that is there.
    Raises: InvalidInputError: with every mistake; ConflictError: the model's slot is taken.
    """
    asked = _read(body)
    plan = _plan(session, asked, app=app)
    model, version, rival, reason = asked["model"], asked["version"], asked.get("versus"), asked.get("reason")
    known = find_same(session, app=app, model=model, version=version, rival=rival, plan=plan, by=by)
    if known is not None:
        return *known, False
    release, draft = store.create_release(
        session, app=app, model=model, version=version, plan=plan, by=by, reason=reason, now=now, rival=rival
    )
    rollout = apply(draft, Submit(reason=reason) if reason else Submit(), now)
    store.save_rollout(session, draft, rollout)
    facts = {"revision": rollout.revision, "stage": rollout.stage, "state": str(rollout.state)}
    store.add_event(session, release.id, what="proposed", who=by, reason=rollout.reason, now=now, facts=facts)
    told = {"release": release.id, "model": release.model, "reason": rollout.reason, "plan": release.plan_hash, **facts}
    audit.record(session, who=by, what="release.proposed", subject=release.id, now=now, facts=told)
    # The worker's jobs that show a proposal of a person as well.
    key = f"{release.id}/{rollout.revision}"
    enqueue(session, "show_card", key=key, release=release.id)
    enqueue(session, "announce", key=key, release=release.id, revision=str(rollout.revision))
    return release, rollout, True


def find_same(
    session: Session, *, app: str, model: str, version: str, rival: str | None, plan: Plan, by: str
) -> tuple[Release, Rollout] | None:
    """Return the open release that this very proposal made before: a request or a command that was heard twice.

    One that is being rolled back is not: its files are quarantined, so the same proposal has become a mistake."""
    for release, rollout in store.open_releases(session, app=app, model=model):
        if rollout.state is State.ROLLING_BACK:
            continue
        same = (release.candidate_version, release.rival_version, release.plan, release.proposed_by)
        if same == (version, rival, plan, by):
            return release, rollout
    return None


def _plan(session: Session, asked: Mapping[str, str], *, app: str) -> Plan:
    """Raises: InvalidInputError: with every mistake of the plan and, then, of the files as well."""
    try:
        return plans.read(asked)
    except InvalidInputError as error:
        wrong = store.what_is_wrong(
            session, app=app, model=asked["model"], version=asked["version"], rival=asked.get("versus"),
            is_aa=asked.get("mode") == A_A,
        )  # fmt: skip
        taken = store.why_taken(session, app=app, model=asked["model"])
        raise InvalidInputError(*error.problems, *wrong, *([Problem("", taken)] if taken else [])) from error


def outcome(rollout: Rollout) -> str:
    """Return what a pipeline that waits has to know: waiting, running, stopped, done or failed."""
    match str(rollout.state):
        case "draft" | "awaiting_approval" | "scheduled":
            return "waiting"
        case "progressing":
            return "running"
        case "paused" | "halted":
            return "stopped"
        case "completed" | "superseded":
            return "done"
        case _:
            return "failed"


def _read(body: object) -> dict[str, str]:
    if not isinstance(body, Mapping):
        raise InvalidInputError(Problem("", 'must be an object such as {"model": "kws", "version": "1.4.0", …}'))
    problems = [
        Problem(str(name), "is not known; known are " + ", ".join(PROPOSAL_WORDS))
        for name in body
        if name not in PROPOSAL_WORDS
    ]
    asked: dict[str, str] = {}
    for name in PROPOSAL_WORDS:
        value = body.get(name)
        if isinstance(value, bool) or not isinstance(value, str | int | float | None):
            problems.append(Problem(name, "must be text as people type it, such as to=1,5,25,100"))
        elif value is not None and len(str(value)) > LONGEST_WORD:
            problems.append(Problem(name, f"must have at most {LONGEST_WORD} characters"))
        elif not is_storable(str(value)):
            problems.append(Problem(name, "has a character that cannot be kept: NUL, or half of one such as an emoji"))
        elif value is not None and str(value).strip():
            asked[name] = str(value).strip()
    problems += [Problem(name, "must be said") for name in ("model", "version") if name not in asked]
    if "model" in asked and not MODEL_NAME.fullmatch(asked["model"]):
        problems.append(Problem("model", NO_MODEL_NAME))
    if problems:
        raise InvalidInputError(*problems)
    return asked
