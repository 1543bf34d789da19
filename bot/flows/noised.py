"""The counts of people in a week's digest, noised and charged to the week's privacy budget, where that is set.

An install counts once in each query: it answered or was asked only, reported or was silent, crashed or not; in themes,
once in each. Composing a digest asks; a preview repeats what was told and asks nothing.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from sqlalchemy.orm import Session

from bot import ledger
from bot.context import Context
from bot.noise import MISSING
from bot.weeks import Week
from core.db import reading
from feedback import store
from feedback.digest import THEMES_SHOWN, Counted, Health, NoiseNote, ThemeLine
from feedback.noised import Budget, Charge, Query, Refused, in_turn, spent, spread
from feedback.scores import noised_share
from feedback.store import ANSWERED, ASKED_ONLY, BOTH, CRASHED, TIMED_OUT, Activity

INSTALLS: Final = "installs"
REPORTING: Final = "reporting"
SILENT: Final = "silent"
NOT_YET: Final = Refused(reason="they are told when the digest of the week is composed")
NO_EXTRA: Final = Refused(reason="OpenDP is not installed (extra dp)")

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class NoisedWeek:
    """What was told of a week and of the one before, by query; `refused` are queries → why not."""

    told: Mapping[str, Charge]
    before: Mapping[str, Charge]
    refused: Mapping[str, str]
    budget: Budget


def budget_of(ctx: Context) -> Budget | None:
    """Return the budget, or None where counts are not noised."""
    per_week = ctx.settings.dp_epsilon_per_week
    return None if per_week is None else Budget(per_week=per_week, per_query=ctx.settings.dp_epsilon_per_query)


def tell(
    ctx: Context,
    session: Session,
    week: Week,
    before: Week,
    themes: Mapping[str, Sequence[ThemeLine]],
    *,
    charges: bool,
) -> NoisedWeek | None:
    """Ask the week's queries, by model of `themes`; None where counts are not noised. `session` reads what phones sent.

    Without `charges`, or without OpenDP, only what was told before is repeated.
    """
    budget = budget_of(ctx)
    if budget is None:
        return None
    app = ctx.settings.app
    with reading(ctx.databases.control) as control:
        earlier = {each.key: each for each in ledger.charges(control, app=app, week=before.name)}
        known = {each.key: each for each in ledger.charges(control, app=app, week=week.name)}
    queries = _queries(session, app, week, before, themes)
    if ctx.noise is None or not charges:
        reason = NOT_YET if ctx.noise is not None else NO_EXTRA
        refused = {query.key: reason.reason for query in queries if query.key not in known}
        return NoisedWeek(told=known, before=earlier, refused=refused, budget=budget)
    with ctx.databases.control.begin() as control:
        found = {
            query.key: ledger.ask(
                control, query, app=app, week=week.name, budget=budget, source=ctx.noise, now=ctx.clock()
            )
            for query in in_turn(queries, week=week.starts.toordinal() // 7, budget=budget)
        }
    told = {key: each for key, each in found.items() if isinstance(each, Charge)}
    refused = {key: each.reason for key, each in found.items() if isinstance(each, Refused)}
    log.info("digest.noised", extra={"week": week.name, "told": len(told), "refused": len(refused)})
    return NoisedWeek(told=known | told, before=earlier, refused=refused, budget=budget)


def activity(told: Mapping[str, Charge], models: Iterable[str]) -> dict[str, Activity]:
    """Return the activity of each model from noised counts of people alone; what was not told is 0, as are sums."""
    found = {}
    for model in models:
        polls, ran = _cells(told, _polls(model)), _cells(told, _telemetry(model))
        answered = polls.get(ANSWERED, 0)
        found[model] = Activity(
            model=model, impressions=answered + polls.get(ASKED_ONLY, 0), responses=answered, respondents=answered,
            reporting=sum(ran.values()), inferences=0, crashes=0, timeouts=0,
            crashed=ran.get(CRASHED, 0) + ran.get(BOTH, 0), timed_out=ran.get(TIMED_OUT, 0) + ran.get(BOTH, 0),
        )  # fmt: skip
    return found


def counted(noised: NoisedWeek, model: str, shares: Sequence[Counted]) -> tuple[Counted, ...]:
    """Say how far off the shares may be for their noise; each side of them is the sum of two noised cells."""

    def noise(told: Mapping[str, Charge]) -> float:
        charge = told.get(_telemetry(model))
        return 0.0 if charge is None else math.sqrt(2) * spread(charge.scale)

    now, before = noise(noised.told), noise(noised.before)
    return tuple(replace(each, name=f"{each.name} (noised)", noise=now, noise_before=before) for each in shares)


def health(noised: NoisedWeek, models: Sequence[str], *, suppressed_cohorts: int) -> Health:
    """Return the noised counts of the whole app; None where one of the models' was withheld."""
    answered = asked = None
    rate = None
    if not any(_polls(model) in noised.refused for model in models):
        charges = [noised.told[_polls(model)] for model in models if _polls(model) in noised.told]
        answered = sum(each.cells[ANSWERED] for each in charges)
        asked = answered + sum(each.cells[ASKED_ONLY] for each in charges)
        off = math.hypot(*(spread(each.scale) for each in charges))
        rate = noised_share(answered, asked, spread=off) if asked else None
    seen = noised.told.get(INSTALLS)
    return Health(
        impressions=asked, responses=answered, response_rate=rate,
        reporting=None if seen is None else seen.cells[REPORTING], silent=None if seen is None else seen.cells[SILENT],
        suppressed_cohorts=suppressed_cohorts, noise=note(noised),
    )  # fmt: skip


def theme_lines(noised: NoisedWeek, model: str, lines: Sequence[ThemeLine]) -> tuple[ThemeLine, ...]:
    """Return the themes that were told, with noised counts; how much they changed would tell the exact ones."""
    cells = _cells(noised.told, _themes(model))
    return tuple(
        replace(line, people=cells[line.name], change=None, is_noised=True) for line in lines if cells.get(line.name)
    )


def note(noised: NoisedWeek) -> NoiseNote:
    """Return what the digest says of its noise."""
    reasons = dict.fromkeys(noised.refused.values())
    return NoiseNote(
        epsilon=noised.budget.per_query,
        spent=spent(tuple(noised.told.values())),
        budget=noised.budget.per_week,
        scales=tuple(sorted({each.scale for each in noised.told.values()})),
        withheld=tuple((reason, tuple(k for k, why in noised.refused.items() if why == reason)) for reason in reasons),
    )


def warn_if_missing(ctx: Context) -> None:
    """Say at the start, so that somebody acts, that noise is wanted and cannot be made."""
    if budget_of(ctx) is not None and ctx.noise is None:
        log.error("noise.missing", extra={"told": MISSING})


def _queries(
    session: Session, app: str, week: Week, before: Week, themes: Mapping[str, Sequence[ThemeLine]]
) -> list[Query]:
    heard = len(store.installs_seen(session, app=app, since=week.starts, first_before=week.ends))
    known = len(store.installs_seen(session, app=app, since=before.starts, first_before=week.ends))
    polled = store.polled_tallies(session, app=app, since=week.starts, until=week.ends)
    ran = store.harm_tallies(session, app=app, since=week.starts, until=week.ends)
    queries = [Query(key=INSTALLS, cells={REPORTING: heard, SILENT: known - heard}, bound=1)]
    for model, lines in themes.items():
        if model in polled:
            queries.append(Query(key=_polls(model), cells=polled[model], bound=1))
        if model in ran:
            queries.append(Query(key=_telemetry(model), cells=ran[model], bound=1))
        if told := lines[:THEMES_SHOWN]:
            cells = {line.name: line.people for line in told}
            queries.append(Query(key=_themes(model), cells=cells, bound=len(cells)))
    return queries


def _cells(told: Mapping[str, Charge], key: str) -> Mapping[str, int]:
    charge = told.get(key)
    return {} if charge is None else charge.cells


def _polls(model: str) -> str:
    return f"answers of {model}"


def _telemetry(model: str) -> str:
    return f"telemetry of {model}"


def _themes(model: str) -> str:
    return f"themes of {model}"
