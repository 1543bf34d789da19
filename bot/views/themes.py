"""Themes in Slack: what people write about, how many they are, what is new, and buttons to teach and to act. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING

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

if TYPE_CHECKING:
    from bot.flows.themes import Told
    from feedback.themes import Theme

SHOWN = 8
ROWS = 40
CHART = 15
QUOTE = 300


def told(who: str, model: str, since: str, found: Told, *, minimum: int, line: str, shared: bool) -> Message:
    """`who` names model, period and devices; `since` is the period as typed; `line` shares the answer."""
    if found.is_hidden:
        text = f"{who}: fewer than {minimum} people wrote, so no theme is shown."
        return Message(text=text, blocks=(section(text),))
    if not found.themes:
        text = f"{who}: {figures.count(found.people)} people wrote, but no five of them about one thing."
        return Message(text=text, blocks=(section(text),))
    first = found.themes[0]
    text = (
        f"{who}: {figures.count(found.people)} people wrote {figures.count(found.texts)} texts;"
        f" most about *{escape(first.name)}* ({figures.count(first.people)} people)."
    )
    blocks: list[Block] = [section(text)]
    if found.news:
        blocks.append(section("*New:* " + ", ".join(_new(each.term, each.people) for each in found.news[:SHOWN])))
    if chart := _chart(found.themes):
        blocks.append(chart)
    blocks.append(_table(found))
    for place, theme in enumerate(found.themes[:SHOWN]):
        blocks += _theme(place, theme, model, since, found)
    blocks.append(
        context_line(
            f"{found.labeled} texts were labeled by people; five of a theme teach it, and it answers only when it is"
            " sure. Other texts are grouped by their words. At least five people are behind each theme."
        )
    )
    if not shared:
        blocks.append(actions(run_button("Share in channel", f"{line} --share")))
    return Message(text=text, blocks=tuple(blocks))


def sentence(theme: Theme) -> str:
    """Say how many write of it and what goes with it; plain words, not escaped."""
    parts = [f"{figures.count(theme.people)} people write about {theme.name}"]
    if theme.low is not None:
        parts.append(f"{figures.share(theme.low.value)} of their ratings are bad (n = {theme.low.n})")
    if theme.change is not None and not theme.is_new:
        parts.append(f"{figures.plain(round(theme.change, 1))} times as many as in the weeks before")
    return "; ".join(parts) + (". It is new." if theme.is_new else ".")


def label_buttons(model: str, name: str, offered: Sequence[str], *, mark: str) -> Block:
    """Return the buttons under a text that say what it is about: each click is a label."""
    return actions(
        *(
            run_button(
                f"theme: {theme}",
                f"feedback label {grammar.quote(model)} {name} theme={grammar.quote(theme)}",
                mark=f"{mark}-{place}",
            )
            for place, theme in enumerate(offered)
        )
    )


def labeled(theme: str, count: int | None, *, is_dry_run: bool) -> Message:
    if is_dry_run:
        return Message(f"*Dry run.* It would be labeled “{escape(theme)}”; nothing was changed.")
    if theme == "none":
        return Message("Its label is taken away.")
    more = "" if count is None or count >= 5 else f" {5 - count} more and it is looked for in all texts."
    return Message(f"Noted: it is about “{escape(theme)}”.{more}")


def _theme(place: int, theme: Theme, model: str, since: str, found: Told) -> list[Block]:
    blocks: list[Block] = [section(f"*{escape(theme.name)}* – {escape(sentence(theme))}")]
    quoted = [(quote, found.names[quote]) for quote in theme.quotes if quote in found.names]
    if quoted:
        blocks.append(section("\n".join("> " + escape(clip(" ".join(q.split()), QUOTE)) for q, _ in quoted)))
    if theme.source == "cluster" and quoted:
        blocks.append(label_buttons(model, quoted[0][1], found.offered, mark=f"t{place}"))
    if key := found.keys.get(theme.name):
        blocks.append(context_line(f"ticket {escape(key)}"))
    else:
        line = f"feedback ticket {grammar.quote(model)} theme={grammar.quote(theme.name)} since={since}"
        blocks.append(actions(run_button("Make it a ticket", line, mark=f"ticket-{place}")))
    return blocks


def _chart(themes: Sequence[Theme]) -> Block | None:
    shown = themes[:CHART]
    return bar_chart(
        "People by theme",
        [theme.name for theme in shown],
        {"people": [theme.people for theme in shown]},
        y_label="people",
    )


def _table(found: Told) -> Block:
    head = ["theme", "people", "bad ratings", "change", "cohorts", "releases"]
    rows: list[list[Cell]] = [
        [
            theme.name + (" (new)" if theme.is_new else ""),
            Number(theme.people, figures.count(theme.people)),
            figures.share(theme.low.value) if theme.low is not None else "–",
            f"× {theme.change:.1f}" if theme.change is not None else "–",
            _counted(theme.by_cohort, {}),
            _counted(theme.by_release, found.releases),
        ]
        for theme in found.themes[:ROWS]
    ]
    return table(head, rows, caption="Themes, most people first")


def _counted(pairs: Sequence[tuple[str, int]], names: Mapping[str, str]) -> str:
    return ", ".join(f"{names.get(name, name)} ({count})" for name, count in pairs[:3]) or "–"


def _new(term: str, people: int) -> str:
    return f"“{escape(term)}” ({people})"


def period(since: timedelta) -> str:
    hours = round(since.total_seconds() / 3600)
    return f"{hours // 24}d" if hours % 24 == 0 else f"{hours}h"
