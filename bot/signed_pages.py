"""Pages that signed links open: the link, the page's headers, and what a link that opens nothing is told."""

from __future__ import annotations

from base64 import b64encode
from datetime import datetime
from hashlib import sha256

from flask import Response, request

from bot.views import pages
from core import links
from core.settings import Settings


def url(path: str, settings: Settings, *, until: datetime) -> str:
    """Return the address of a page; whoever has it may look until then."""
    return settings.public_url + links.sign(path, until=until, key=settings.secret_key)


def refusal(path: str, settings: Settings, *, now: datetime, opens: str, ask: str) -> Response | None:
    """Return what to answer when this request's link was not signed by us or has expired; None when it may look.

    `opens` is what it would have opened, `ask` the command that gives a new one.
    """
    if links.check(path, request.args, now=now, key=settings.secret_key):
        return None
    words = (
        "This link has expired or is not complete.",
        f"Ask in Slack for a new one: {settings.slack_command} {ask}",
    )
    return page(pages.notice(f"This link does not open {opens}", *words), 403)


def missing(what: str) -> Response:
    return page(pages.notice(f"There is no such {what}", "It may have been forgotten by now."), 404)


def page(html: str, status: int, *, style: str | None = None, has_form: bool = False) -> Response:
    """Answer with a page that may use nothing but its own style, and no forms unless it says so."""
    answer = Response(html, status=status, mimetype="text/html")
    known = b64encode(sha256((style or pages.style()).encode()).digest()).decode()
    forms = "'self'" if has_form else "'none'"
    answer.headers["Content-Security-Policy"] = (
        f"default-src 'none'; style-src 'sha256-{known}'; base-uri 'none'; form-action {forms}; frame-ancestors 'none'"
    )
    answer.headers["Referrer-Policy"] = "no-referrer"
    answer.headers["X-Content-Type-Options"] = "nosniff"
    answer.headers["Cache-Control"] = "private, no-cache"
    return answer
