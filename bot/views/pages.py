"""The digest as a web page: server-rendered, whole in itself, readable on a phone, on paper and aloud. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final

from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape
from markupsafe import Markup

from bot.glossary import GLOSSARY, anchor, read
from bot.views import charts, figures
from bot.views.charts import Point
from bot.views.digest_strokes import Stroke, cohort_strokes
from bot.views.digest_words import (
    age,
    goal_said,
    health_lines,
    number_row,
    period,
    plain,
    repeats,
    said,
    theme_line,
    trend_said,
)
from feedback.digest import Digest, Number

TEMPLATES: Final = Path(__file__).parent / "templates"
TONES: Final = {"Healthy": "good", "Watch": "watch", "Act": "bad"}
TERMS: Final = ("Cohort", "CSAT", "NPS", "Score", "Response rate", "Guardrail", "Release", "Halt", "Roll back", "Theme")
MARKS: Final = {"Healthy": "✓", "Watch": "!", "Act": "✕"}


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


def digest_page(digest: Digest, *, composed: str, command: str = "/muster") -> str:
    """Return the page; `composed` says when it was made, `command` is what people type in Slack."""
    return render(
        "digest.html",
        digest=digest,
        composed=composed,
        period=period(digest),
        tones=TONES,
        marks=MARKS,
        rows=[number_row(number) for number in digest.numbers],
        trends=[trend_line(number) for number in digest.numbers],
        headline=digest.headline.removeprefix(f"{digest.week}: "),
        cohorts=cohort_bars(digest),
        count=figures.count,
        moment=figures.moment,
        repeats=repeats(digest, command),
        terms=[(term, anchor(term)) for term in TERMS],
    )


def glossary_page() -> str:
    """Return every word with its meaning, each under its own anchor."""
    told = dict.fromkeys(read(GLOSSARY).values())
    terms = sorted(((tuple(names.split(", ")), means) for names, means in told), key=lambda each: each[0][0].lower())
    return render("glossary.html", terms=terms, anchor=anchor)


def notice(title: str, *lines: str, button: str = "", field: str = "") -> str:
    """Return a page that says why there is nothing to see, or asks for one press of a button, which may set a field."""
    return render("notice.html", title=title, lines=lines, button=button, field=field)


def render(template: str, **facts: object) -> str:
    """Fill a template; every text in it is escaped, but for a .txt. It may bring a `style` sheet of its own."""
    facts = {name: Markup(fact) if name == "style" else fact for name, fact in facts.items()}  # noqa: S704 (our own files)
    return _environment().get_template(template).render(**facts)


@cache
def style() -> str:
    """Return the one style sheet, which stands in every page to the letter."""
    return (TEMPLATES / "page.css").read_text()


def cohort_bars(digest: Digest) -> list[Bars]:
    """Return the worst and the best cohorts, drawn as SVG."""
    found = []
    for title, strokes in cohort_strokes(digest):
        axis, unit = strokes[0].axis, strokes[0].line.score.unit
        ends = (plain(axis.low, unit), plain(axis.high, unit))
        found.append(Bars(title=title, bars=tuple(_bar(stroke) for stroke in strokes), ends=ends))
    return found


def trend_line(number: Number) -> Markup:
    """Draw the weeks before and this one; nothing where there was no digest before."""
    if not number.trend:
        return Markup("")
    told = [(-past.weeks_ago, past.score) for past in number.trend] + [(0, number.score)]
    points = [Point(x=x, value=score.value, low=score.low, high=score.high) for x, score in told]
    tone = {"better": "good", "worse": "bad"}.get(number_row(number).tone, "")
    return charts.spark(points, said=trend_said(number), tone=tone)


def _bar(stroke: Stroke) -> Bar:
    score = stroke.line.score
    return Bar(
        name=stroke.line.cohort,
        model=stroke.line.model,
        figure=said(score),
        change=stroke.was,
        tone={"good": "better", "bad": "worse", "": "unclear"}[stroke.tone],
        svg=charts.interval(
            stroke.axis,
            value=score.value,
            low=score.low,
            high=score.high,
            said=stroke.said,
            tone=stroke.tone,
            before=stroke.before,
        ),
    )


@cache
def _environment() -> Environment:
    made = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=select_autoescape(disabled_extensions=("txt",), default=True),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.globals["style"] = Markup(style())  # noqa: S704 (our own file)
    made.globals |= {"health_lines": health_lines, "theme_line": theme_line, "age": age, "goal_said": goal_said}
    return made
