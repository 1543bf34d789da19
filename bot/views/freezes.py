"""The freeze calendar, and answers to changes of it. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from bot.views import figures
from bot.views.blocks import Message, escape, section, table
from bot.views.release import who
from releases import freeze as freezes
from releases.freeze import Freeze, Frozen
from releases.freeze_store import Kept

MEANING = "Nothing starts or widens then; pause, halt, roll back and kill always work."


def calendar(kept: Sequence[Kept], ice: Frozen | None, example: str) -> Message:
    if not kept:
        return Message(f"No freeze. `{example}` adds one.")
    now = f"Now {escape(ice.sentence)}." if ice else "Nothing is frozen now."
    rows = [
        (each.freeze.name or "", freezes.text(each.freeze), each.freeze.reason or "–", figures.day(each.added_at))
        for each in kept
    ]
    shown = table(("Freeze", "When", "Why", "Since"), rows, caption="Freezes")
    return Message(f"{now} {MEANING}", (section(f"*{now}* {MEANING}"), shown))


def added(freeze: Freeze, ends_at: datetime | None, *, by: str, is_dry_run: bool) -> Message:
    now = f" It is frozen now, until {figures.moment(ends_at)}." if ends_at else ""
    if is_dry_run:
        return Message(
            f"*Dry run.* {escape(freezes.text(freeze))} would be frozen.{now} {MEANING} Nothing was changed."
        )
    text = f"*{freeze.name}* {escape(freezes.text(freeze))} is frozen, by {who(by)}.{now} {MEANING}"
    return Message(text, in_channel=True)


def known(freeze: Freeze) -> Message:
    return Message(f"{escape(freezes.text(freeze))} is {freeze.name} already. Nothing was changed.")


def removed(freeze: Freeze, *, by: str, is_dry_run: bool) -> Message:
    rule = escape(freezes.text(freeze))
    if is_dry_run:
        return Message(f"*Dry run.* {freeze.name} ({rule}) would be removed. Nothing was changed.")
    return Message(f"*{freeze.name}* ({rule}) is removed, by {who(by)}.", in_channel=True)
