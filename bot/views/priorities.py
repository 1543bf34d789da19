"""Priorities in Slack and as a page: what to look at first, how many it reaches and how bad it is for them. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from markupsafe import Markup

from bot import grammar
from bot.priorities import Line, PriorityList
from bot.views import figures, pages
from bot.views.blocks import (
    Block,
    Cell,
    Message,
    Number,
    actions,
    bar_chart,
    button,
    clip,
    context_line,
    escape,
    section,
    table,
)
from bot.views.buttons import run_button

SHOWN = 5
CHART = 12
TRENDS = {"new": "new", "rising": "rising", "steady": "steady", "falling": "falling", "unknown": "–"}
TONES = {"new": "watch", "rising": "bad", "falling": "good"}
ABOUT = "Weight is reach × severity: people for whom it is as bad as a crash (crash 1, bad rating 0.5, fallback 0.2)."


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One line of the page; `share` is its weight in percent of the heaviest."""

    line: Line
    rank: int
    reach: str
    severity: str
    weight: str
    share: float
    tone: str
    trend: str
    bar: Markup


def message(made: PriorityList, *, url: str, shared: bool) -> Message:
    of = f" of *{escape(made.model)}*" if made.model else ""
    if not made.lines:
        return Message(f"Nothing{of} stands out: no regression stands, and no five people write about one thing.")
    first = made.lines[0]
    text = (
        f"{_count(len(made.lines))}{of} to look at. First: {escape(first.title)} ({figures.count(first.reach)} people)."
    )
    blocks: list[Block] = [section(text)]
    if chart := _chart(made):
        blocks.append(chart)
    head = ["#", "what", "model", "reach", "severity", "weight", "trend", "release", "ticket"]
    rows: list[list[Cell]] = [
        [
            Number(place, str(place)), line.title, line.model, Number(line.reach, figures.count(line.reach)),
            Number(round(line.severity, 3), figures.plain(line.severity)),
            Number(round(line.weight, 2), figures.plain(line.weight)), TRENDS[line.trend], line.release or "–",
            line.ticket or "–",
        ]
        for place, line in enumerate(made.lines, 1)
    ]  # fmt: skip
    blocks.append(table(head, rows, caption="The heaviest first"))
    for place, line in enumerate(made.lines[:SHOWN], 1):
        blocks += _line(place, line)
    blocks.append(context_line(ABOUT))
    buttons = [button("Open the page", "link:priorities", made.id, url=url)]
    if not shared:
        asked = "feedback priorities" + (f" {grammar.quote(made.model)}" if made.model else "")
        buttons.append(run_button("Share in channel", f"{asked} --share"))
    return Message(text, (*blocks, actions(*buttons)))


def page(made: PriorityList, *, command: str) -> str:
    """Return the page. It asks nobody for anything: no script, no picture, no font."""
    heaviest = max((line.weight for line in made.lines), default=1.0) or 1.0
    rows = [_row(place, line, heaviest) for place, line in enumerate(made.lines, 1)]
    return pages.render(
        "priorities.html", made=made, rows=rows, about=ABOUT, command=command,
        composed=figures.moment(made.composed_at), title=f"Priorities of {made.model or made.app}",
    )  # fmt: skip


def _row(place: int, line: Line, heaviest: float) -> Row:
    share = max(1.0, 100 * line.weight / heaviest)
    said = f"{line.title}: weight {figures.plain(line.weight)}"
    bar = Markup(
        '<svg role="img" aria-label="{said}" height="14">'
        '<rect class="track" x="0" y="3" width="100%" height="8" rx="4"/>'
        '<rect class="{kind} weight" x="0" y="3" width="{share}%" height="8" rx="4"/></svg>'
    ).format(said=said, kind=line.kind, share=round(share, 1))
    return Row(
        line=line, rank=place, reach=figures.count(line.reach), severity=figures.plain(line.severity),
        weight=figures.plain(line.weight), share=share, tone=TONES.get(line.trend, "none"), trend=TRENDS[line.trend],
        bar=bar,
    )  # fmt: skip


def _line(place: int, line: Line) -> list[Block]:
    key = f"<{line.url}|{escape(line.ticket)}>" if line.url and line.ticket else escape(line.ticket or "")
    linked = " · ".join(part for part in (line.model, line.release or "", TRENDS[line.trend]) if part and part != "–")
    blocks = [section(f"*{place}. {escape(clip(line.title, 200))}*\n{escape(clip(line.detail, 600))}")]
    blocks.append(context_line(" · ".join(part for part in (escape(linked), key and f"ticket {key}") if part)))
    buttons = [run_button("Tell me more", line.line, mark=f"more-{place}")] if line.line else []
    if line.ticket_line:
        buttons.append(run_button("Make it a ticket", line.ticket_line, mark=f"ticket-{place}"))
    return [*blocks, actions(*buttons)] if buttons else blocks


def _chart(made: PriorityList) -> Block | None:
    shown = made.lines[:CHART]
    return bar_chart(
        "What weighs most",
        [line.title for line in shown],
        {"weight": [round(line.weight, 2) for line in shown]},
        y_label="people × severity",
    )


def _count(number: int) -> str:
    return "1 thing" if number == 1 else f"{number} things"
