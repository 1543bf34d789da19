"""What people do with tickets: report a regression by hand, link an issue of theirs, mute a fingerprint."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy.orm import Session

from bot import permissions, ticket_notes, tickets
from bot.context import Context
from bot.flows import cohort_report
from bot.flows.look import look
from bot.flows.regression import PROPERTY, mark
from bot.flows.release_card import BEFORE_START
from bot.ticket_rules import Evidence, RegressionFacts, Ticket
from core import audit, segments
from core.db import reading
from core.engine import enqueue
from core.errors import ConflictError, InvalidInputError, NotFoundError, Problem
from core.segments import EVERYONE, Segment
from feedback.regressions import fingerprint
from releases import artifact_store, store
from releases.guardrails import Finding
from releases.plan import Release
from releases.wording import share

REPORTED = "reported"
_RELEASE = re.compile(r"[Rr]\d{1,9}")
_VERSION = re.compile(r"([\w.-]+)(?:@([\w.+-]+))?")
_ISSUE = re.compile(r"[A-Z][A-Z0-9_]+-\d+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What a person says is wrong. `channel` and `thread` are where they said it, `delivery` what it came with."""

    target: str
    metric: str | None
    where: Segment
    reason: str | None
    by: str
    channel: str | None
    thread: str | None
    delivery: str | None
    is_dry_run: bool


def listed(ctx: Context, *, model: str | None) -> tuple[Ticket, ...]:
    with reading(ctx.databases.control) as session:
        return tickets.recent(session, app=ctx.settings.app, model=model)


def shown(ctx: Context, ref: str) -> tuple[Ticket, ...]:
    """Return the ticket, or all of a release. Raises: NotFoundError."""
    with reading(ctx.databases.control) as session:
        if _RELEASE.fullmatch(ref):
            return tickets.of_release(session, store.load_release(session, ref).id)
        return (_found(ctx, session, ref),)


def report(ctx: Context, said: Report) -> tuple[Ticket, ...]:
    """Want a ticket for what was reported, or try again those that are there already; return them.

    Raises: NotFoundError: no such release or ticket; InvalidInputError: neither of them; NotAllowedError.
    """
    with reading(ctx.databases.control) as session:
        known = _known(session, said)
    if known:
        return _try_again(ctx, known, said)
    regression = _regression(ctx, said)
    now = ctx.clock()
    with ctx.databases.control.begin() as session:
        _require(ctx, session, said.by, regression.model, f"open a ticket about {regression.model}")
        ticket = tickets.want(session, regression, now=now, channel=said.channel, thread=said.thread)
        subject = regression.release_id or ticket.fingerprint
        facts = {"fingerprint": ticket.fingerprint, "metric": regression.metric, "cohort": regression.cohort}
        audit.record(session, who=said.by, what="ticket.reported", subject=subject, now=now, facts=facts)
        if said.is_dry_run:
            session.rollback()
    return (ticket,)


def link(ctx: Context, ref: str, key: str, *, by: str, is_dry_run: bool) -> Ticket:
    """Make an issue that a person wrote the ticket of a regression.

    Raises: InvalidInputError: no such issue; ConflictError: the ticket or the issue is taken; NotFoundError;
        NotAllowedError; UpstreamError: Jira does not answer.
    """
    key = key.upper()
    if ctx.jira is None:
        raise ConflictError("No Jira is set up: MUSTER_JIRA_URL, _TOKEN and _PROJECT.")
    with reading(ctx.databases.control) as session:
        ticket = _the_one(ctx, session, ref)
        _require(ctx, session, by, ticket.regression.model, f"link {ref}")
        _require_free(session, ticket, key)
    if not _ISSUE.fullmatch(key) or ctx.jira.find(key) is None:
        raise InvalidInputError(Problem("", f"Jira has no issue {key}, or our account may not see it"))
    if is_dry_run:
        return ticket
    ctx.jira.put_property(key, PROPERTY, mark(ticket))
    now = ctx.clock()
    with ctx.databases.control.begin() as session:
        _require_free(session, tickets.load(session, ticket.fingerprint, lock=True), key)
        after = ticket_notes.opened(session, ticket.fingerprint, key, now, told_band=None)
        tickets.wake(session, after, why=f"linked {key}")
        facts = {"key": key, "fingerprint": ticket.fingerprint}
        subject = ticket.regression.release_id or ticket.fingerprint
        audit.record(session, who=by, what="ticket.linked", subject=subject, now=now, facts=facts)
    return after


def mute(ctx: Context, ref: str, span: timedelta, *, by: str, is_dry_run: bool) -> Ticket:
    """Let a fingerprint rest. Raises: NotFoundError; NotAllowedError."""
    now = ctx.clock()
    with ctx.databases.control.begin() as session:
        before = tickets.load(session, _the_one(ctx, session, ref).fingerprint, lock=True)
        _require(ctx, session, by, before.regression.model, f"mute {ref}")
        after = tickets.mute(session, before, until=now + span)
        facts = {"fingerprint": after.fingerprint, "until": (now + span).isoformat()}
        subject = after.regression.release_id or after.fingerprint
        audit.record(session, who=by, what="ticket.muted", subject=subject, now=now, facts=facts)
        if release := after.regression.release_id:
            enqueue(session, "show_card", key=f"{release}/ticket/{after.revision}", release=release)
        if is_dry_run:
            session.rollback()
    return after


def _known(session: Session, said: Report) -> tuple[Ticket, ...]:
    """Return the tickets that `open` means without opening another; none when something new is reported."""
    if said.metric or said.reason or said.where != EVERYONE:
        return ()
    if _RELEASE.fullmatch(said.target):
        return tickets.of_release(session, store.load_release(session, said.target).id)
    found = tickets.find(session, said.target)
    return () if found is None else (found,)


def _try_again(ctx: Context, known: Sequence[Ticket], said: Report) -> tuple[Ticket, ...]:
    """Wake them; a muted one is wanted again."""
    now = ctx.clock()
    after = []
    with ctx.databases.control.begin() as session:
        for each in known:
            _require(ctx, session, said.by, each.regression.model, f"open {said.target}")
            ticket = tickets.load(session, each.fingerprint, lock=True)
            ticket = tickets.unmute(session, ticket) if ticket.state == "muted" else ticket
            tickets.wake(session, ticket, why=said.delivery or now.isoformat())
            after.append(ticket)
        if said.is_dry_run:
            session.rollback()
    return tuple(after)


def _regression(ctx: Context, said: Report) -> RegressionFacts:
    if _RELEASE.fullmatch(said.target):
        return _of_release(ctx, said)
    named = _VERSION.fullmatch(said.target)
    version = named and (named[2] or cohort_report.version_in_question(ctx, named[1]))
    if not named or not version:
        problem = f"is neither a release, a ticket nor a model with its version; for example R12 or {said.target}@1.4.0"
        raise InvalidInputError(Problem(said.target, problem))
    if not (said.metric or said.reason):
        raise InvalidInputError(Problem("reason", 'is missing: say what is wrong, such as reason="crashes at start"'))
    model = named[1]
    with reading(ctx.databases.control) as session:
        if not artifact_store.find_artifacts(session, app=ctx.settings.app, model=model, version=version):
            raise NotFoundError(f"There is no {model} {version}; `{ctx.settings.slack_command} model list` shows all.")
    return _facts(ctx, said, model=model, version=version)


def _of_release(ctx: Context, said: Report) -> RegressionFacts:
    with reading(ctx.databases.control) as session:
        release = store.load_release(session, said.target)
        rollout = store.load_rollout(session, release.id)
        files = artifact_store.find_artifacts(session, app=release.app, model=release.model)
    findings = () if rollout.state in BEFORE_START else look(ctx, release, rollout, ctx.clock()).findings
    stage = release.plan.stages[rollout.stage]
    offered = (*release.baselines, *release.candidates)
    return _facts(
        ctx,
        said,
        model=release.model,
        version=release.candidate_version,
        release=release,
        stage=f"{rollout.stage + 1} of {len(release.plan.stages)} ({share(stage.percent)})",
        evidence=tuple(row for finding in findings if (row := _row(finding)) is not None),
        artifacts=tuple((f"{file.version} {file.variant}", file.sha256) for file in files if file.sha256 in offered),
    )


def _facts(
    ctx: Context,
    said: Report,
    *,
    model: str,
    version: str,
    release: Release | None = None,
    stage: str | None = None,
    evidence: tuple[Evidence, ...] = (),
    artifacts: tuple[tuple[str, str], ...] = (),
) -> RegressionFacts:
    app, metric = ctx.settings.app, said.metric or REPORTED
    cohort = "" if said.where == EVERYONE else segments.text(said.where)
    return RegressionFacts(
        fingerprint=fingerprint(app, model, metric, cohort, version),
        app=app,
        model=model,
        metric=metric,
        cohort=cohort,
        first_bad_version=version,
        sentence=said.reason or f"Somebody reported that {model} {version} is worse.",
        baseline_version=release.baseline_version if release else None,
        release_id=release.id if release else None,
        release=release.name if release else None,
        stage=stage,
        evidence=evidence,
        artifacts=artifacts,
        reported_by=said.by,
    )


def _row(finding: Finding) -> Evidence | None:
    """Return what a guardrail measured over everybody, None when it has not enough."""
    values = (finding.baseline, finding.candidate, finding.effect, finding.low, finding.high)
    if None in values:
        return None
    baseline, candidate, effect, low, high = (float(value or 0.0) for value in values)
    return Evidence(
        cohort="", metric=finding.guardrail.metric, baseline=baseline, candidate=candidate, effect=effect, low=low,
        high=high, n_baseline=finding.n_baseline, n_candidate=finding.n_candidate, relative=finding.relative,
    )  # fmt: skip


def _the_one(ctx: Context, session: Session, ref: str) -> Ticket:
    """Raises: NotFoundError: none; ConflictError: a release has several."""
    if not _RELEASE.fullmatch(ref):
        return _found(ctx, session, ref)
    found = tickets.of_release(session, store.load_release(session, ref).id)
    if not found:
        raise NotFoundError(
            f"{ref.upper()} has no ticket yet; `{ctx.settings.slack_command} ticket open {ref.upper()}`"
        )
    if len(found) > 1:
        names = ", ".join(f"`{ticket.fingerprint}`" for ticket in found)
        raise ConflictError(f"{ref.upper()} has several tickets; name one of them: {names}.")
    return found[0]


def _found(ctx: Context, session: Session, ref: str) -> Ticket:
    ticket = tickets.find(session, ref)
    if ticket is None:
        command = f"{ctx.settings.slack_command} ticket list"
        raise NotFoundError(f"There is no ticket {ref}; `{command}` shows the newest with their fingerprints.")
    return ticket


def require_to_open(ctx: Context, by: str) -> None:
    """Raises: NotAllowedError: they may open no ticket about any model."""
    with reading(ctx.databases.control) as session:
        roles = permissions.ANY_ROLE
        permissions.require(session, ctx.settings.slack_admins, by, roles, model=None, act="open a ticket")


def _require(ctx: Context, session: Session, person: str, model: str, act: str) -> None:
    permissions.require(session, ctx.settings.slack_admins, person, permissions.ANY_ROLE, model=model, act=act)


def _require_free(session: Session, ticket: Ticket, key: str) -> None:
    if ticket.key is not None:
        raise ConflictError(f"That regression has its ticket already: {ticket.key}.")
    if ticket.attempted_at is not None:
        raise ConflictError("That ticket is being opened just now; look again in a minute.")
    other = tickets.find(session, key)
    if other is not None and other.key == key:
        raise ConflictError(f"{key} is the ticket of another regression: `{other.fingerprint}`.")
