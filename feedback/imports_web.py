"""Answers from other tools over HTTP: mappings and rows with an sk_ key, Formbricks' webhook, PostHog's `/batch`.

What comes is turned into a batch and taken by the same collector as a phone's: checked by the poll, stored once.
"""

from __future__ import annotations

from typing import Any, cast

import msgspec
from flask import Blueprint, Response, jsonify, request

from core import audit, standard_webhooks
from core.clock import Clock
from core.db import Databases, reading
from core.errors import InvalidInputError, NotFoundError, Problem
from core.keys import KeyRing
from core.settings import Settings
from core.standard_webhooks import SignatureRejected
from feedback import store
from feedback.imports import posthog
from feedback.imports.convert import READERS, Converted, convert
from feedback.imports.mapping import SOURCES, Source, read_map
from feedback.imports.rows import Unusable
from feedback.inflate import inflate
from feedback.ingest import Collector
from feedback.openapi_imports import ImportReply
from feedback.polls import Poll
from feedback.store import KnownImport
from feedback.unpack import MalformedError, TooLargeError
from feedback.wire import MAX_ITEMS, Mistake, Reply, Result

_encode = msgspec.json.Encoder().encode


class _Imports:
    """The routes' work, with what it takes."""

    def __init__(self, databases: Databases, settings: Settings, clock: Clock) -> None:
        self.databases, self.settings, self.clock = databases, settings, clock
        self.collector = Collector(databases, settings)

    def connect(self, node: object, source: Source, survey: str, *, app: str, by: str) -> KnownImport:
        if not isinstance(node, dict):
            raise InvalidInputError(Problem("", "must be an object with poll and questions"))
        node = {**node, "source": source, "survey": survey}
        secret = node.pop("secret", None)
        if secret is not None:
            standard_webhooks.check_secret(str(secret), "secret")
        now = self.clock()
        with self.databases.control.begin() as session:
            mapping = read_map(node, lambda name: store.find_poll(session, name, app=app).poll)
            key = self.settings.secret_key
            store.save_import(session, mapping, app=app, secret=secret, key=key, by=by, now=now)
            audit.record(session, who=by, what="import.connected", subject=f"{source}/{survey}", now=now,
                         facts={"poll": mapping.poll})  # fmt: skip
            return store.find_import(session, source, survey, app=app, key=key)

    def find(self, source: Source, survey: str, app: str) -> tuple[KnownImport, Poll]:
        with reading(self.databases.control) as session:
            known = store.find_import(session, source, survey, app=app, key=self.settings.secret_key)
            return known, store.find_poll(session, known.mapping.poll, app=app).poll

    def take(self, rows: list[object], known: KnownImport, poll: Poll, *, app: str, dry_run: bool) -> ImportReply:
        """Raises: TooLargeError, OverloadedError."""
        if len(rows) > MAX_ITEMS:
            raise TooLargeError(f"A page has at most {MAX_ITEMS} rows, this one has {len(rows)}; send it in parts.")
        converted = convert(rows, known.mapping, poll)
        body = _encode({"events": converted.events})
        take = self.collector.try_batch if dry_run else self.collector.accept_batch
        return _reply(take(body, app=app, now=self.clock()), converted)


def blueprint(databases: Databases, settings: Settings, clock: Clock, keys: KeyRing) -> Blueprint:
    part = Blueprint("imports", __name__)
    imports = _Imports(databases, settings, clock)

    @part.get("/v1/imports")
    def _list() -> Response:
        app = keys.check_headers(request.headers, "secret").app
        with reading(databases.control) as session:
            known = store.list_imports(session, app=app, key=settings.secret_key)
        return jsonify(imports=[_facts(each) for each in known])

    @part.put("/v1/imports/<source>/<survey>")
    def _connect(source: str, survey: str) -> Response:
        key = keys.check_headers(request.headers, "secret")
        known = imports.connect(_json(settings), _source(source), survey, app=key.app, by=key.name or key.id)
        return jsonify(_facts(known))

    @part.post("/v1/imports/<source>/<survey>")
    def _take(source: str, survey: str) -> Response:
        """Take rows as the other tool tells them. `?dry_run=1` says what would become of each and keeps nothing."""
        app = keys.check_headers(request.headers, "secret").app
        known, poll = imports.find(_source(source), survey, app)
        rows = READERS[known.mapping.source].rows_of(_json(settings))
        if rows is None:
            raise InvalidInputError(Problem("", "must be an array of responses, or an object with them under data"))
        return _answer(imports.take(rows, known, poll, app=app, dry_run=request.args.get("dry_run") == "1"))

    @part.post("/v1/imports/formbricks/<survey>/webhook")
    def _formbricks(survey: str) -> Response:
        body = _body(settings)
        app = _signed_for(imports, survey, body, request.headers)
        known, poll = imports.find("formbricks", survey, app)
        rows = READERS["formbricks"].rows_of(_parsed(body))
        if rows is None:
            raise InvalidInputError(Problem("", "must be an object with event and data"))
        return _answer(imports.take(rows, known, poll, app=app, dry_run=False))

    @part.post("/batch", strict_slashes=False)
    def _posthog() -> Response:
        """Take what a PostHog SDK sends, its `api_key` being a pk_ key; what is no survey event is let go."""
        told = _json(settings)
        secret = told.get("api_key") if isinstance(told, dict) else None
        app = keys.check(str(secret) if secret else request.headers.get("Authorization"), "public", "secret").app
        rows = posthog.rows_of(told)
        if rows is None:
            raise InvalidInputError(Problem("batch", "must be an array of events"))
        return _answer(_by_survey(imports, rows, app))

    return part


def _by_survey(imports: _Imports, rows: list[object], app: str) -> ImportReply:
    surveys = {survey: None for row in rows if (survey := posthog.survey_of(row))}
    total = ImportReply(accepted=0, duplicate=0, rejected=0, results=[], skipped=0)
    told = 0
    for survey in surveys:
        mine = [row for row in rows if posthog.survey_of(row) == survey]
        try:
            known, poll = imports.find("posthog", survey, app)
        except NotFoundError:
            continue
        reply = imports.take(mine, known, poll, app=app, dry_run=False)
        told += len(mine)
        total.accepted, total.duplicate = total.accepted + reply.accepted, total.duplicate + reply.duplicate
        total.rejected, total.skipped = total.rejected + reply.rejected, total.skipped + reply.skipped
        total.results += reply.results
    total.skipped += len(rows) - told
    return total


def _signed_for(imports: _Imports, survey: str, body: bytes, headers: Any) -> str:
    """Return the app whose secret signed this. Raises: SignatureRejected (401): of an unknown survey as well."""
    key = imports.settings.secret_key
    with reading(imports.databases.control) as session:
        apps = store.apps_of_import(session, "formbricks", survey)
        known = {app: store.find_import(session, "formbricks", survey, app=app, key=key).secret for app in apps}
    refused = SignatureRejected("The signature does not fit: is the secret the sender's?")
    for app, secret in known.items():
        try:
            if secret:
                standard_webhooks.verify(secret, headers, body, now=imports.clock())
                return app
        except SignatureRejected as error:
            refused = error
    raise refused


def _reply(reply: Reply, converted: Converted) -> ImportReply:
    refused = [_rejected(each) for each in converted.unusable]
    return ImportReply(
        accepted=reply.accepted,
        duplicate=reply.duplicate,
        rejected=reply.rejected + len(refused),
        results=[*reply.results, *refused],
        skipped=converted.skipped,
    )


def _rejected(row: Unusable) -> Result:
    problems = [Mistake(path=problem.path, message=problem.message) for problem in row.problems]
    return Result(uuid=row.id, status="rejected", problems=problems)


def _answer(reply: ImportReply) -> Response:
    return Response(_encode(reply), mimetype="application/json")


def _facts(known: KnownImport) -> dict[str, Any]:
    return {
        **cast(dict[str, Any], msgspec.to_builtins(known.mapping)),
        "has_secret": known.secret is not None,
        "made_by": known.made_by,
        "updated_at": known.updated_at.isoformat(),
    }


def _source(told: str) -> Source:
    if told not in SOURCES:
        raise NotFoundError(f"There is no import from {told[:40]!r}; there are {', '.join(SOURCES)}.")
    return told


def _body(settings: Settings) -> bytes:
    largest = settings.max_body_bytes
    if (request.content_length or 0) > largest:
        raise TooLargeError(f"The body must have at most {largest} bytes; send it in parts.")
    body = request.stream.read(largest + 1)
    if len(body) > largest:
        raise TooLargeError(f"The body must have at most {largest} bytes; send it in parts.")
    return inflate(body, request.headers.get("Content-Encoding", ""), settings.max_inflated_bytes)


def _json(settings: Settings) -> Any:
    return _parsed(_body(settings))


def _parsed(body: bytes) -> Any:
    try:
        return msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise MalformedError(f"The body is not JSON: {error}.") from error
