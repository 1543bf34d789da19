"""The page of priorities: GET /priorities/<id>, for whoever holds a signed link that has not expired."""

from __future__ import annotations

from datetime import timedelta

from flask import Blueprint, Response

from bot import priorities, signed_pages
from bot.priorities import PriorityList
from bot.signed_pages import missing, page, refusal
from bot.views import priorities as views
from core.clock import Clock
from core.db import Databases, reading
from core.settings import Settings

LINK_LASTS = timedelta(days=30)


def url_of(made: PriorityList, settings: Settings) -> str:
    return signed_pages.url(_path(made.id), settings, until=made.composed_at + LINK_LASTS)


def blueprint(databases: Databases, settings: Settings, clock: Clock) -> Blueprint:
    web = Blueprint("priorities", __name__)

    @web.get("/priorities/<list_id>")
    def show(list_id: str) -> Response:
        refused = refusal(_path(list_id), settings, now=clock(), opens="the priorities", ask="feedback priorities")
        if refused is not None:
            return refused
        with reading(databases.control) as session:
            made = priorities.find(session, list_id)
        if made is None:
            return missing("list")
        return page(views.page(made, command=settings.slack_command), 200)

    return web


def _path(list_id: str) -> str:
    return f"/priorities/{list_id}"
