"""Jira's webhook in: POST /jira/webhook. It is signed, heard once, and only says which issue to look at."""

from __future__ import annotations

import hashlib
import hmac
import json

from flask import Blueprint, Response, make_response, request

from core.db import Databases
from core.engine import enqueue
from core.settings import Settings

MAX_BODY_BYTES = 1024 * 1024
LONGEST_KEY = 64


def blueprint(databases: Databases, settings: Settings) -> Blueprint:
    """Without a secret every request is refused. https://developer.atlassian.com/cloud/jira/platform/webhooks/"""
    web = Blueprint("jira_webhook", __name__)
    secret = (settings.jira_webhook_secret or "").encode()

    @web.post("/jira/webhook")
    def hear() -> Response:
        if request.content_length is None or request.content_length > MAX_BODY_BYTES:
            return _answer("The body is too large or has no length.", 413)
        body = request.get_data()
        if not secret or not is_signed(body, request.headers.get("X-Hub-Signature", ""), secret):
            return _answer("No valid signature of Jira.", 401)
        key = issue_key(body)
        if key is None:
            return _answer("No issue in it.", 400)
        # Data Center sends no identifier; what it sends again is the same to the letter.
        told = request.headers.get("X-Atlassian-Webhook-Identifier") or hashlib.sha256(body).hexdigest()
        with databases.control.begin() as session:
            enqueue(session, "look_at_issue", key=f"webhook/{told[:200]}", issue=key)
        return _answer("Heard.", 200)

    return web


def is_signed(body: bytes, signature: str, secret: bytes) -> bool:
    """Tell whether `sha256=<hex>` is ours over the body, in constant time."""
    method, _, given = signature.partition("=")
    wanted = hmac.new(secret, body, hashlib.sha256).hexdigest()
    return method == "sha256" and hmac.compare_digest(wanted.encode(), given.encode())


def issue_key(body: bytes) -> str | None:
    """Return the key of the issue that an event is about."""
    try:
        told = json.loads(body)
    except (ValueError, RecursionError):
        return None
    issue = told.get("issue") if isinstance(told, dict) else None
    key = issue.get("key") if isinstance(issue, dict) else None
    return key if isinstance(key, str) and 0 < len(key) <= LONGEST_KEY else None


def _answer(text: str, status: int) -> Response:
    if status >= 400:
        return make_response({"error": text, "problems": []}, status)
    return make_response({"heard": True}, status)
