"""What a cohort report and people's own words look like: one sentence, then chart, table and what to do next. Pure."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta

from bot import grammar
from bot.views import figures
from bot.views.blocks import (
    Block,
    Cell,
    Message,
    Number,
    actions,
    bar_chart,
    clip,
    context_line,
    escape,
    section,
    table,
)
from bot.views.buttons import run_button
from core import segments
from core.segments import EVERYONE, Segment
from feedback.reports import CohortReport, CohortRow
from feedback.scores import Change, Score

NAMES = {
    "csat": "CSAT", "nps": "NPS", "ces": "Effort score", "rating": "Rating", "thumbs": "Thumbs up",
}  # fmt: skip
CHART_ROWS = 20
TABLE_ROWS = 50
QUOTE = 400
LABELED = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Verbatim:
    """What one person wrote, the cohort when it is large enough to be named, and the rating beside it.

    `name` stands for the text in commands.
    """

    text: str
    cohort: str | None
    rating: str | None
    name: str | None = None


def cohort_report(report: CohortReport, *, since: timedelta, poll: str, version: str | None, shared: bool) -> Message:
    """`poll` is its name; `version` the one a ticket would be about; `shared` leaves out what only the asker needs."""
    text = sentence(report, since)
    if report.overall is None:
        return Message(text=text, blocks=(section(text), context_line(_about(report, poll))))
    blocks: list[Block] = [section(text)]
    chart = _chart(report)
    if chart is not None:
        blocks.append(chart)
    if report.rows:
        blocks.append(_table(report))
    blocks.append(context_line(_about(report, poll)))
    blocks.append(actions(*_buttons(report, since, version, shared)))
    return Message(text=text, blocks=tuple(blocks))


def sentence(report: CohortReport, since: timedelta) -> str:
    """Who, how long, how many, how good, the worst, and how many are withheld."""
    about = who(report.model, since, report.where)
    left_out = figures.left_out(report.left_out, report.minimum)
    if report.overall is None and report.installs >= report.minimum:
        return f"{about}: with what was told before, a score would tell about fewer than {report.minimum} people."
    if report.overall is None:
        return f"{about}: fewer than {report.minimum} people have answered, so no score is shown{left_out}."
    parts = [f"{about}, {figures.count(report.overall.n)} answers{left_out}."]
    change = f", {_moved(report.change)}" if report.change is not None else ""
    parts.append(f"{name(report)} {_interval(report.overall)}{change}.")
    if worst := _worst(report):
        parts.append(f"Worst: {escape(worst.cohort)} {_interval(worst.score)}, n={worst.score.n}{_was(worst)}.")
    if report.hidden:
        cohorts = "1 cohort" if report.hidden == 1 else f"{report.hidden} cohorts"
        parts.append(f"{cohorts} hidden (too few people).")
    if report.is_earlier:
        parts.append(f"As of {figures.moment(report.until)}: too few people have answered since.")
    return " ".join(parts)


def name(report: CohortReport) -> str:
    return NAMES.get(report.question.type, "Score")


def verbatims(
    who: str, minimum: int, found: Sequence[Verbatim] | None, *, line: str, shared: bool,
    labels: Callable[[str, str], Block] | None = None,
) -> Message:  # fmt: skip
    """`found` is None when too few people are in the cohort; `line` is the command, to share it.

    `labels` makes the buttons that say what a text (its name, and a mark of its own) is about."""
    if found is None:
        text = f"{who}: fewer than {minimum} people, so their words stay theirs."
        return Message(text=text, blocks=(section(text),))
    if not found:
        text = f"{who}: nobody wrote anything."
        return Message(text=text, blocks=(section(text),))
    text = f"{who}: what people wrote, the latest first."
    blocks = [section(text)]
    for place, each in enumerate(found):
        rated = f"rated {each.rating}" if each.rating is not None else "not rated"
        blocks.append(section("> " + escape(clip(" ".join(each.text.split()), QUOTE))))
        blocks.append(context_line(escape(" · ".join(part for part in (rated, each.cohort) if part))))
        if labels is not None and each.name is not None and place < LABELED and not shared:
            blocks.append(labels(each.name, f"q{place}"))
    if not shared:
        blocks.append(actions(run_button("Share in channel", f"{line} --share")))
    return Message(text=text, blocks=tuple(blocks))


def who(model: str, since: timedelta, where: Segment) -> str:
    """The model, the period, and the devices when not all."""
    told = f"*{escape(model)}*, {_span(since)}"
    return told if where == EVERYONE else f"{told}, {escape(clip(segments.text(where), 200))}"


def _chart(report: CohortReport) -> Block | None:
    rows = report.rows[:CHART_ROWS]
    if len(rows) < 2:
        return None
    series = {"now": [_drawn(row.score) for row in rows]}
    if all(row.before is not None for row in rows):
        series["before"] = [_drawn(row.before) for row in rows if row.before is not None]
    unit = {"share": " %", "points": "", "mean": " (mean)"}[report.rows[0].score.unit]
    return bar_chart(
        f"{name(report)}{unit} by {_words(report.attribute)}",
        [row.cohort for row in rows],
        series,
        x_label=_words(report.attribute),
        y_label=f"{name(report)}{unit}",
    )


def _table(report: CohortReport) -> Block:
    head = [_words(report.attribute), name(report), "95 %", "answers", "before", "change", "response rate"]
    rows: list[list[Cell]] = []
    for row in report.rows[:TABLE_ROWS]:
        mark = " ▼" if row in report.low_cohorts else ""
        rows.append(
            [
                f"{row.cohort}{mark}",
                Number(_drawn(row.score), _value(row.score)),
                _range(row.score),
                Number(row.score.n, figures.count(row.score.n)),
                _value(row.before) if row.before is not None else "–",
                _moved(row.change) if row.change is not None else "–",
                figures.share(row.response_rate.value) if row.response_rate is not None else "–",
            ]
        )
    left_out = len(report.rows) - len(rows)
    more = f", and {left_out} more" if left_out else ""
    caption = f"{report.model} by {_words(report.attribute)}, worst first{more}"
    return table(head, rows, caption=caption)


def _about(report: CohortReport, poll: str) -> str:
    parts = [f"Poll {escape(poll)}: “{escape(clip(report.question.question, 200))}”"]
    if report.question.privacy:
        parts.append("computed back from randomized answers")
    if report.response_rate is not None:
        parts.append(f"response rate {figures.share(report.response_rate.value)} of {report.response_rate.n} shown")
    parts.append("▼ worse than all together beyond chance" if report.low_cohorts else "intervals are 95 %")
    return " · ".join(parts)


def _buttons(report: CohortReport, since: timedelta, version: str | None, shared: bool) -> list[Block]:
    line = command(report, since)
    buttons = [] if shared else [run_button("Share in channel", f"{line} --share")]
    if ticket := _ticket_line(report, version):
        buttons.append(run_button("Open ticket", ticket))
    if report.attribute != "model_version":
        buttons.append(run_button("Compare versions", command(report, since, by="model_version"), mark="versions"))
    buttons.append(run_button("What they wrote", command(report, since, quotes=True)))
    return buttons


def command(report: CohortReport, since: timedelta, *, by: str | None = None, quotes: bool = False) -> str:
    """The command line that shows this report again, split otherwise, or the words behind it."""
    parts = ["feedback", "quotes"] if quotes else ["feedback"]
    parts.append(grammar.quote(report.model))
    if not quotes:
        parts.append(f"by={by or report.attribute}")
    parts.append(f"since={_period(since)}")
    if report.where != EVERYONE:
        parts.append(f"where={grammar.quote(segments.text(report.where))}")
    return " ".join(parts)


def _ticket_line(report: CohortReport, version: str | None) -> str | None:
    """Opens the form for a ticket, filled with the worst cohort; None when there is nothing bad to tell."""
    worst = _worst(report)
    if worst is None or worst.segment is None:
        return None
    told = f"{name(report)} {_interval(worst.score)}, n={worst.score.n}{_was(worst)}"
    target = f"{report.model}@{version}" if version else ""
    parts = ["ticket open", "metric=csat", f"where={grammar.quote(segments.text(worst.segment))}"]
    parts += [f"target={grammar.quote(target)}"] if target else []
    return " ".join([*parts, f"reason={grammar.quote(told)}"])


def _worst(report: CohortReport) -> CohortRow | None:
    """The lowest row, when it is below all together."""
    if len(report.rows) < 2 or report.overall is None or report.rows[0].score.value >= report.overall.value:
        return None
    return report.rows[0]


def _was(row: CohortRow) -> str:
    return f", was {_value(row.before)}" if row.before is not None else ""


def _moved(change: Change) -> str:
    """A change and its interval; one that may be chance says so."""
    show = {"share": figures.points, "points": figures.signed, "mean": figures.signed}[change.unit]
    return f"{show(round(change.value, 3))}" + ("" if change.is_clear else " (may be chance)")


def _interval(score: Score) -> str:
    return f"{_value(score)} ({_range(score)})"


def _value(score: Score) -> str:
    match score.unit:
        case "share":
            return f"{round(100 * score.value)} %"
        case "points":
            return figures.signed(round(score.value))
        case "mean":
            return f"{score.value:.1f}"


def _range(score: Score) -> str:
    match score.unit:
        case "share":
            return f"{round(100 * score.low)}–{round(100 * score.high)}"
        case "points":
            return f"{round(score.low)} to {round(score.high)}"
        case "mean":
            return f"{score.low:.1f}–{score.high:.1f}"


def _drawn(score: Score) -> float:
    return round(100 * score.value, 1) if score.unit == "share" else round(score.value, 2)


def _span(since: timedelta) -> str:
    hours = round(since.total_seconds() / 3600)
    return f"{hours // 24} days" if hours % 24 == 0 and hours > 24 else f"{hours} hours"


def _period(since: timedelta) -> str:
    hours = round(since.total_seconds() / 3600)
    return f"{hours // 24}d" if hours % 24 == 0 else f"{hours}h"


def _words(attribute: str) -> str:
    return attribute.replace("_", " ")
