"""What was taken back, or why it could not be. Pure."""

from __future__ import annotations

from bot.views import figures
from bot.views.blocks import Message, escape
from bot.views.release import who
from core.audit import Entry


def undone(name: str, entry: Entry, late: str | None, fetched: str | None, *, is_dry_run: bool) -> Message:
    """`name` is the short name of what was changed; `fetched` what phones had of it by then."""
    what = entry.what.rpartition(".")[2].replace("_", " ")
    act = f"*{escape(name)}*: {what} at {figures.moment(entry.at)}"
    phones = f" {fetched}" if fetched else ""
    if late is not None:
        return Message(f"{act} cannot be taken back. {escape(late)}{phones} Nothing was changed.")
    if is_dry_run:
        return Message(f"*Dry run.* {act} would be taken back.{phones} Nothing was changed.")
    return Message(f"{act} is taken back, by {who(entry.who)}.{phones}", in_channel=True)
