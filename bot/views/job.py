"""A job in Slack: how far it is, and its report card as one line, a table and a chart. Pure.

What a job wrote is read leniently: a field that is not there shows as "–".
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from bot.views import buttons, card_figures, figures
from bot.views.blocks import (
    Block,
    Cell,
    Message,
    Number,
    actions,
    bar_chart,
    button,
    confirmation,
    context_line,
    escape,
    header,
    section,
    table,
)
from optimize.budgets import parse_budget
from optimize.store import Job, Wanted

Facts = Mapping[str, Any]
ICONS: Final = {"queued": "⏳", "running": "⚙️", "done": "✅", "failed": "🔴", "cancelled": "⚪"}
VERDICTS: Final = {"fits": "✅", "breaks": "🔴", "not proven": "🟡", "not measured": "⚪"}
SHOWN_TRIED: Final = 12
SHOWN_WARNINGS: Final = 4
CHARTED: Final = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """What a job's message shows. `url` opens its page; `offered` is the name under which its variant may be kept."""

    job: Job
    command: str
    url: str | None = None
    offered: str | None = None


def card(facts: Card) -> Message:
    """The one message of a job: edited while it runs, its report card when it has ended."""
    job = facts.job
    title = section(f"*{job.name} · {_subject(job)}*")
    if not job.has_ended:
        return _running(job, title)
    said = line(job)
    blocks = [header(f"{job.name} · {_plain_subject(job)}"), section(said)]
    found = _card_of(job)
    if found is not None:
        blocks += [card_figures.compared(found), *_charts(job, found), *_notes(found)]
    elif tried := _tried_table(job):
        blocks.append(tried)
    return Message(text=f"{job.name}: {said}", blocks=(*blocks, *_buttons(facts, found)))


def line(job: Job) -> str:
    """What came of it in one line."""
    found = _card_of(job)
    result = job.result or {}
    sentence = escape(str(result.get("sentence") or "nothing yet"))
    if found is not None:
        used = f" by `{escape(str(result.get('recipe')))}`" if result.get("recipe") else ""
        return f"{VERDICTS.get(str(found.get('verdict')), '•')} *{sentence}*{used}"
    if job.state == "cancelled":
        return f"{ICONS[job.state]} {sentence if sentence.startswith('cancelled') else 'cancelled'}"
    return f"{ICONS[job.state]} {job.state}: {sentence}"


def news(job: Job, url: str | None) -> Message:
    """What the thread of the card is told when it has ended: an edit notifies nobody."""
    where = f" · <{url}|report card>" if url else ""
    text = f"<@{job.wanted.asked_by}> {job.name} {_subject(job)}: {line(job)}{where}"
    return Message(text=text, blocks=(section(text),))


def ordered(job: Job, *, is_new: bool, waiting: int) -> Message:
    """`waiting`: how many are before it."""
    what = "compares" if job.wanted.kind == "compare" else "optimizes"
    after = f" after {waiting} other{'s' if waiting > 1 else ''}" if waiting else ""
    text = f"*{job.name}* {what} {_subject(job)}{after}. It tells here how far it is."
    return Message(text=text if is_new else f"{text} (ordered before)", in_channel=True)


def rehearsed(wanted: Wanted, *, rows: int | None, waiting: int) -> Message:
    """A dry run: what would be done."""
    judged = f"judged on {figures.count(rows)} inputs" if rows else "not judged: no inputs were registered with it"
    said = (
        f"Nothing is ordered. {wanted.model}@{wanted.version} ({wanted.variant}) would be optimized by "
        f"`{escape(wanted.recipe)}` within `{escape(wanted.budget)}`, {judged}, in at most {wanted.most_cpu_s:.0f} CPU "
        f"seconds, after {waiting} other job{'' if waiting == 1 else 's'}."
    )
    return Message(text=said)


def listing(jobs: Sequence[Job], command: str) -> Message:
    if not jobs:
        text = f"No job yet: `{command} model optimize kws@1.4.0 recipe=auto` orders one."
        return Message(text=text, blocks=(section(text),))
    rows: list[list[Cell]] = [
        [job.name, _plain_subject(job), job.state, _outcome(job), figures.moment(job.created_at)] for job in jobs
    ]
    running = sum(1 for job in jobs if not job.has_ended)
    text = f"{len(jobs)} job{'s' if len(jobs) > 1 else ''}, {running} not ended."
    shown = table(["job", "of what", "state", "outcome", "ordered"], rows, caption="Jobs")
    return Message(text=text, blocks=(section(text), shown))


def cancelled(job: Job, *, is_new: bool) -> Message:
    if not is_new:
        return Message(text=f"{job.name} is {job.state} already; nothing to cancel.")
    return Message(text=f"*{job.name}* is cancelled. What it has made so far is kept, so the same order goes on there.",
                   in_channel=True)  # fmt: skip


def kept(job: Job, name: str, *, by: str, is_new: bool) -> Message:
    """The variant is an artifact now."""
    model, _, version = name.partition("@")
    text = f"*{escape(name)}* is registered, made from {escape(job.source)} by `{escape(_recipe(job))}` ({job.name})"
    text += f", by <@{by}>." if is_new else "; it was before."
    start = buttons.run_button("Start release", f"release start {name}", "primary")
    shown = buttons.run_button("Compare", f"model compare {job.source} {model}@{version}")
    return Message(text=text, blocks=(section(text), actions(start, shown)), in_channel=True)


def measured(sizes: Message, known: Job | None, line_to_measure: str | None) -> Message:
    """Sizes of two versions, and what a job measured of both; or the button that has it measured."""
    *blocks, last = sizes.blocks
    if known is not None:
        found = _card_of(known)
        said = section(
            f"*{known.name}* {line(known)}" if known.has_ended else f"*{known.name}* measures both just now."
        )
        return replace(sizes, blocks=(*blocks, said, *([card_figures.compared(found)] if found else []), last))
    if line_to_measure is None:
        return sizes
    offer = buttons.run_button("Measure both", line_to_measure, "primary")
    return replace(sizes, blocks=(*blocks, {**last, "elements": [offer, *last["elements"]]}))


def _running(job: Job, title: Block) -> Message:
    progress = job.progress or {}
    if progress:
        step = f"step {progress.get('step')} of about {progress.get('of')}, {progress.get('seconds', 0):.0f} s"
        said = f"{ICONS['running']} {step}: {escape(str(progress.get('sentence')))}"
    else:
        said = f"{ICONS['queued']} waits for its turn: one such job runs at a time"
    if job.cancelled_by:
        said = f"⚪ being cancelled by <@{job.cancelled_by}>"
    shown = _tried_table(job)
    stop = confirmation("Cancel this job?", "What it has made so far is kept.", "Cancel it", style="danger")
    button = buttons.run_button("Cancel", f"job cancel {job.name}", confirm=stop)
    blocks = [title, section(said), *([shown] if shown else []), actions(button)]
    return Message(text=f"{job.name} {_plain_subject(job)}: {said}", blocks=tuple(blocks))


def _tried_table(job: Job) -> Block | None:
    tried = (job.progress if not job.has_ended else job.result) or {}
    rows = [_tried_row(each) for each in reversed(tried.get("tried") or [])]
    if not rows:
        return None
    return table(["recipe", "size", "time", "accuracy"], rows[:SHOWN_TRIED], caption=f"The newest of {len(rows)} tried")


def _tried_row(each: Facts) -> list[Cell]:
    if each.get("refused"):
        return [str(each["recipe"]), "–", "–", str(each["refused"])]
    accuracy = each.get("accuracy") or {}
    said = card_figures.difference_text(accuracy) if accuracy.get("difference") is not None else "not measured"
    size_x = each.get("size_x") or 0.0
    return [
        str(each["recipe"]),
        Number(size_x, card_figures.times(size_x)),
        card_figures.ratio_text(each.get("ratio")),
        said,
    ]


def _charts(job: Job, found: Facts) -> list[Block]:
    """What is left of the parent in percent; and, of those that surely keep the accuracy, how much smaller each is."""
    left = card_figures.left(found)
    drawn = [
        bar_chart("What is left of the parent, %", list(left), {"% of the parent": list(left.values())}, y_label="%")
    ]
    margin = parse_budget(job.wanted.budget).margin
    tried = [each for each in (job.result or {}).get("tried") or [] if each.get("size_x") and _holds(each, margin)]
    if len(tried) > 1:
        best = sorted(tried, key=lambda each: -each["size_x"])[:CHARTED]
        series = {"times smaller": [round(each["size_x"], 2) for each in best]}
        drawn.append(bar_chart("Times smaller, of those that hold", [str(each["recipe"]) for each in best], series))
    return [chart for chart in drawn if chart is not None]


def _holds(each: Facts, margin: float) -> bool:
    low = (each.get("accuracy") or {}).get("low")
    return low is not None and low >= -margin


def _notes(found: Facts) -> list[Block]:
    warnings = [f"⚠️ {escape(str(one))}" for one in (found.get("warnings") or [])[:SHOWN_WARNINGS]]
    checks = [
        f"{VERDICTS.get(str(one['outcome']), '•')} `{escape(str(one['limit']))}` {escape(str(one['outcome']))}"
        for one in found.get("checks") or []
    ]  # fmt: skip
    return [section("\n".join([*checks, *warnings]))] if checks or warnings else []


def _buttons(facts: Card, found: Facts | None) -> list[Block]:
    job, shown = facts.job, []
    if job.registered_as:
        shown.append(buttons.run_button("Start release", f"release start {job.registered_as}", "primary"))
    elif facts.offered:
        shown.append(buttons.run_button(f"Register as {facts.offered}", f"job register {job.name}", "primary"))
    if facts.url and found is not None:
        shown.append(button("Report card", "link:job", job.name, url=facts.url))
    tail = [context_line(f"`{facts.command} job show {job.name}` shows it again.")]
    return [*tail, actions(*shown)] if shown else tail


def _subject(job: Job) -> str:
    return f"{escape(_plain_subject(job))}"


def _plain_subject(job: Job) -> str:
    if job.wanted.kind == "compare":
        return f"{job.source} against {job.wanted.other_version}"
    return f"{job.source} by {job.wanted.recipe}"


def _recipe(job: Job) -> str:
    return str((job.result or {}).get("recipe") or job.wanted.recipe)


def _outcome(job: Job) -> str:
    if job.has_ended:
        return str((job.result or {}).get("sentence") or "–")[:200]
    progress = job.progress or {}
    return f"step {progress['step']} of about {progress['of']}" if progress else "waits"


def _card_of(job: Job) -> Facts | None:
    return (job.result or {}).get("card")
