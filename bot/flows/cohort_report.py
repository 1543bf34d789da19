"""A cohort report, from what is stored to facts that a view can show: load, split, score, withhold."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from bot.context import Context
from core.db import reading
from core.errors import NotFoundError
from core.segments import Segment, suggestion
from feedback import polls, store
from feedback.reports import CohortReport, build_report
from feedback.store import StoredPoll
from releases.artifact_store import find_artifacts
from releases.store import open_releases


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What a person wants to know: `since` is how far back; `poll` a P-number or id when a model has several."""

    model: str
    attribute: str
    since: timedelta
    where: Segment
    poll: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Words:
    """What one person wrote; `cohort` only where a report would show that cohort as well."""

    text: str
    cohort: str | None
    rating: str | None


def report(ctx: Context, asked: Asked) -> tuple[StoredPoll, CohortReport]:
    """Raises: NotFoundError: no poll asks about the model; InvalidInputError: no such attribute."""
    poll = poll_of(ctx, asked.model, asked.poll)
    now = ctx.clock()
    app, minimum = ctx.settings.app, ctx.settings.minimum_cohort
    since, before = now - asked.since, now - 2 * asked.since
    with reading(ctx.databases.ingest) as session:
        answers = store.answer_counts(
            session, app=app, model=asked.model, attribute=asked.attribute, since=since, until=now, where=asked.where,
            poll=poll.poll.id,
        )  # fmt: skip
        answers_before = store.answer_counts(
            session, app=app, model=asked.model, attribute=asked.attribute, since=before, until=since,
            where=asked.where, poll=poll.poll.id,
        )  # fmt: skip
        shown = store.impressions(
            session, app=app, model=asked.model, attribute=asked.attribute, since=since, until=now, where=asked.where,
            poll=poll.poll.id,
        )  # fmt: skip
    built = build_report(
        model=asked.model,
        question=polls.primary_question(poll.poll),
        attribute=asked.attribute,
        since=since,
        until=now,
        answers=answers,
        answers_before=answers_before,
        impressions=shown,
        minimum=minimum,
        where=asked.where,
    )
    return poll, built


def verbatims(ctx: Context, asked: Asked, *, limit: int) -> tuple[Words, ...] | None:
    """Return the latest scrubbed words; None when fewer people than the minimum are in the cohort.

    Raises: NotFoundError: no poll asks about the model; InvalidInputError: no such attribute."""
    _, seen = report(ctx, asked)
    if seen.overall is None:
        return None
    shown = {row.cohort for row in seen.rows if row.segment is not None}
    with reading(ctx.databases.ingest) as session:
        found = store.quotes(
            session, app=ctx.settings.app, model=asked.model, since=seen.since, until=seen.until,
            key=ctx.settings.secret_key, where=asked.where, limit=limit,
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
        mine = [poll for poll in known if poll.model == model]
        if not mine:
            names = sorted({poll.model for poll in known})
            has_artifact = bool(find_artifacts(session, app=app, model=model))
            raise NotFoundError(_no_poll(model, names, has_artifact, ctx.settings.slack_command))
    return next((poll for poll in mine if poll.poll.status == "running"), mine[0])


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
