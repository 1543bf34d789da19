"""Two candidates against one baseline: what is known of both, and what people decide of it, with its evidence."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy.orm import Session

from bot import permissions, wiki_pages
from bot.context import Context
from bot.flows.measure import ways
from bot.flows.release import carry_out
from bot.flows.rival import Heard, hear, hear_rival
from bot.views import comparison_page
from core import audit, segments
from core.db import reading
from core.errors import ConflictError, InvalidInputError, Problem
from releases import store
from releases.cohort_guard import cohorts_of
from releases.comparison import Choice, Comparison, DecisionRecord, compare, record
from releases.measurements import Measurement
from releases.plan import Release
from releases.rollout import Complete, Rollout, State

BY: Final = (("platform",), ("tier",), ("chipset",))
COHORTS_AT_MOST: Final = 12
DECIDABLE: Final = frozenset({State.PROGRESSING, State.PAUSED, State.HALTED, State.COMPLETED})


@dataclass(frozen=True, slots=True, kw_only=True)
class Decided:
    """What was decided, and where the release is after it. `is_new`: not decided the same way before."""

    release: Release
    rollout: Rollout
    record: DecisionRecord
    comparison: Comparison
    is_new: bool = True


def require_two(release: Release) -> None:
    """Raises: InvalidInputError: the release has one candidate, so there is nothing to compare or to choose from."""
    if release.rival_version is None:
        begin = f"release start {release.model}@{release.candidate_version} versus=…"
        raise InvalidInputError(Problem("", f"{release.name} has one candidate, which replaces the baseline when it is "
                                        f"complete; `{begin}` compares two"))  # fmt: skip


def compare_now(ctx: Context, release: Release) -> Comparison:
    """Measure both candidates since the release began, for everybody and for the largest cohorts.

    Raises: InvalidInputError: the release compares nothing.
    """
    require_two(release)
    made = ways(release.plan.guardrails)
    both = [hear(ctx, release.app, release.id, release.candidate_version, made), hear_rival(ctx, release, made)]
    whole = [heard.measured() for heard in both]
    return compare(
        release.plan.guardrails, whole[0], whole[1], cohorts=_cohorts(both, least=ctx.settings.minimum_cohort)
    )


def decide(
    ctx: Context, ref: str, choice: str, *, reason: str | None, by: str, now: datetime, dry_run: bool = False,
    delivery: str | None = None,
) -> Decided:  # fmt: skip
    """Record which of the two is chosen, or neither, on the figures of this moment; a running comparison ends.

    Neither replaces the baseline: the chosen one is released next.
    Raises: InvalidInputError: nothing is compared, no such choice, no reason, or the chosen one breaks a guardrail;
        ConflictError: the release is over; NotAllowedError: with who can.
    """
    with reading(ctx.databases.control) as session:
        release = store.load_release(session, ref)
        permissions.require(session, ctx.settings.slack_admins, by, ("approver",), model=release.model,
                            act=f"decide {release.name}")  # fmt: skip
    comparison = compare_now(ctx, release)
    made = _record(release, comparison, choice, reason, by, now)
    with ctx.databases.control.begin() as session:
        rollout = store.load_rollout(session, release.id)
        if rollout.state not in DECIDABLE:
            raise ConflictError(f"{release.name} is {rollout.state.replace('_', ' ')}; there is nothing to decide.")
        if _is_decided(session, release, made):
            return Decided(release=release, rollout=rollout, record=made, comparison=comparison, is_new=False)
        if not dry_run:
            rollout = _write_down(ctx, session, release, rollout, made, now, delivery)
    return Decided(release=release, rollout=rollout, record=made, comparison=comparison)


def _write_down(
    ctx: Context, session: Session, release: Release, rollout: Rollout, made: DecisionRecord, now: datetime,
    delivery: str | None,
) -> Rollout:  # fmt: skip
    """Record the decision in history and audit log and want its page, in the caller's transaction."""
    facts = made.facts()
    store.add_event(session, release.id, what="decided", who=made.by, reason=made.reason, now=now,
                    facts=facts | {"delivery": delivery})  # fmt: skip
    audit.record(session, who=made.by, what="release.decided", subject=release.id, now=now, facts=facts)
    if ctx.confluence is not None:
        page = comparison_page.page(release, made)
        wiki_pages.want(session, page.subject, title=page.title, body=page.body, now=now)
    if rollout.state is not State.PROGRESSING:
        return rollout
    return carry_out(session, release, rollout, Complete(reason=f"decided: {made.chosen}"), by=made.by, now=now)


def _record(
    release: Release, comparison: Comparison, choice: str, reason: str | None, by: str, now: datetime
) -> DecisionRecord:
    names: dict[str, Choice] = {
        release.candidate_version: "candidate", str(release.rival_version): "rival", "neither": "neither",
        release.baseline_version: "neither",
    }  # fmt: skip
    problems = []
    chosen = names.get(choice)
    if chosen is None:
        problems.append(Problem("decision", f"must be {release.candidate_version}, {release.rival_version} or neither, "
                                f"not {choice or 'nothing'}"))  # fmt: skip
    if not reason:
        problems.append(Problem("reason", "must say why; it is kept with the figures"))
    if chosen in comparison.failed:
        problems.append(Problem("decision", f"{choice} breaks a guardrail; choose the other, or neither"))
    if problems or chosen is None or reason is None:
        raise InvalidInputError(*problems)
    return record(release, comparison, chosen=chosen, reason=reason, by=by, now=now)


def _is_decided(session: Session, release: Release, made: DecisionRecord) -> bool:
    """Return whether the last decision says the same: a command that was heard twice."""
    said = [event for event in store.history(session, release.id) if event.what == "decided"]
    return bool(said) and (said[-1].facts.get("chosen"), said[-1].reason, said[-1].who) == (
        made.chosen, made.reason, made.by
    )  # fmt: skip


def _cohorts(
    both: Sequence[Heard], *, least: int
) -> dict[str, tuple[tuple[Measurement, ...], tuple[Measurement, ...]]]:
    """Return what was measured in the largest cohorts; both candidates must have `least` installs in each."""
    found = []
    for segment, rows in cohorts_of(both[0].table, both[0].table.rows(), by=BY):
        installs = min(each.installs(segment) for each in both)
        if installs >= least:
            other = both[1].table
            measured = both[0].table.measure(rows), other.measure(other.rows(where=segment))
            found.append((installs, segments.text(segment), measured))
    found.sort(key=lambda each: (-each[0], each[1]))
    return {name: measured for _, name, measured in found[:COHORTS_AT_MOST]}
