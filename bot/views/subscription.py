"""What a subscribed channel hears, and what is said of subscriptions themselves. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from bot.subscriptions import EVERY_MODEL, Subscription
from bot.ticket_rules import Ticket
from bot.views import figures
from bot.views import ticket as tickets
from bot.views.blocks import Message, actions, clip, escape, section
from bot.views.buttons import run_button
from core.audit import Entry
from releases.plan import Release

REASON = 600


def release(told: Release, entry: Entry) -> Message:
    """R12 kws 1.3.2 → 1.4.0 was halted by @Mia: people complain."""
    what = entry.what.removeprefix("release.").replace("_", " ")
    by = "" if entry.who == "muster" else f" by <@{entry.who}>" if entry.who.startswith(("U", "W")) else ""
    reason = str(entry.facts.get("reason") or "")
    why = f": {escape(clip(reason, REASON))}" if reason else "."
    versions = f"{escape(told.baseline_version)} → {escape(told.candidate_version)}"
    done = "is rolled back" if what == "returned" else f"was {escape(what)}"
    line = f"*{told.name}* {escape(told.model)} {versions} {done}{by}{why}"
    look = actions(run_button("Look", f"release show {told.name}"), block_id=f"look-{entry.position}")
    return Message(line, (section(line), look), in_channel=True)


def ticket(told: Ticket, url: str) -> Message:
    name = f"<{url}|{escape(told.key)}>" if told.key else f"`{told.fingerprint}`"
    line = f"{name} {tickets.state(told)}: {escape(tickets.summary(told.regression))}"
    blocks = [section(line), section(escape(clip(told.regression.sentence, REASON)))]
    return Message(line, (*blocks, actions(run_button("Look", f"ticket show {told.fingerprint}"))), in_channel=True)


def listing(found: Sequence[Subscription], command: str) -> Message:
    if not found:
        example = f"`{command} subscribe kws releases regressions digests`"
        return Message(f"No channel has subscribed to anything. In the channel that should hear it: {example}")
    lines = "\n".join(f"• <#{each.channel}> {line(each)}" for each in found)
    text = "1 subscription" if len(found) == 1 else f"{figures.count(len(found))} subscriptions"
    return Message(text, (section(f"*{text}*"), section(lines)))


def line(each: Subscription) -> str:
    """digests of kws, in threads, where chipset=…"""
    model = "every model" if each.model == EVERY_MODEL else escape(each.model)
    thread = ", in threads" if each.mode == "thread" else ""
    where = f", where `{escape(each.where)}`" if each.where else ""
    return f"{each.topic} of {model}{thread}{where}"


def subscribed(found: Sequence[Subscription], *, by: str, is_dry_run: bool) -> Message:
    told = "; ".join(line(each) for each in found)
    if is_dry_run:
        return Message(f"*Dry run.* This channel would hear {told}. Nothing was changed.")
    return Message(f"<@{by}> subscribed this channel to {told}.", in_channel=True)


def unsubscribed(topics: Sequence[str], model: str, *, by: str, is_dry_run: bool) -> Message:
    if not topics:
        return Message("This channel had not subscribed to that; `subscribe list` shows what there is.")
    name = "every model" if model == EVERY_MODEL else escape(model)
    told = f"{', '.join(topics)} of {name}"
    if is_dry_run:
        return Message(f"*Dry run.* This channel would hear no more {told}. Nothing was changed.")
    return Message(f"<@{by}>: this channel hears no more {told}.", in_channel=True)
