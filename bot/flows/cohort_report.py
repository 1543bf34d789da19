"""A cohort report as facts that a view can show, and what people wrote."""

from __future__ import annotations

from dataclasses import dataclass

from bot.context import Context
from core.db import reading
from core.errors import NotFoundError
from core.segments import suggestion
from feedback import reporting, store
from feedback.reporting import Asked, choose
from feedback.reports import CohortReport
from feedback.store import StoredPoll
from releases.artifact_store import find_artifacts
from releases.store import open_releases


@dataclass(frozen=True, slots=True, kw_only=True)
class Words:
    """What one person wrote; `cohort` only where a report would show that cohort as well."""

    text: str
    cohort: str | None
    rating: str | None


def report(ctx: Context, asked: Asked) -> tuple[StoredPoll, CohortReport]:
    """Raises: NotFoundError: no poll asks about the model; InvalidInputError: no such attribute."""
    poll = poll_of(ctx, asked.model, asked.poll)
    minimum, app = ctx.settings.minimum_cohort, ctx.settings.app
    return poll, reporting.report(ctx.databases, poll, asked, app=app, minimum=minimum, now=ctx.clock())


def verbatims(ctx: Context, asked: Asked, *, limit: int) -> tuple[Words, ...] | None:
    """Return the latest scrubbed words; None when fewer people than the minimum are in the cohort.

    Raises: NotFoundError: no poll asks about the model; InvalidInputError: no such attribute."""
    _, seen = report(ctx, asked)
    if seen.overall is None:
        return None
    shown = {row.cohort for row in seen.rows if row.segment is not None}
    with store.fresh(ctx.databases.ingest) as session:
        found = store.quotes(
            session, app=ctx.settings.app, model=asked.model, since=seen.since, until=seen.until,
            key=ctx.settings.sealing, where=asked.where, limit=limit,
        )  # fmt: skip
    told = [(quote, quote.device.label(seen.attribute)) for quote in found]
    return tuple(
        Words(text=quote.text, cohort=cohort if cohort in shown else None, rating=quote.rating)
        for quote, cohort in told
    )


def poll_of(ctx: Context, model: str, ref: str | None) -> StoredPoll:
    """The poll that is meant, or that runs for the model, or else its newest.

    Raises: NotFoundError: there is none; says what there is."""
    app = ctx.settings.app
    with reading(ctx.databases.control) as session:
        if ref is not None:
            return store.find_poll(session, ref, app=app)
        known = store.list_polls(session, app)
        chosen = choose(known, model)
        if chosen is None:
            names = sorted({poll.model for poll in known})
            has_artifact = bool(find_artifacts(session, app=app, model=model))
            raise NotFoundError(_no_poll(model, names, has_artifact, ctx.settings.slack_command))
    return chosen


def version_in_question(ctx: Context, model: str) -> str | None:
    """The candidate of the model's open release: what a new regression is probably about."""
    with reading(ctx.databases.control) as session:
        found = open_releases(session, app=ctx.settings.app, model=model)
    return found[-1][0].candidate_version if found else None


def _no_poll(model: str, names: list[str], has_artifact: bool, command: str) -> str:
    if has_artifact or not names:
        return f"No poll asks about {model} yet: `{command} poll create {model}` makes one."
    near = suggestion(model, names) or "."
    return f"There is no model {model}{near} Polls ask about: {', '.join(names[:10])}."
