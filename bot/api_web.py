"""The HTTP API as a page: GET /docs, made of the same document that machines read from /openapi.json."""

from __future__ import annotations

from functools import cache

from flask import Blueprint, Response

from bot.signed_pages import page
from bot.views import api


def blueprint(document: api.Node) -> Blueprint:
    web = Blueprint("api", __name__)

    @cache
    def html() -> str:
        return api.api_page(document)

    @web.get("/docs")
    def docs() -> Response:
        return page(html(), 200, style=api.style())

    return web
