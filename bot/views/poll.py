"""What polls look like: lists, one in full, and why a phone sees it or not. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from bot.views import figures
from bot.views.blocks import (
    Block,
    Cell,
    Message,
    Number,
    actions,
    button,
    clip,
    confirmation,
    context_line,
    escape,
    section,
    table,
)
from bot.views.buttons import run_button
from core import segments
from core.segments import EVERYONE
from feedback.choosing import Chosen
from feedback.polls import Poll, Question, standing
from feedback.scores import share
from feedback.store import StoredPoll
from feedback.targeting import Gate

MARKS = {True: "✓", False: "✗", None: "?"}
SHOWN = 50
CHOICES = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """A poll in a list, with how many submissions answered it so far."""

    poll: StoredPoll
    responses: int


def listing(lines: Sequence[Line], command: str, *, minimum: int, now: datetime) -> Message:
    if not lines:
        text = f"There is no poll yet. `{command} poll create` makes one, or `muster poll push FILE.yaml`."
        return Message(text=text, blocks=(section(text), actions(run_button("New poll", "poll create", "primary"))))
    running = sum(standing(line.poll.poll, now) == "running" for line in lines)
    text = f"{len(lines)} poll{'s' if len(lines) > 1 else ''}, {running} running."
    rows: list[list[Cell]] = [
        [
            line.poll.ref,
            line.poll.poll.name,
            line.poll.model,
            _standing(line.poll.poll, now),
            f"{line.poll.poll.sampling.percent:g} %",
            _responses(line.responses, minimum),
        ]
        for line in lines[:SHOWN]
    ]
    shown = table(["poll", "name", "model", "status", "asked", "responses"], rows, caption="Polls, the newest first")
    buttons = actions(run_button(f"Show {lines[0].poll.ref}", f"poll show {lines[0].poll.ref}"))
    return Message(text=text, blocks=(section(text), shown, buttons))


def _standing(poll: Poll, now: datetime) -> str:
    if poll.start_date is not None and standing(poll, now) == "scheduled":
        return f"from {figures.moment(poll.start_date, now)}"
    return standing(poll, now)


def _responses(number: int, minimum: int) -> Cell:
    """Return a cell; a small number is not in it at all."""
    return figures.few(number, minimum) if 0 < number < minimum else Number(number, figures.count(number))


def one(
    poll: StoredPoll,
    *,
    responses: int,
    shown: int,
    answered: int,
    minimum: int,
    now: datetime,
    url: str,
    chosen: Sequence[Chosen] = (),
) -> Message:
    """`shown` and `answered` are of the last seven days; of fewer than `minimum` nothing is told; `url` previews it."""
    text = f"*{poll.ref}* {escape(poll.poll.name)} about {escape(poll.model)}: {_standing(poll.poll, now)}."
    rate = _rate(shown, answered, minimum)
    blocks = [
        section(text),
        section("\n".join(f"{number}. {_question(each)}" for number, each in enumerate(poll.poll.questions, 1))),
        section(_whom(poll.poll)),
        *(section(_chosen(each, minimum)) for each in chosen),
        context_line(f"{figures.few(responses, minimum)} responses · {rate} · version {poll.poll.version}"),
        actions(*_buttons(poll), _preview(url)),
    ]
    return Message(text=text, blocks=tuple(blocks))


def _rate(shown: int, answered: int, minimum: int) -> str:
    if not shown:
        return "nobody told how often it was shown in the last 7 days" if answered else "not shown in the last 7 days"
    times = f"shown {figures.few(shown, minimum)} times in the last 7 days"
    if min(answered, shown) < minimum:
        return times
    score = share(min(answered, shown), shown)
    low, high = figures.share(score.low), figures.share(score.high)
    return f"{times}, response rate {figures.share(score.value)} ({low} to {high})"


def created(poll: StoredPoll, command: str, *, url: str) -> Message:
    text = (
        f"Draft *{poll.ref}* {escape(poll.poll.name)} about {escape(poll.model)} is written. "
        f"`{command} poll start {poll.ref}` lets phones show it."
    )
    buttons = actions(_start(poll), _preview(url), run_button("Show", f"poll show {poll.ref}"))
    return Message(text=text, blocks=(section(text), buttons), in_channel=True)


def previewed(poll: StoredPoll, url: str) -> Message:
    text = f"*{poll.ref}* {escape(poll.poll.name)} as a phone shows it: tap through it, in each of its languages."
    note = "The link opens for everybody who has it, for seven days."
    return Message(text=text, blocks=(section(text), actions(_preview(url)), context_line(note)))


def would_create(poll: Poll) -> Message:
    text = f"Dry run: {escape(poll.name)} would be written as a draft. Nothing was changed."
    return Message(text=text, blocks=(section(text),))


def needs_form() -> Message:
    text = "A poll is made with a form."
    return Message(text=text, blocks=(section(text), actions(run_button("Open the form", "poll create", "primary"))))


def changed(poll: StoredPoll, by: str, *, is_dry_run: bool, now: datetime) -> Message:
    """After starting or stopping, or what that would do."""
    name = f"*{poll.ref}* {escape(poll.poll.name)}"
    if is_dry_run:
        would = "would run" if poll.poll.status == "running" else "would stop"
        text = f"Dry run: {name} {would}, {_whom(poll.poll)}. Nothing was changed."
        return Message(text=text, blocks=(section(text),))
    text = f"{name} is {_change(poll.poll, now)} (<@{by}>)."
    return Message(text=text, blocks=(section(text), actions(*_buttons(poll))), in_channel=True)


def _change(poll: Poll, now: datetime) -> str:
    if poll.status != "running":
        return "stopped: phones hear of it when they next fetch polls, within a day"
    if poll.start_date is not None and now < poll.start_date:
        return f"started: phones show it from {figures.moment(poll.start_date, now)} on"
    return "running: phones show it once they next fetch polls, within a day"


def explained(poll: StoredPoll, gates: Sequence[Gate], *, is_known: bool) -> Message:
    """Every gate with its sentence; `?` is what only the phone can know."""
    failed = [gate for gate in gates if gate.passed is False]
    verdict = f"is not shown *{poll.ref}*" if failed else f"may be shown *{poll.ref}*"
    text = f"This install {verdict} “{escape(poll.poll.name)}”" + (f": {escape(failed[0].sentence)}" if failed else ".")
    lines = [f"{MARKS[gate.passed]} *{gate.name.replace('_', ' ')}* {escape(gate.sentence)}" for gate in gates]
    blocks = [section(text), section("\n".join(lines))]
    note = "✓ passed · ✗ stops it · ? only the phone knows"
    if not is_known:
        note += " · this install has never told us its device, so rules over devices cannot match"
    return Message(text=text, blocks=(*blocks, context_line(note)))


def _chosen(chosen: Chosen, minimum: int) -> str:
    """The shares of each choice, the largest first; where phones answered with a coin, what is behind it."""
    asked = f"*{escape(chosen.question.question)}*"
    left_out = figures.left_out(chosen.left_out, minimum)
    if not chosen.shares:
        return f"{asked} too few people have answered in the last 7 days{left_out}."
    how = ", computed back from randomized answers" if chosen.question.privacy else ""
    found = sorted(chosen.shares, key=lambda each: (-each.share.value, each.choice))
    lines = [
        f"{figures.share(each.share.value)} ({figures.share(each.share.low)} to {figures.share(each.share.high)}) "
        f"{escape(each.label)}"
        for each in found[:CHOICES]
    ]
    more = f"\nand {len(found) - CHOICES} more" if len(found) > CHOICES else ""
    until = figures.moment(chosen.until)
    return f"{asked} n = {figures.count(chosen.n)}, 7 days until {until}{how}{left_out}\n" + "\n".join(lines) + more


def _question(question: Question) -> str:
    choices = ", ".join(choice.label for choice in question.choices)
    about = f"{question.type.replace('_', ' ')}{', optional' if question.optional else ''}"
    return f"{escape(question.question)} _({about}{': ' + escape(clip(choices, 300)) if choices else ''})_"


def _whom(poll: Poll) -> str:
    where = "all devices" if poll.targeting == EVERYONE else f"`{escape(segments.text(poll.targeting))}`"
    return f"asked of {poll.sampling.percent:g} % of {where}"


def _buttons(poll: StoredPoll) -> list[Block]:
    change = _stop(poll) if poll.poll.status == "running" else _start(poll)
    return [change, run_button("Feedback", f"feedback {poll.model} poll={poll.ref}")]


def _preview(url: str) -> Block:
    return button("Preview", "link:preview", "preview", url=url)


def _start(poll: StoredPoll) -> Block:
    confirm = confirmation("Start this poll?", "Phones will show it to people.", "Start")
    return run_button("Start", f"poll start {poll.ref}", "primary", confirm)


def _stop(poll: StoredPoll) -> Block:
    confirm = confirmation("Stop this poll?", "Phones stop showing it. Answers stay.", "Stop", style="danger")
    return run_button("Stop", f"poll stop {poll.ref}", "danger", confirm)
