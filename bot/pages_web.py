"""Web pages for whoever holds a signed link that has not expired: GET /digests/<id>, GET /polls/<id>/preview."""

from __future__ import annotations

import contextlib
import json
from base64 import b64encode
from datetime import datetime, timedelta
from hashlib import sha256
from urllib.parse import quote

import msgspec
from flask import Blueprint, Response, request
from werkzeug.datastructures import MultiDict

from bot import digests
from bot.digests import KeptDigest
from bot.views import figures, pages, preview
from bot.views.preview import Step
from core import links
from core.clock import Clock
from core.db import Databases, reading
from core.errors import NotFoundError
from core.settings import Settings
from feedback import store as polls
from feedback.digest import Digest
from feedback.polls import Poll, find_question

LINK_LASTS = timedelta(days=90)
PREVIEW_LASTS = timedelta(days=7)
MAX_STEPS = 20


def digest_url(kept: KeptDigest, settings: Settings) -> str:
    """Return the digest's permalink: the same for everybody and every time it is asked for."""
    path = links.sign(_path(kept.id), until=kept.composed_at + LINK_LASTS, key=settings.secret_key)
    return settings.public_url + path


def blueprint(databases: Databases, settings: Settings, clock: Clock) -> Blueprint:
    web = Blueprint("pages", __name__)

    @web.get("/glossary")
    def glossary() -> Response:
        return page(pages.glossary_page(), 200)

    @web.get("/digests/<digest_id>")
    def digest(digest_id: str) -> Response:
        if not links.check(_path(digest_id), request.args, now=clock(), key=settings.secret_key):
            words = (
                "This link has expired or is not complete.",
                f"Ask in Slack for a new one: {settings.slack_command} digest show",
            )
            return page(pages.notice("This link does not open the digest", *words), 403)
        with reading(databases.control) as session:
            kept = digests.find(session, digest_id)
        if kept is None:
            return page(pages.notice("There is no such digest", "It may have been forgotten by now."), 404)
        content = msgspec.convert(kept.content, Digest)
        return page(
            pages.digest_page(content, composed=figures.moment(kept.composed_at), command=settings.slack_command), 200
        )

    @web.get("/polls/<poll_id>/preview")
    def poll_preview(poll_id: str) -> Response:
        if not links.check(_poll_path(poll_id), request.args, now=clock(), key=settings.secret_key):
            words = (
                "This link has expired or is not complete.",
                f"Ask in Slack for a new one: {settings.slack_command} poll preview P3",
            )
            return page(pages.notice("This link does not open the preview", *words), 403)
        with reading(databases.control) as session:
            try:
                stored = polls.find_poll(session, poll_id)
            except NotFoundError:
                return page(pages.notice("There is no such poll", "It may have been forgotten by now."), 404)
        language = request.args.get("lang", preview.OWN)
        if language not in preview.languages(stored.poll):
            language = preview.OWN
        done = preview.walk(stored.poll, _steps(stored.poll, request.args))
        hidden = {name: request.args[name] for name in ("until", "sig")}
        html = preview.preview_page(stored.poll, stored.ref, done, language=language, hidden=hidden)
        return page(html, 200, style=preview.style(), has_form=True)

    return web


def preview_url(poll_id: str, settings: Settings, now: datetime) -> str:
    """Return a link to the preview of a poll that lasts for a week."""
    return settings.public_url + links.sign(_poll_path(poll_id), until=now + PREVIEW_LASTS, key=settings.secret_key)


def _steps(poll: Poll, args: MultiDict[str, str]) -> list[Step]:
    """Return the answers that the page carries along and the one just given; what makes no sense is left out."""
    found: list[Step] = []
    for raw in args.getlist("a")[:MAX_STEPS]:
        with contextlib.suppress(ValueError, TypeError, RecursionError):
            question, value = json.loads(raw)
            found.append(Step(question=str(question), value=value))
    asked = find_question(poll, args.get("q", ""))
    if asked is not None:
        is_skipped = "skip" in args
        value = None if is_skipped else preview.read_value(asked, args.getlist("v"), args.get("own", ""))
        found.append(Step(question=asked.id, value=value))
    return found


def _poll_path(poll_id: str) -> str:
    return f"/polls/{quote(poll_id)}/preview"


def _path(digest_id: str) -> str:
    return f"/digests/{digest_id}"


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
