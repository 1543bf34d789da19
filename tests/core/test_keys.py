"""API keys are shown once, kept as a hash, and can be revoked."""

from __future__ import annotations

from datetime import datetime

import pytest
import sqlalchemy as sa
from werkzeug.datastructures import Headers

from core.db import Databases
from core.errors import NotAllowedError, NotFoundError
from core.keys import ApiKeyRow, KeyRejected, KeyRing, create_key, revoke_key
from tests.builders import ManualClock


def a_key(databases: Databases, now: datetime, scope: str = "public") -> tuple[str, str]:
    with databases.control.begin() as session:
        key, secret = create_key(
            session, app="demo", scope="public" if scope == "public" else "secret", name="t", now=now
        )
    return key.id, secret


def test_the_database_never_holds_the_key_itself(databases: Databases, now: datetime) -> None:
    _, secret = a_key(databases, now)

    with databases.control() as session:
        row = session.scalars(sa.select(ApiKeyRow)).one()
    assert secret.removeprefix("pk_") not in str(vars(row))


def test_a_key_opens_what_its_scope_allows(databases: Databases, clock: ManualClock) -> None:
    _, secret = a_key(databases, clock())
    ring = KeyRing(databases, clock)

    assert ring.check(f"Bearer {secret}", "public", "secret").app == "demo"
    with pytest.raises(NotAllowedError, match="sk_"):
        ring.check(secret, "secret")


@pytest.mark.parametrize("header", ["Authorization", "x-api-key"])
def test_a_key_may_stand_in_either_header(databases: Databases, clock: ManualClock, header: str) -> None:
    _, secret = a_key(databases, clock())

    assert KeyRing(databases, clock).check_headers(Headers({header: secret}), "public").app == "demo"


@pytest.mark.parametrize("sent", [None, "", "Bearer ", "Bearer pk_wrong", "Basic x"])
def test_no_key_or_a_wrong_one_is_rejected(databases: Databases, clock: ManualClock, sent: str | None) -> None:
    with pytest.raises(KeyRejected):
        KeyRing(databases, clock).check(sent, "public")


def test_a_revoked_key_stops_within_five_seconds(databases: Databases, clock: ManualClock) -> None:
    key_id, secret = a_key(databases, clock())
    ring = KeyRing(databases, clock)
    ring.check(secret, "public")

    with databases.control.begin() as session:
        revoke_key(session, key_id, now=clock())
    clock.advance(seconds=5)

    with pytest.raises(KeyRejected):
        ring.check(secret, "public")


def test_revoking_a_key_that_is_not_there_says_so(databases: Databases, now: datetime) -> None:
    with databases.control.begin() as session, pytest.raises(NotFoundError, match="muster keys list"):
        revoke_key(session, "key_0", now=now)
