"""`doctor [--slack]`: what is set up and what is missing; `--slack` also asks Slack and Jira over the network."""

from __future__ import annotations

from bot import doctor
from bot.context import Context
from bot.request import Request
from bot.views.blocks import Message, escape, section


def run(ctx: Context, request: Request) -> Message:
    request.only(flags=("slack",))
    checks = doctor.examine(ctx, live="slack" in request.flags)
    wrong = [check for check in checks if not check.passed]
    text = f"{len(wrong)} of {len(checks)} checks need somebody." if wrong else "Everything that I looked at is fine."
    lines = [f"{'✓' if check.passed else '✗'} {escape(check.sentence)}" for check in checks]
    return Message(text=text, blocks=(section(f"*{text}*"), section("\n".join(lines))))
