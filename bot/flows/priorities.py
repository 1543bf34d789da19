"""What to look at first: regressions that stand and themes of the week, of one model or of all, in one list."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

from bot import grammar, priorities, regressions, tickets
from bot.context import Context
from bot.flows import nightly, themes
from bot.flows.themes import Asked, Told
from bot.priorities import Line, PriorityList
from bot.regressions import Found
from bot.ticket_rules import Ticket
from bot.views import regression as regression_views
from bot.views import themes as theme_views
from bot.views.ticket import metric_words
from core.db import reading
from core.segments import EVERYONE
from feedback.priorities import RISING, Priority, Trend, Worse, rank
from feedback.regressions import Regression
from feedback.themes import Theme

WEEK: Final = timedelta(days=7)
MOST: Final = 40
TICKETS: Final = 200


def compose(ctx: Context, model: str | None) -> PriorityList:
    """Rank what is known now of the model, or of every model, and keep the list for its link."""
    app, now = ctx.settings.app, ctx.clock()
    names = [model] if model is not None else list(nightly.models(ctx))
    lines = [line for name in names for line in _of_model(ctx, name, now)]
    lines.sort(key=lambda line: (-line.weight, line.kind, line.title))
    made = PriorityList(id="", app=app, model=model, composed_at=now, lines=tuple(lines[:MOST]))
    with ctx.databases.control.begin() as session:
        return priorities.keep(session, made)


def _of_model(ctx: Context, model: str, now: datetime) -> list[Line]:
    app = ctx.settings.app
    with reading(ctx.databases.control) as session:
        standing = regressions.standing(session, app=app, model=model)
        wanted = {each.fingerprint: each for each in tickets.recent(session, app=app, model=model, limit=TICKETS)}
    told = themes.tell(ctx, Asked(model=model, since=WEEK, where=EVERYONE))
    worse = {_title(each): each for each in standing}
    ranked = rank(
        [_worse(each, wanted.get(each.fingerprint), now) for each in standing],
        told.themes,
        tickets=list(told.keys.items()),
    )
    by_name = {theme.name: theme for theme in told.themes}
    return [
        _of_regression(ctx, each, worse[each.title], wanted) if each.kind == "regression" else (
            _of_theme(ctx, each, by_name[each.title], told, model)
        )
        for each in ranked
    ]  # fmt: skip


def _worse(found: Found, ticket: Ticket | None, now: datetime) -> Worse:
    facts = found.facts
    regression = Regression(
        metric=found.metric, cohort=found.cohort, segment=EVERYONE, twins=facts.twins, baseline=facts.baseline,
        candidate=facts.candidate, effect=facts.effect, low=facts.low, high=facts.high,
        installs_baseline=facts.installs_baseline, installs_candidate=facts.installs_candidate, n_baseline=0.0,
        n_candidate=0.0, p=0.0, confidence=facts.confidence,
    )  # fmt: skip
    key = None if ticket is None else ticket.key or "being opened"
    is_new = found.first_seen >= now - WEEK
    return Worse(
        regression=regression, release=facts.release, ticket=key, is_new=is_new, trend=_trend(found)
    )  # fmt: skip


def _trend(found: Found) -> Trend:
    """Compare the effect now with that at the first look that is kept."""
    effects = [abs(point.candidate - point.baseline) for point in found.points]
    if len(effects) < 3 or not effects[0]:
        return "unknown"
    ratio = effects[-1] / effects[0]
    return "rising" if ratio >= RISING else "falling" if ratio <= 1 / RISING else "steady"


def _title(found: Found) -> str:
    return f"{found.metric} is worse for {found.cohort or 'everyone'}"


def _of_regression(ctx: Context, ranked: Priority, found: Found, wanted: dict[str, Ticket]) -> Line:
    ticket = wanted.get(found.fingerprint)
    where = f" where={grammar.quote(found.cohort)}" if found.cohort else ""
    target = grammar.quote(found.facts.release or f"{found.model}@{found.version}")
    what = metric_words(found.metric)
    return Line(
        kind="regression", model=found.model, title=f"{what[0].upper()}{what[1:]}: {found.cohort or 'everyone'}",
        detail=regression_views.sentence(found), reach=ranked.reach, severity=ranked.severity, weight=ranked.weight,
        trend=ranked.trend, release=ranked.release, ticket=ranked.ticket, url=_url(ctx, ticket.key if ticket else None),
        line=f"regression show {found.fingerprint}",
        ticket_line=None if ticket else f"ticket open {target} metric={found.metric}{where}",
        course=tuple(point.candidate for point in found.points),
    )  # fmt: skip


def _of_theme(ctx: Context, ranked: Priority, theme: Theme, told: Told, model: str) -> Line:
    name = grammar.quote(theme.name)
    return Line(
        kind="theme", model=model, title=f"People write about {theme.name}", detail=theme_views.sentence(theme),
        reach=ranked.reach, severity=ranked.severity, weight=ranked.weight, trend=ranked.trend,
        release=told.releases.get(ranked.release or ""), ticket=ranked.ticket,
        url=_url(ctx, told.keys.get(theme.name)), line=f"feedback themes {grammar.quote(model)}",
        ticket_line=None if ranked.ticket else f"feedback ticket {grammar.quote(model)} theme={name}",
    )  # fmt: skip


def _url(ctx: Context, key: str | None) -> str | None:
    return ctx.jira.browse_url(key) if ctx.jira is not None and key and "-" in key else None
