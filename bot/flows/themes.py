"""What people write about a model, as themes: found, labeled, and made a ticket of."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

from bot import themes, tickets
from bot.context import Context
from bot.themes import theme_of
from bot.ticket_rules import RegressionFacts, Ticket
from bot.views import themes as views
from core import audit
from core.db import reading
from core.disclosure import withhold
from core.errors import InvalidInputError, NotFoundError, Problem
from core.segments import EVERYONE, Segment
from feedback import store as feedback
from feedback.digest import ThemeLine
from feedback.regressions import fingerprint
from feedback.store import Said
from feedback.texts import Text
from feedback.theme_labels import Label
from feedback.themes import NewTerm, Theme, find_themes, new_terms
from releases import artifact_store
from releases.store import load_release

WEEKS_BEFORE: Final = 4
LABELS_FROM: Final = timedelta(days=180)
BY: Final = "chipset"
METRIC: Final = "theme"


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    model: str
    since: timedelta
    where: Segment


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """The themes of a period. `names` are texts → their names in commands; `releases` ids → R-numbers; `keys` themes →
    their tickets; `offered` are the themes to offer as labels. `is_hidden`: too few people wrote to tell anything."""

    themes: tuple[Theme, ...]
    news: tuple[NewTerm, ...]
    people: int
    texts: int
    is_hidden: bool
    names: Mapping[str, str]
    releases: Mapping[str, str]
    keys: Mapping[str, str]
    offered: tuple[str, ...]
    labeled: int


def tell(ctx: Context, asked: Asked, *, until: datetime | None = None) -> Told:
    """Find the themes of the period that ends at `until` (now), against the four as long ones before."""
    now, app = until or ctx.clock(), ctx.settings.app
    said = _said(ctx, asked, now - max(LABELS_FROM, (1 + WEEKS_BEFORE) * asked.since), now)
    start, before = now - asked.since, now - (1 + WEEKS_BEFORE) * asked.since
    mine = [each for each in said if each.at >= start]
    with reading(ctx.databases.control) as session:
        known = themes.labels(session, app=app, model=asked.model)
        wanted = tickets.recent(session, app=app, model=asked.model, limit=200)
    people = len({each.install for each in mine})
    texts = _texts(mine, ctx.settings.minimum_cohort)
    earlier = _texts([each for each in said if before <= each.at < start], ctx.settings.minimum_cohort)
    labels = [Label(words=each.words, theme=known[each.name]) for each in said if each.name in known]
    is_hidden = people < ctx.settings.minimum_cohort
    return Told(
        themes=() if is_hidden else find_themes(texts, before=earlier, labels=labels),
        news=() if is_hidden else new_terms(texts, earlier),
        people=people,
        texts=len(mine),
        is_hidden=is_hidden,
        names={each.words: each.name for each in mine},
        releases=_release_names(ctx, {each.release for each in mine if each.release}),
        keys={each.regression.cohort: each.key or "being opened" for each in wanted
              if each.regression.metric == METRIC},
        offered=themes.offered(known),
        labeled=len(labels),
    )  # fmt: skip


def week_lines(ctx: Context, model: str, *, starts: datetime, ends: datetime) -> tuple[ThemeLine, ...]:
    """Return the themes of a week, for its digest."""
    found = tell(ctx, Asked(model=model, since=ends - starts, where=EVERYONE), until=ends)
    return tuple(
        ThemeLine(model=model, name=each.name, people=each.people, is_new=each.is_new, change=each.change)
        for each in found.themes
    )


def named(ctx: Context, asked: Asked) -> Mapping[str, str]:
    """Return the name of each text of the period, by its words."""
    now = ctx.clock()
    return {each.words: each.name for each in _said(ctx, asked, now - asked.since, now)}


def offered(ctx: Context, model: str) -> tuple[str, ...]:
    with reading(ctx.databases.control) as session:
        return themes.offered(themes.labels(session, app=ctx.settings.app, model=model))


def label(ctx: Context, model: str, text: str, theme: str | None, *, by: str, is_dry_run: bool) -> str:
    """Give a text a theme and return the theme's name. Raises: InvalidInputError; NotFoundError: no such text."""
    name = theme_of(theme)
    now, app = ctx.clock(), ctx.settings.app
    asked = Asked(model=model, since=LABELS_FROM, where=EVERYONE)
    if text not in {each.name for each in _said(ctx, asked, now - LABELS_FROM, now)}:
        raise NotFoundError(f"There is no text {text} about {model}; it may have been forgotten by now.")
    if not is_dry_run:
        with ctx.databases.control.begin() as session:
            themes.label(session, text, name, app=app, model=model, by=by, now=now)
    return name


def want_ticket(
    ctx: Context, asked: Asked, theme: str | None, *, by: str, channel: str | None, is_dry_run: bool
) -> Ticket:
    """Want the ticket of a theme; wanting twice is one ticket.

    Raises: InvalidInputError: no theme is named; NotFoundError: there is no such theme just now.
    """
    if not theme:
        raise InvalidInputError(Problem("theme", "name the theme as `feedback themes` tells it"))
    told = tell(ctx, asked)
    found = next((each for each in told.themes if each.name == theme), None)
    if found is None:
        names = ", ".join(each.name for each in told.themes[:10]) or "none"
        raise NotFoundError(f"There is no theme “{theme}” just now; there are: {names}.")
    now, app = ctx.clock(), ctx.settings.app
    with ctx.databases.control.begin() as session:
        baselines = artifact_store.current_baselines(session, app=app, model=asked.model)
        facts = _facts(app, asked, found, baselines[0].version if baselines else "any", by)
        releases = [each for each, _ in found.by_release]
        if len(releases) == 1:
            release = load_release(session, releases[0])
            facts = replace(facts, release_id=release.id, release=release.name)
        if is_dry_run:
            return Ticket(regression=facts, state="pending", band=0, revision=0, wanted_at=now)
        ticket = tickets.want(session, facts, now=now, channel=channel)
        audit.record(session, who=by, what="ticket.wanted", subject=facts.fingerprint, now=now, facts={"theme": theme})
    return ticket


def _facts(app: str, asked: Asked, theme: Theme, version: str, by: str) -> RegressionFacts:
    return RegressionFacts(
        fingerprint=fingerprint(app, asked.model, METRIC, theme.name, version),
        app=app, model=asked.model, metric=METRIC, cohort=theme.name, first_bad_version=version,
        sentence=views.sentence(theme), verbatims=theme.quotes, reported_by=by,
    )  # fmt: skip


def _said(ctx: Context, asked: Asked, since: datetime, until: datetime) -> tuple[Said, ...]:
    with feedback.fresh(ctx.databases.ingest) as session:
        return feedback.texts(
            session, app=ctx.settings.app, model=asked.model, since=since, until=until, key=ctx.settings.sealing,
            where=asked.where,
        )  # fmt: skip


def _texts(said: list[Said], minimum: int) -> list[Text]:
    """Return them for the search; a cohort is named only if who wrote there may be counted beside everyone."""
    wrote: dict[Hashable, set[str]] = {}
    for each in said:
        wrote.setdefault(each.device.label(BY), set()).add(each.install)
    cells = [frozenset({name}) for name in wrote]
    hidden = withhold(
        [frozenset(wrote), *cells], minimum=minimum,
        people=lambda names: len(set[str]().union(*(wrote[name] for name in names))),
    )  # fmt: skip
    shown = {name for place, name in enumerate(wrote, 1) if place not in hidden} - {None}
    return [
        Text(
            words=each.words, install=each.install, at=each.at, is_low=each.is_low, release=each.release,
            cohort=each.device.label(BY) if each.device.label(BY) in shown else None,
        )
        for each in said
    ]  # fmt: skip


def _release_names(ctx: Context, ids: set[str]) -> dict[str, str]:
    found = {}
    with reading(ctx.databases.control) as session:
        for each in ids:
            try:
                found[each] = load_release(session, each).name
            except NotFoundError:
                continue  # phones may name a release that was never here
    return found
