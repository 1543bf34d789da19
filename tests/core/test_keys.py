"""API keys are shown once, kept as a hash, and can be revoked."""

from __future__ import annotations

import threading
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


@pytest.mark.parametrize("scheme", ["Bearer ", "bearer ", "BEARER  ", ""])
def test_the_scheme_before_a_key_may_be_written_in_any_case(
    databases: Databases, clock: ManualClock, scheme: str
) -> None:
    _, secret = a_key(databases, clock())

    assert KeyRing(databases, clock).check(scheme + secret, "public").app == "demo"


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


def test_while_one_thread_looks_a_key_up_again_the_others_go_on(databases: Databases, clock: ManualClock) -> None:
    _, secret = a_key(databases, clock())
    ring = KeyRing(databases, clock)
    ring.check(secret, "public")
    clock.advance(seconds=6)
    apps: list[str] = []
    looked: list[object] = []

    @sa.event.listens_for(databases.control_engine, "begin")
    def _meanwhile(connection: object) -> None:
        looked.append(connection)
        if len(looked) == 1:
            another = threading.Thread(target=lambda: apps.append(ring.check(secret, "public").app))
            another.start()
            another.join(30)

    assert ring.check(secret, "public").app == "demo"
    assert apps == ["demo"]
    assert len(looked) == 1


def test_a_key_that_could_not_be_looked_up_is_not_taken_for_good(databases: Databases, clock: ManualClock) -> None:
    key_id, secret = a_key(databases, clock())
    ring = KeyRing(databases, clock)
    ring.check(secret, "public")
    with databases.control.begin() as session:
        revoke_key(session, key_id, now=clock())
    clock.advance(seconds=6)

    def _away(_connection: object) -> None:
        raise ConnectionError

    sa.event.listen(databases.control_engine, "begin", _away)
    with pytest.raises(ConnectionError):
        ring.check(secret, "public")
    sa.event.remove(databases.control_engine, "begin", _away)
    with pytest.raises(KeyRejected):
        ring.check(secret, "public")
