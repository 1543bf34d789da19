"""The digest as a web page: server-rendered, whole in itself, readable on a phone, on paper and aloud. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import cache
from pathlib import Path
from typing import Final

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from bot.views import charts, figures
from bot.views.charts import Axis
from feedback.digest import CohortLine, Digest, Number
from feedback.scores import Change, Score

TEMPLATES: Final = Path(__file__).parent / "templates"
TONES: Final = {"Healthy": "good", "Watch": "watch", "Act": "bad"}
MARKS: Final = {"Healthy": "✓", "Watch": "!", "Act": "✕"}
STEPS: Final = {"share": 0.1, "points": 20.0, "mean": 1.0}
ENDS: Final = {"share": (0.0, 1.0), "points": (-100.0, 100.0), "mean": (0.0, 10.0)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    """One cohort's score as text and as a drawing."""

    name: str
    model: str
    figure: str
    change: str
    tone: str
    svg: Markup


@dataclass(frozen=True, slots=True, kw_only=True)
class Bars:
    """Cohorts on one axis, whose ends are named."""

    title: str
    bars: tuple[Bar, ...]
    ends: tuple[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One number of the week."""

    model: str
    name: str
    value: str
    interval: str
    n: str
    change: str
    tone: str
    is_small: bool


def digest_page(digest: Digest, *, composed: str) -> str:
    """Return the page; `composed` says when it was made."""
    return (
        _environment()
        .get_template("digest.html")
        .render(
            digest=digest,
            composed=composed,
            period=f"{figures.day(digest.starts)} – {figures.day(digest.ends - timedelta(seconds=1))}",
            tones=TONES,
            marks=MARKS,
            rows=[number_row(number) for number in digest.numbers],
            cohorts=cohort_bars(digest),
            count=figures.count,
            moment=figures.moment,
            rate=digest.health.response_rate and said(digest.health.response_rate),
        )
    )


def notice(title: str, *lines: str) -> str:
    """Return a page that says why there is nothing to see."""
    return _environment().get_template("notice.html").render(title=title, lines=lines)


def render(template: str, **facts: object) -> str:
    """Return a page made of a template; it may bring a `style` sheet of its own."""
    facts = {name: Markup(fact) if name == "style" else fact for name, fact in facts.items()}  # noqa: S704 (our own files)
    return _environment().get_template(template).render(**facts)


@cache
def style() -> str:
    """Return the one style sheet, which stands in every page to the letter."""
    return (TEMPLATES / "page.css").read_text()


def number_row(number: Number) -> Row:
    return Row(
        model=number.model,
        name=number.name,
        value=value(number.score),
        interval=interval(number.score),
        n=figures.count(number.score.n),
        change=change(number.change),
        tone="unclear" if number.is_small else tone(number),
        is_small=number.is_small,
    )


def cohort_bars(digest: Digest) -> list[Bars]:
    """Return the worst and the best cohorts, all on one axis as far as they have one unit."""
    found = []
    for title, lines in (("Worst", digest.worst), ("Best", digest.best)):
        if lines:
            unit = lines[0].score.unit
            axis = _axis([line.score for line in (*digest.worst, *digest.best) if line.score.unit == unit], unit)
            bars = tuple(
                _bar(line, axis if line.score.unit == unit else _axis([line.score], line.score.unit)) for line in lines
            )
            found.append(Bars(title=title, bars=bars, ends=(_plain(axis.low, unit), _plain(axis.high, unit))))
    return found


def _axis(scores: Sequence[Score], unit: str) -> Axis:
    low, high = ENDS[unit]
    marks = [mark for score in scores for mark in (score.low, score.high)]
    return charts.axis_of(marks, least=low, most=high, step=STEPS[unit])


def said(score: Score) -> str:
    """86 % (84 to 88), n = 1 904."""
    return f"{value(score)} ({interval(score)}), n = {figures.count(score.n)}"


def value(score: Score) -> str:
    return _plain(score.value, score.unit)


def interval(score: Score) -> str:
    return f"{_bare(score.low, score.unit)} to {_bare(score.high, score.unit)}"


def change(moved: Change | None) -> str:
    """+4 pt (+1 to +7), or a dash when there was nothing to compare with."""
    if moved is None:
        return "–"
    factor = 100 if moved.unit == "share" else 1
    unit = "" if moved.unit == "mean" else f"{figures.NARROW}pt"
    middle, low, high = (figures.signed(round(factor * part, 2)) for part in (moved.value, moved.low, moved.high))
    return f"{middle}{unit} ({low} to {high})"


def tone(number: Number) -> str:
    """Return "better" or "worse" when the change is beyond chance, else "unclear"."""
    moved = number.change
    if moved is None or not moved.is_clear:
        return "unclear"
    is_more = moved.value > 0
    more_is_better = number.name in MORE_IS_BETTER
    return "better" if is_more is more_is_better else "worse"


MORE_IS_BETTER: Final = frozenset({"CSAT", "NPS", "CES", "rating", "thumbs up"})


def _bar(line: CohortLine, axis: Axis) -> Bar:
    """Red and green are for changes beyond chance, not for being low or high."""
    score, moved = line.score, line.change
    before = None if moved is None else score.value - moved.value
    was = "" if before is None else f"was {_plain(before, score.unit)}"
    is_clear = moved is not None and moved.is_clear
    is_better = moved is not None and moved.value > 0
    words = f"{line.cohort}: {said(score)}" + (f", {was}" if was else "")
    drawn = charts.interval(
        axis,
        value=score.value,
        low=score.low,
        high=score.high,
        said=words,
        tone=("good" if is_better else "bad") if is_clear else "",
        before=before,
    )
    return Bar(
        name=line.cohort,
        model=line.model,
        figure=said(score),
        change=was,
        tone=("better" if is_better else "worse") if is_clear else "unclear",
        svg=drawn,
    )


def _plain(number: float, unit: str) -> str:
    match unit:
        case "share":
            return f"{_bare(number, unit)}{figures.NARROW}%"
        case _:
            return _bare(number, unit)


def _bare(number: float, unit: str) -> str:
    match unit:
        case "share":
            percent = 100 * number
            return figures.plain(round(percent) if percent >= 10 else round(percent, 1 if percent >= 1 else 2))
        case "points":
            return figures.signed(round(number))
        case _:
            return figures.plain(round(number, 1))


@cache
def _environment() -> Environment:
    made = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.globals["style"] = Markup(style())  # noqa: S704 (our own file)
    return made
