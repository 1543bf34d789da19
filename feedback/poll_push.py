"""Polls from files: a pipeline pushes the YAML that stands in git, with an sk_ key."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict

from flask import Blueprint, Response, jsonify, request

from core import audit
from core.clock import Clock
from core.db import Databases
from core.errors import AppError, InvalidInputError, Problem
from core.keys import KeyRing
from core.settings import Settings
from feedback import store
from feedback.poll_changes import Change, changes
from feedback.poll_definition import Poll
from feedback.poll_yaml import MAX_CHARS, parse_yaml
from feedback.store import StoredPoll


class TooLargeError(AppError):
    status = 413


class LengthRequiredError(AppError):
    status = 411


def blueprint(databases: Databases, _settings: Settings, clock: Clock, keys: KeyRing) -> Blueprint:
    part = Blueprint("poll_push", __name__)

    @part.put("/v1/polls")
    def _push() -> Response:
        """Create the poll of the body, or its next version; the same again changes nothing.

        `?start=1` starts it as well; `?dry_run=1` only says what would change.
        """
        key = keys.check_headers(request.headers, "secret")
        text, now = _text(), clock()
        with databases.control.begin() as session:

            def find(poll_id: str) -> Poll | None:
                known = store.known_poll(session, poll_id, app=key.app)
                return known.poll if known else None

            poll = parse_yaml(text, find)
            assert poll.model is not None
            before = store.known_poll(session, poll.id, app=key.app)
            stored = store.save_poll(session, poll, app=key.app, model=poll.model, by=key.name or key.id, now=now)
            found = changes(before.poll if before else None, stored.poll)
            if request.args.get("start") and stored.poll.status != "running":
                stored = store.set_poll_status(session, poll.id, "running", now=now, app=key.app)
            told = _told(stored, found, is_new=before is None) | {"notes": _notes(poll, stored.poll)}
            if request.args.get("dry_run"):
                session.rollback()
                return jsonify(told)
            if stored.updated_at == now:
                facts = {"version": stored.poll.version, "status": stored.poll.status}
                audit.record(session, who=key.id, what="poll.pushed", subject=stored.ref, now=now, facts=facts)
        return jsonify(told)

    return part


def _notes(file: Poll, stored: Poll) -> list[str]:
    """Return what a file says in vain."""
    if file.start_date in (None, stored.start_date):
        return []
    return [f"start_date stays {stored.start_date:%Y-%m-%dT%H:%M:%SZ}: a poll that was started is not started again."]


def _told(after: StoredPoll, found: Sequence[Change], *, is_new: bool) -> dict[str, object]:
    """Return the poll as it stands (or would), and what the file changed in it."""
    facts = {"ref": after.ref, "id": after.poll.id, "version": after.poll.version, "status": after.poll.status}
    return {**facts, "is_new": is_new, "changes": [asdict(each) for each in found]}


def _text() -> str:
    if request.content_length is None:  # YAML that was cut off between two lines is YAML still
        raise LengthRequiredError("Send the file with its Content-Length, so that one that was cut off is seen.")
    if request.content_length > 4 * MAX_CHARS:
        raise TooLargeError(f"A poll file has at most {MAX_CHARS} characters.")
    try:
        return request.get_data(cache=False).decode()
    except UnicodeDecodeError as error:
        raise InvalidInputError(Problem("", f"is not UTF-8 text, at byte {error.start}")) from error
