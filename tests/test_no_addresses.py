"""Nobody's network address is kept: not in a database, not in a log, and the web server writes no access log."""

from __future__ import annotations

import logging
import os
from pathlib import Path

import pytest
import sqlalchemy as sa
from click.testing import CliRunner
from werkzeug.test import Client

from bot.cli import main
from core.db import Databases
from tests.builders import some_settings
from tests.feedback.sending import INSTALL, a_batch, a_context, a_running_poll, a_summary, an_answer
from tests.serving import Served

ADDRESS = "203.0.113.77"
FROM = {"X-Forwarded-For": ADDRESS, "Forwarded": f"for={ADDRESS}", "X-Real-IP": ADDRESS}


def test_whatever_is_asked_the_address_is_neither_stored_nor_logged(
    served: Served, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    with served.databases.control.begin() as session:
        a_running_poll(session)
    phone = Client(served.app)
    headers = {**FROM, "Authorization": f"Bearer {served.public}", "X-Muster-Install": INSTALL}
    client = {"headers": headers, "environ_base": {"REMOTE_ADDR": ADDRESS}}

    sent = phone.post("/v1/batch", json=a_batch(an_answer("u1"), inferences=(a_summary("i1"),)), **client)
    flags = phone.post("/ofrep/v1/evaluate/flags", json={"context": {"targetingKey": INSTALL}}, **client)
    asked = [phone.get(path, **client) for path in ("/v1/polls", "/v1/installs/me", "/nowhere", "/v1/models", "/docs")]

    assert (sent.status_code, flags.status_code) == (200, 200)
    assert [reply.status_code for reply in asked] == [200, 200, 404, 403, 200]
    assert ADDRESS not in "".join(f"{record.getMessage()} {record.__dict__}" for record in caplog.records)
    assert ADDRESS not in _everything(served.databases)
    assert INSTALL not in _everything(served.databases)
    assert str(a_context()["soc"]) in _everything(served.databases)


def _everything(databases: Databases) -> str:
    found = []
    for engine in (databases.control_engine, databases.ingest_engine):
        with engine.connect() as connection:
            for name in sa.inspect(engine).get_table_names():
                found += [str(tuple(row)) for row in connection.execute(sa.text(f'SELECT * FROM "{name}"'))]
    return "\n".join(found)


def test_the_web_server_is_started_without_an_access_log(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    started: list[str] = []
    monkeypatch.setattr(os, "execv", lambda _path, arguments: started.extend(arguments))
    settings = some_settings(tmp_path)
    env = {"MUSTER_SECRET_KEY": settings.secret_key.decode(), "MUSTER_HASH_KEY": settings.hash_key.decode()}
    env["MUSTER_WEB_PORT"] = "0"  # free whatever else runs here

    done = CliRunner().invoke(main, ["web"], env=env)

    assert done.exit_code == 0, done.output
    assert "granian" in started
    assert not [argument for argument in started if "access-log" in argument and "no-" not in argument]
