"""`doctor [--slack]`: what is set up and what is missing; `--slack` also asks Slack and Jira over the network."""

from __future__ import annotations

from bot import doctor
from bot.context import Context
from bot.request import Request
from bot.views.blocks import Message, escape, section


def run(ctx: Context, request: Request) -> Message:
    request.only(flags=("slack",))
    findings = doctor.examine(ctx, live="slack" in request.flags)
    wrong = [finding for finding in findings if not finding.passed]
    text = f"{len(wrong)} of {len(findings)} checks need somebody." if wrong else "Everything that I looked at is fine."
    lines = [f"{'✓' if finding.passed else '✗'} {escape(finding.sentence)}" for finding in findings]
    return Message(text=text, blocks=(section(f"*{text}*"), section("\n".join(lines))))
