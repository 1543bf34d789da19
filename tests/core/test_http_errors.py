from __future__ import annotations

import sqlite3

import pytest
import sqlalchemy as sa
from flask import Flask

from core.http_errors import register_errors


@pytest.mark.parametrize("error", [sa.exc.OperationalError, sa.exc.InterfaceError])
def test_a_database_that_is_locked_or_away_is_told_as_such_and_may_be_tried_again(
    error: type[sa.exc.DBAPIError],
) -> None:
    app = Flask("locked")
    register_errors(app)

    @app.get("/")
    def _locked() -> str:
        raise error("SELECT secret", {}, sqlite3.OperationalError("database is locked"))

    reply = app.test_client().get("/")

    assert (reply.status_code, reply.headers["Retry-After"]) == (503, "5")
    assert reply.get_json() == {"error": "The database cannot be reached; try again.", "problems": []}


def test_an_address_where_nothing_is_is_named_and_typing_is_not_taught() -> None:
    app = Flask("empty")
    register_errors(app)

    reply = app.test_client().get("/v1/nothing")

    assert reply.status_code == 404
    assert reply.get_json() == {"error": "There is nothing at /v1/nothing.", "problems": []}
