"""`audit [R12]`, `audit verify`: who changed what, and whether the log is whole."""

from __future__ import annotations

import re

from bot.context import Context
from bot.request import Request
from bot.views import status as views
from bot.views.blocks import Message, escape
from core import audit
from core.db import reading
from releases.store import load_release

SHOWN = 30
_RELEASE = re.compile(r"R\d+")


def run(ctx: Context, request: Request) -> Message:
    request.only()
    with reading(ctx.databases.control) as session:
        if request.verb == "verify":
            broken = audit.verify(session)
            return Message(
                "The audit log is whole." if broken is None else f"The audit log is broken: {escape(broken)}"
            )
        subject = request.target
        if subject is not None and _RELEASE.fullmatch(subject):
            subject = load_release(session, subject).id
        entries = audit.entries(session, subject=subject, limit=SHOWN)
        ids = {entry.subject for entry in entries if entry.subject.startswith("rel_")}
        names = {each: load_release(session, each).name for each in ids}
    return views.audit(entries, request.target, names)
