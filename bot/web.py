"""Slack's requests over HTTP: `POST /slack/events` for commands, clicks, forms and events alike."""

from __future__ import annotations

import json
from urllib.parse import parse_qs

from flask import Blueprint, Response, make_response, request
from slack_bolt.adapter.flask import SlackRequestHandler

from bot.app import create_app
from bot.context import Context

MAX_BODY_BYTES = 1024 * 1024


def blueprint(ctx: Context) -> Blueprint:
    """Signed requests only. Without a signing secret every request is refused."""
    routes = Blueprint("slack", __name__)
    bolt = SlackRequestHandler(create_app(ctx))

    @routes.post("/slack/events")
    def events() -> Response:
        wrong = _malformed()
        return wrong if wrong is not None else bolt.handle(request)

    return routes


def _malformed() -> Response | None:
    """Refuse what Bolt would stumble over before it checks the signature."""
    if request.content_length is None or request.content_length > MAX_BODY_BYTES:
        return _refused("The body is too large or has no length.", 413)
    stamp, signature = (request.headers.get(name, "") for name in ("X-Slack-Request-Timestamp", "X-Slack-Signature"))
    if not (stamp.isascii() and stamp.isdigit() and len(stamp) <= 12 and signature.isascii()):
        return _refused("No valid Slack signature.", 401)
    text = request.get_data(as_text=True)  # kept, because the signature is over these very bytes
    if request.mimetype == "application/x-www-form-urlencoded":
        text = parse_qs(text).get("payload", ["{}"])[0]
    try:
        is_object = isinstance(json.loads(text), dict)
    except (ValueError, RecursionError):
        is_object = False
    return None if is_object else _refused("Not a request of Slack's.", 400)


def _refused(text: str, status: int) -> Response:
    return make_response({"error": text, "problems": []}, status)
