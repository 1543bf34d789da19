"""The digest's web page: GET /digests/<id>, for whoever holds a signed link that has not expired."""

from __future__ import annotations

from base64 import b64encode
from datetime import timedelta
from hashlib import sha256

import msgspec
from flask import Blueprint, Response, request

from bot import digests
from bot.digests import KeptDigest
from bot.views import figures, pages
from core import links
from core.clock import Clock
from core.db import Databases, reading
from core.settings import Settings
from feedback.digest import Digest

LINK_LASTS = timedelta(days=90)


def digest_url(kept: KeptDigest, settings: Settings) -> str:
    """Return the digest's permalink: the same for everybody and every time it is asked for."""
    path = links.sign(_path(kept.id), until=kept.composed_at + LINK_LASTS, key=settings.secret_key)
    return settings.public_url + path


def blueprint(databases: Databases, settings: Settings, clock: Clock) -> Blueprint:
    web = Blueprint("pages", __name__)

    @web.get("/digests/<digest_id>")
    def digest(digest_id: str) -> Response:
        if not links.check(_path(digest_id), request.args, now=clock(), key=settings.secret_key):
            words = (
                "This link has expired or is not complete.",
                f"Ask in Slack for a new one: {settings.slack_command} digest show",
            )
            return _page(pages.notice("This link does not open the digest", *words), 403)
        with reading(databases.control) as session:
            kept = digests.find(session, digest_id)
        if kept is None:
            return _page(pages.notice("There is no such digest", "It may have been forgotten by now."), 404)
        content = msgspec.convert(kept.content, Digest)
        return _page(pages.digest_page(content, composed=figures.moment(kept.composed_at)), 200)

    return web


def _path(digest_id: str) -> str:
    return f"/digests/{digest_id}"


def _page(html: str, status: int) -> Response:
    answer = Response(html, status=status, mimetype="text/html")
    style = b64encode(sha256(pages.style().encode()).digest()).decode()
    answer.headers["Content-Security-Policy"] = (
        f"default-src 'none'; style-src 'sha256-{style}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )
    answer.headers["Referrer-Policy"] = "no-referrer"
    answer.headers["X-Content-Type-Options"] = "nosniff"
    answer.headers["Cache-Control"] = "private, no-cache"
    return answer
