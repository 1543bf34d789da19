"""A decision between two candidates as a page in Confluence: what was chosen, by whom, on which figures. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from markupsafe import Markup

from bot.views import figures
from integrations import storage_format as wiki
from releases.comparison import DecisionRecord
from releases.metrics import about
from releases.plan import Release

FOOTNOTE = ("Differences are of the first candidate minus the second, as they stood when it was decided; the interval "
            "is for one look.")  # fmt: skip
HEAD = ("Metric", "Cohort", "First", "n", "Second", "n", "Difference", "95 % interval")


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """`body` is storage format and names `subject`, by which the page is known among ours."""

    subject: str
    title: str
    body: str


def page(release: Release, made: DecisionRecord) -> Page:
    subject = f"decision/{release.id}"
    return Page(subject=subject, title=_title(made), body=_body(made, subject))


def _title(made: DecisionRecord) -> str:
    return f"Decision {made.release}: {made.model} {made.candidate} or {made.rival}"


def _body(made: DecisionRecord, origin: str) -> str:
    keeps = made.chosen == made.baseline
    chosen = f"{made.baseline} stays" if keeps else f"{made.chosen} is to be released"
    lead = wiki.paragraph(wiki.strong(f"{chosen}."), f" {made.reason}")
    facts = (
        ("Model", made.model), ("Baseline", made.baseline), ("First candidate", made.candidate),
        ("Second candidate", made.rival), ("Chosen", "neither" if keeps else made.chosen), ("Decided by", made.by),
        ("At", figures.moment(made.at)), ("Release", made.release),
    )  # fmt: skip
    parts: list[Markup] = [lead, wiki.table(("What", "Value"), facts)]
    if made.evidence:
        parts += [wiki.heading(2, "Evidence"), wiki.bullets(*made.evidence)]
    if made.figures:
        parts += [wiki.heading(2, "How the two differ"), wiki.table(HEAD, [_row(each) for each in made.figures])]
        parts.append(wiki.paragraph(FOOTNOTE))
    return wiki.document(*parts, origin=origin)


def _row(figure: Mapping[str, Any]) -> tuple[str, ...]:
    metric = about(figure["metric"])
    value, change = (figures.share, figures.points) if metric.is_share else (figures.plain, figures.signed)
    return (
        metric.title, figure["cohort"], value(figure["candidate"]), figures.count(figure["n_candidate"]),
        value(figure["rival"]), figures.count(figure["n_rival"]), change(figure["effect"]),
        f"{change(figure['low'])} to {change(figure['high'])}",
    )  # fmt: skip
