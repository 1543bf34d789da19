"""Web pages for whoever holds a signed link that has not expired: GET /digests/<id>, GET /polls/<id>/preview."""

from __future__ import annotations

import contextlib
import json
from datetime import datetime, timedelta
from urllib.parse import quote

import msgspec
from flask import Blueprint, Response, request
from werkzeug.datastructures import MultiDict

from bot import digests, signed_pages
from bot.digests import KeptDigest
from bot.signed_pages import missing, page, refusal
from bot.views import figures, pages, preview
from bot.views.preview import Step
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
    return signed_pages.url(_path(kept.id), settings, until=kept.composed_at + LINK_LASTS)


def blueprint(databases: Databases, settings: Settings, clock: Clock) -> Blueprint:
    web = Blueprint("pages", __name__)

    @web.get("/glossary")
    def glossary() -> Response:
        return page(pages.glossary_page(), 200)

    @web.get("/digests/<digest_id>")
    def digest(digest_id: str) -> Response:
        refused = refusal(_path(digest_id), settings, now=clock(), opens="the digest", ask="digest show")
        if refused is not None:
            return refused
        with reading(databases.control) as session:
            kept = digests.find(session, digest_id)
        if kept is None:
            return missing("digest")
        content = msgspec.convert(kept.content, Digest)
        return page(
            pages.digest_page(content, composed=figures.moment(kept.composed_at), command=settings.slack_command), 200
        )

    @web.get("/polls/<poll_id>/preview")
    def poll_preview(poll_id: str) -> Response:
        refused = refusal(_poll_path(poll_id), settings, now=clock(), opens="the preview", ask="poll preview P3")
        if refused is not None:
            return refused
        with reading(databases.control) as session:
            try:
                stored = polls.find_poll(session, poll_id)
            except NotFoundError:
                return missing("poll")
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
    return signed_pages.url(_poll_path(poll_id), settings, until=now + PREVIEW_LASTS)


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
