"""What Slack shows under a link to one of our pages: the digest's verdicts, for a link that opens it."""

from __future__ import annotations

import logging
from urllib.parse import parse_qsl, urlsplit

import msgspec

from bot import digests, speech
from bot.context import Context
from bot.heard import Heard
from bot.views import digest as views
from bot.views.blocks import Message
from core import links
from core.db import reading
from core.errors import UpstreamError
from feedback.digest import Digest

log = logging.getLogger(__name__)

MOST = 5
PAGES = "/digests/"


def show(ctx: Context, said: Heard) -> None:
    """Show what the links lead to. A link that we did not sign, or that has expired, shows nothing.

    Raises: UpstreamError: Slack cannot just now.
    """
    found: dict[str, Message] = {}
    for url in (said.form or {}).get("links", "").splitlines()[:MOST]:
        message = _preview(ctx, url)
        if message is not None:
            found[url] = message
    if not found:
        return
    try:
        speech.unfurl(ctx.slack, said, found)
    except UpstreamError as error:
        if not error.permanent:
            raise
        log.info("link.not_shown", extra={"reason": error.message})


def _preview(ctx: Context, url: str) -> Message | None:
    parts = urlsplit(url.replace("&amp;", "&"))
    if f"{parts.scheme}://{parts.netloc}" != ctx.settings.public_url or not parts.path.startswith(PAGES):
        return None
    args = dict(parse_qsl(parts.query))
    if not links.check(parts.path, args, now=ctx.clock(), key=ctx.settings.secret_key):
        return None
    with reading(ctx.databases.control) as session:
        kept = digests.find(session, parts.path.removeprefix(PAGES))
    return None if kept is None else views.preview(msgspec.convert(kept.content, Digest))
