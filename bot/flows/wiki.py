"""Putting a page into Confluence: once, kept up to date, and without touching what people wrote under "Notes"."""

from __future__ import annotations

import logging

from bot import wiki_pages
from bot.context import Context
from bot.wiki_pages import WantedPage
from core.db import reading
from core.errors import UpstreamError
from integrations.confluence import ConfluenceClient, Mark, StaleError, WikiPage
from integrations.http import Upload
from integrations.storage_format import keep_notes

log = logging.getLogger(__name__)


def put_page(ctx: Context, page: str) -> None:
    """Create or update a wanted page. A job; running twice is harmless. Does nothing where there is no Confluence.

    Raises: UpstreamError: Confluence cannot just now, or refuses (permanent; noted on the page).
    """
    if ctx.confluence is None:
        return
    with reading(ctx.databases.control) as session:
        wanted = wiki_pages.load(session, page)
    if wanted.is_put and wanted.problem is None:
        return
    try:
        there = _put_once_more_when_stale(ctx.confluence, wanted)
    except UpstreamError as error:
        if error.permanent:
            with ctx.databases.control.begin() as session:
                wiki_pages.note_problem(session, page, error.message)
        raise
    with ctx.databases.control.begin() as session:
        wiki_pages.note_put(session, wanted, page_id=there.id, url=there.url, now=ctx.clock())
    log.info("page.put", extra={"page": page, "version": there.version})


def _put_once_more_when_stale(client: ConfluenceClient, wanted: WantedPage) -> WikiPage:
    try:
        return _put(client, wanted)
    except StaleError:
        return _put(client, wanted)


def _put(client: ConfluenceClient, wanted: WantedPage) -> WikiPage:
    """The content property comes last, so it tells of a page that is there with all its files."""
    there, mark = _there(client, wanted)
    if there is not None and mark is not None and mark.hash == wanted.content_hash:
        return there
    if there is None:
        there = client.create(title=wanted.title, body=wanted.body)
    else:
        there = client.update(there, title=wanted.title, body=keep_notes(wanted.body, there.body))
    for name, content in wanted.files.items():
        client.attach(there.id, Upload(name=name, content=content, media_type="image/png"))
    client.put_mark(there.id, mark, subject=wanted.subject, content_hash=wanted.content_hash)
    return there


def _there(client: ConfluenceClient, wanted: WantedPage) -> tuple[WikiPage | None, Mark | None]:
    """Return the page as it stands and our mark on it; a page of that title which is somebody else's is left alone.

    Raises: UpstreamError: the title is taken (permanent).
    """
    found = client.find(wanted.page_id) if wanted.page_id else None
    found = found or client.find_titled(wanted.title)
    if found is None:
        return None, None
    mark = client.mark_of(found.id)
    says_so = wanted.subject in found.body if mark is None else mark.subject == wanted.subject
    if found.id != wanted.page_id and not says_so:
        told = f"there is a page {wanted.title!r} that is not Muster's; rename it, and this one is put"
        raise UpstreamError("confluence", told, permanent=True)
    return found, mark
