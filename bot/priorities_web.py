"""The page of priorities: GET /priorities/<id>, for whoever holds a signed link that has not expired."""

from __future__ import annotations

from datetime import timedelta

from flask import Blueprint, Response, request

from bot import priorities
from bot.pages_web import page
from bot.priorities import PriorityList
from bot.views import pages
from bot.views import priorities as views
from core import links
from core.clock import Clock
from core.db import Databases, reading
from core.settings import Settings

LINK_LASTS = timedelta(days=30)


def url_of(made: PriorityList, settings: Settings) -> str:
    path = links.sign(_path(made.id), until=made.composed_at + LINK_LASTS, key=settings.secret_key)
    return settings.public_url + path


def blueprint(databases: Databases, settings: Settings, clock: Clock) -> Blueprint:
    web = Blueprint("priorities", __name__)

    @web.get("/priorities/<list_id>")
    def show(list_id: str) -> Response:
        if not links.check(_path(list_id), request.args, now=clock(), key=settings.secret_key):
            words = (
                "This link has expired or is not complete.",
                f"Ask in Slack for a new one: {settings.slack_command} feedback priorities",
            )
            return page(pages.notice("This link does not open the priorities", *words), 403)
        with reading(databases.control) as session:
            made = priorities.find(session, list_id)
        if made is None:
            return page(pages.notice("There is no such list", "It may have been forgotten by now."), 404)
        return page(views.page(made, command=settings.slack_command), 200)

    return web


def _path(list_id: str) -> str:
    return f"/priorities/{list_id}"
