"""Digest: the week of an app in one page, in the order in which it is read.

The facts and the page are described in feedback/digest_parts.py; other rooms import them from here. Pure.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, Final

from feedback.digest_parts import (
    CohortLine,
    Counted,
    Digest,
    Health,
    Kpi,
    ModelLine,
    ModelWeek,
    NoiseNote,
    Number,
    Past,
    ReleaseWeek,
    ThemeLine,
    TicketLine,
    TicketState,
    TicketWeek,
    Verdict,
)
from feedback.reports import CohortRow
from feedback.scores import Score, difference, noised_share

__all__ = [
    "CohortLine",
    "Counted",
    "Digest",
    "Health",
    "Kpi",
    "ModelWeek",
    "NoiseNote",
    "Number",
    "ReleaseWeek",
    "ThemeLine",
    "TicketLine",
    "TicketWeek",
    "compose_digest",
    "only",
]

COHORTS_SHOWN: Final = 3
QUOTES_SHOWN: Final = 3
THEMES_SHOWN: Final = 5
TREND_WEEKS: Final = 7
WEEK: Final = timedelta(days=7)
SCORE_NAMES: Final = {"csat": "CSAT", "nps": "NPS", "ces": "CES", "rating": "rating", "thumbs": "thumbs up"}
# Below so many answers the interval of a share is wider than 14 points to each side: shown in gray.
SMALL_N: Final = 50
_URGENCY: Final[dict[Verdict, int]] = {"Act": 0, "Watch": 1, "Healthy": 2}


def compose_digest(
    week: str,
    *,
    app: str,
    starts: datetime,
    ends: datetime,
    models: Sequence[ModelWeek],
    releases: Sequence[ReleaseWeek] = (),
    tickets: Sequence[TicketWeek] = (),
    health: Health | None = None,
    earlier: Sequence[Digest] = (),
) -> Digest:
    """Return the digest of the ISO week `week` ("2026-W47"), [starts, ends).

    `earlier` are digests of the same app; those of the seven weeks before give the numbers their trend.
    """
    health = health or Health()
    told = [ticket for ticket in tickets if ticket.opened < ends and (ticket.closed is None or ticket.closed >= starts)]
    if _is_empty(models, releases, told, health):
        headline = f"{week}: no answers, no inferences, no release moved, no ticket."
        return Digest(app=app, week=week, starts=starts, ends=ends, headline=headline, is_empty=True)
    numbers = tuple(
        replace(number, trend=_trend(number, starts, earlier)) for model in models for number in _numbers(model)
    )
    lines = tuple(
        _judge(model, releases, told, [number for number in numbers if number.model == model.model], ends)
        for model in models
    )
    worst, best = _extremes(models)
    return Digest(
        app=app,
        week=week,
        starts=starts,
        ends=ends,
        headline=_headline(week, lines),
        is_empty=False,
        models=tuple(sorted(lines, key=lambda line: (_URGENCY[line.verdict], line.model))),
        wanted=tuple(release for release in releases if release.wants),
        moved=tuple(sorted((release for release in releases if release.moved), key=lambda release: release.at)),
        numbers=numbers,
        worst=tuple(_cohort_line(*each) for each in worst),
        best=tuple(_cohort_line(*each) for each in best),
        themes=_themes(models),
        quotes=tuple(quote for model in models for quote in model.quotes)[:QUOTES_SHOWN],
        tickets=tuple(_ticket_line(ticket, starts, ends) for ticket in sorted(told, key=lambda ticket: ticket.opened)),
        health=health,
        kpis=tuple(kpi for model in models for kpi in model.kpis),
    )


def only(digest: Digest, models: Collection[str]) -> Digest:
    """Return what the digest says of some models; quotes belong to none, so they are left out."""

    def mine(parts: tuple[Any, ...]) -> tuple[Any, ...]:
        return tuple(part for part in parts if part.model in models)

    lines = mine(digest.models)
    return replace(
        digest, headline=_headline(digest.week, lines), models=lines, wanted=mine(digest.wanted),
        moved=mine(digest.moved), numbers=mine(digest.numbers), worst=mine(digest.worst), best=mine(digest.best),
        themes=mine(digest.themes), quotes=(), tickets=mine(digest.tickets), kpis=mine(digest.kpis),
    )  # fmt: skip


def _themes(models: Sequence[ModelWeek]) -> tuple[ThemeLine, ...]:
    """Return what most people wrote about; what is new comes first."""
    found = [theme for model in models for theme in model.themes]
    return tuple(sorted(found, key=lambda theme: (not theme.is_new, -theme.people, theme.name))[:THEMES_SHOWN])


def _is_empty(
    models: Sequence[ModelWeek], releases: Sequence[ReleaseWeek], tickets: Sequence[TicketWeek], health: Health
) -> bool:
    heard = any(count is None or count for count in (health.impressions, health.responses, health.reporting))
    answered = any(model.report and model.report.installs for model in models)
    counted = any(each.n for model in models for each in model.counted)
    return not (heard or answered or counted or releases or tickets)


def _headline(week: str, lines: Sequence[ModelLine]) -> str:
    counts = [(verdict, sum(line.verdict == verdict for line in lines)) for verdict in _URGENCY]
    told = ", ".join(f"{count} × {verdict}" for verdict, count in counts if count)
    return f"{week}: {told}." if told else f"{week}: no model has reported."


def _judge(
    model: ModelWeek,
    releases: Sequence[ReleaseWeek],
    tickets: Sequence[TicketWeek],
    numbers: Sequence[Number],
    ends: datetime,
) -> ModelLine:
    acts = [f"{each.release} {each.sentence}" for each in releases if each.model == model.model and each.stopped]
    unsolved = [each for each in tickets if each.model == model.model and (each.closed is None or each.closed >= ends)]
    if acts:
        return ModelLine(model=model.model, verdict="Act", reason=_sentence(acts[-1]))
    watched = [*_worsened(numbers), *_low(model)]
    if unsolved:
        watched.append(f"{len(unsolved)} ticket{'s' if len(unsolved) > 1 else ''} open")
    waiting = [each for each in releases if each.model == model.model and each.wants]
    watched += [f"{each.release} waits for a decision" for each in waiting]
    if watched:
        return ModelLine(model=model.model, verdict="Watch", reason=_sentence("; ".join(watched)))
    solid = [number for number in numbers if not number.is_small]
    if not solid:
        return ModelLine(model=model.model, verdict="Watch", reason="Too few people to tell.")
    return ModelLine(model=model.model, verdict="Healthy", reason=_sentence(f"{_said(solid[0])}, nothing got worse"))


def _worsened(numbers: Sequence[Number]) -> list[str]:
    found = []
    for number in numbers:
        change, more_is_worse = number.change, number.name not in SCORE_NAMES.values()
        if change and change.is_clear and not number.is_small and (change.value > 0) is more_is_worse:
            found.append(f"{number.name} {'rose' if more_is_worse else 'fell'} to {_said(number, name=False)}")
    return found


def _low(model: ModelWeek) -> list[str]:
    low = model.report.low_cohorts if model.report else ()
    if not low:
        return []
    return [f"{low[0].cohort} is low: {_interval(low[0].score)}"]


def _numbers(model: ModelWeek) -> list[Number]:
    found = []
    if model.report and model.report.overall:
        overall, name = model.report.overall, SCORE_NAMES[model.report.question.type]
        small = overall.n < SMALL_N
        found.append(Number(model=model.model, name=name, score=overall, change=model.report.change, is_small=small))
    for each in model.counted:
        if each.n > 0:
            now = noised_share(each.hits, each.n, spread=each.noise)
            change = difference(now, _before(each)) if each.n_before > 0 else None
            small = each.n < SMALL_N
            found.append(Number(model=model.model, name=each.name, score=now, change=change, is_small=small))
    return found


def _before(each: Counted) -> Score:
    return noised_share(each.hits_before, each.n_before, spread=each.noise_before)


def _trend(number: Number, starts: datetime, earlier: Sequence[Digest]) -> tuple[Past, ...]:
    """Return what was said of the number before, in its unit of today; a week that nobody told of is left out."""
    found = []
    for digest in sorted(earlier, key=lambda each: each.starts):
        weeks_ago = round((starts - digest.starts) / WEEK)
        if not 1 <= weeks_ago <= TREND_WEEKS:
            continue
        found += [
            Past(week=digest.week, weeks_ago=weeks_ago, score=past.score)
            for past in digest.numbers
            if (past.model, past.name, past.score.unit) == (number.model, number.name, number.score.unit)
        ]
    return tuple(found)


Cohort = tuple[ModelWeek, CohortRow]


def _extremes(models: Sequence[ModelWeek]) -> tuple[list[Cohort], list[Cohort]]:
    """Return the worst cohorts and the best: none among both, none above its model's overall score among the worst and
    none below it among the best."""
    rows = [(model, row) for model in models if model.report for row in model.report.rows if row.segment is not None]
    ranked = sorted(rows, key=lambda each: (_distance(*each), each[1].cohort))
    most = min(COHORTS_SHOWN, (len(ranked) + 1) // 2)
    worst = [each for each in ranked[:most] if _distance(*each) <= 0]
    best = [each for each in ranked[: len(worst) - 1 if worst else None : -1] if _distance(*each) >= 0]
    return worst, best[:COHORTS_SHOWN]


def _distance(model: ModelWeek, row: CohortRow) -> float:
    """Return how far a cohort is from its model's overall score, on a scale that all kinds of scores share."""
    overall = model.report.overall if model.report else None
    spread = {"share": 1.0, "points": 200.0, "mean": 4.0}[row.score.unit]
    return round((row.score.value - overall.value) / spread, 9) if overall else 0.0


def _cohort_line(model: ModelWeek, row: CohortRow) -> CohortLine:
    attribute = model.report.attribute if model.report else ""
    return CohortLine(model=model.model, attribute=attribute, cohort=row.cohort, score=row.score, change=row.change)


def _ticket_line(ticket: TicketWeek, starts: datetime, ends: datetime) -> TicketLine:
    is_closed = ticket.closed is not None and ticket.closed < ends
    until = ticket.closed if ticket.closed is not None and is_closed else ends
    age = (until - ticket.opened).days
    state: TicketState = "closed" if is_closed else "opened" if ticket.opened >= starts else "still open"
    return TicketLine(model=ticket.model, title=ticket.title, key=ticket.key, url=ticket.url, state=state, age_days=age)


def _said(number: Number, *, name: bool = True) -> str:
    told = f"{_interval(number.score)}, n={number.score.n}"
    return f"{number.name} {told}" if name else told


def _interval(score: Score) -> str:
    match score.unit:
        case "share":
            decimals = 0 if score.value >= 0.1 else 2
            value, low, high = (f"{100 * part:.{decimals}f}" for part in (score.value, score.low, score.high))
            return f"{value} % ({low}–{high})"
        case "points":
            return f"{score.value:+.0f} ({score.low:+.0f} to {score.high:+.0f})"
        case "mean":
            return f"{score.value:.1f} ({score.low:.1f}–{score.high:.1f})"


def _sentence(text: str) -> str:
    return text if text.endswith((".", "!", "?")) else f"{text}."
