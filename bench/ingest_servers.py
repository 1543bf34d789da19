"""The servers that `python -m bench.ingest` compares; granian runs ours over RSGI, the others over WSGI."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa
from flask import Flask, jsonify, request
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column

import feedback.web
from core.bridge import Bridge
from core.clock import system_clock
from core.db import open_databases, open_engine
from core.http_errors import register_errors
from core.keys import KeyRing
from core.settings import Settings
from feedback.front import Front
from feedback.intake import Intake


def ours() -> Front:
    """The collector as wsgi.py composes it."""
    settings = Settings.from_env()
    databases = open_databases(settings.database_url, settings.ingest_database_url)
    keys = KeyRing(databases, system_clock)
    app = Flask("muster")
    register_errors(app)
    app.register_blueprint(feedback.web.blueprint(databases, settings, system_clock, keys))
    intake = Intake(databases, settings, system_clock, keys)
    within_s = settings.body_within_s
    return Front(Bridge(app.wsgi_app, body_within_s=within_s), intake, body_within_s=within_s)


def hello() -> Flask:
    """Flask that stores nothing and answers a constant."""
    app = Flask("hello")

    @app.post("/v1/responses")
    def _hello() -> str:
        return "Hello, World!"

    return app


class _Base(DeclarativeBase):
    pass


class _StoredResponse(_Base):
    __tablename__ = "responses"

    uuid: Mapped[str] = mapped_column(primary_key=True)
    install: Mapped[str]
    poll: Mapped[str]
    submission: Mapped[str]
    value: Mapped[int]
    context: Mapped[dict[str, Any]] = mapped_column(sa.JSON)
    at: Mapped[datetime]


def orm() -> Flask:
    """What one would write first: an object and a commit for each request, SQLAlchemy and the database as they come."""
    return _orm(sa.create_engine(os.environ["BENCH_ORM_URL"]))


def wal() -> Flask:
    """The same on the settings of SQLite that are ours: a log written ahead, and the write lock from the beginning."""
    return _orm(open_engine(os.environ["BENCH_WAL_URL"]))


def _orm(engine: sa.Engine) -> Flask:
    _Base.metadata.create_all(engine)
    app = Flask("orm")

    @app.post("/v1/responses")
    def _store() -> Any:
        body = request.get_json()
        with Session(engine) as session:
            session.add(
                _StoredResponse(
                    uuid=body["uuid"],
                    install=body["context"]["install"],
                    poll=body["poll"],
                    submission=body["submission"],
                    value=body["answers"][0]["value"],
                    context=body["context"],
                    at=datetime.fromisoformat(body["timestamp"]).astimezone(UTC),
                )
            )
            session.commit()
        return jsonify(accepted=1)

    return app
