"""A new hash key or seal: nobody is lost, nobody counts twice, and everything may be cut off and run again."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import given
from hypothesis import strategies as st

from core.db import Databases
from core.errors import InvalidInputError
from core.privacy import pseudonymize, pseudonyms, renew, reseal, ring, seal, unseal
from core.settings import Settings
from feedback import store
from feedback.tables import ANSWERS, DIARIES, INFERENCES, INSTALLS, POLL_EVENTS
from tests.builders import ManualClock, at
from tests.feedback.sending import INSTALL, Wire, a_batch, a_context, a_running_poll, a_summary, an_answer, statuses

OLD = b"a hash key for tests only"
TWO = b"\n".join([b"another hash key for tests", OLD])
HEARD = {"X-Muster-Install": INSTALL}
TABLES = (POLL_EVENTS, ANSWERS, INFERENCES, INSTALLS, DIARIES)


class Rotation:
    """The same house before and after a key was put before the others."""

    def __init__(self, databases: Databases, settings: Settings, clock: ManualClock) -> None:
        self.databases = databases
        self.before = Wire(databases, settings, clock)
        self.after = Wire(databases, replace(settings, hash_key=TWO), clock)

    def rotate(self) -> int:
        return store.renew_pseudonyms(self.databases.ingest, TWO)

    def known_as(self) -> dict[str, set[str]]:
        with store.fresh(self.databases.ingest) as session:
            return {table.name: set(session.scalars(sa.select(table.c.install))) - {None} for table in TABLES}


@pytest.fixture
def rotation(either: Databases, settings: Settings, clock: ManualClock) -> Rotation:
    with either.control.begin() as session:
        a_running_poll(session)
    return Rotation(either, settings, clock)


def partly(uuid: str, value: int, hours: float) -> dict[str, Any]:
    return an_answer(uuid, value, at=at(hours), submission="one")


@given(st.text(min_size=1))
def test_what_is_stored_is_renewed_to_what_the_phone_will_be_known_by(install: str) -> None:
    keys = b"\n".join([b"the third of the hash keys", b"the second of the hash keys", OLD])
    found = pseudonyms(install, keys)

    assert found[0] == pseudonymize(install, keys)
    assert found[-1] == pseudonymize(install, OLD)
    assert {renew(each, keys) for each in found} == {found[0]}
    assert len(set(found)) == 3


def test_a_new_key_alone_does_not_give_the_pseudonym() -> None:
    assert pseudonymize(INSTALL, ring(TWO)[0]) not in pseudonyms(INSTALL, TWO)


def test_everything_of_an_install_comes_under_the_new_key_and_it_stays_one_person(rotation: Rotation) -> None:
    assert (
        statuses(rotation.before.batch(a_batch(partly("u1", 4, -3), inferences=(a_summary("i1"),)))) == ["accepted"] * 2
    )
    assert (
        statuses(rotation.after.batch(a_batch(partly("u2", 2, -1), inferences=(a_summary("i2"),)))) == ["accepted"] * 2
    )

    assert rotation.rotate() >= 1
    assert rotation.rotate() == 0

    newest = pseudonymize(INSTALL, TWO)
    assert rotation.known_as() == {table.name: {newest} for table in TABLES}
    with rotation.databases.ingest() as session:
        (answer,) = session.execute(sa.select(ANSWERS.c.value, ANSWERS.c.uuid)).all()
        (seen,) = session.execute(sa.select(INSTALLS.c.first_seen, INSTALLS.c.last_seen)).all()
    assert tuple(answer) == ("2", "u2")
    assert tuple(seen) == (at(-3), at(-1))


def test_what_is_sent_again_after_the_new_key_stays_a_duplicate(rotation: Rotation) -> None:
    rotation.before.batch(a_batch(partly("u1", 4, -3)))

    assert statuses(rotation.after.batch(a_batch(partly("u1", 4, -3)))) == ["duplicate"]


@pytest.mark.parametrize("rotated", [False, True], ids=["before it is done", "after"])
def test_an_install_is_exported_and_erased_under_whichever_key(rotation: Rotation, rotated: bool) -> None:
    rotation.before.batch(a_batch(partly("u1", 4, -3), inferences=(a_summary("i1"),)))
    if rotated:
        rotation.rotate()

    export = rotation.after.get("/v1/installs/me", **HEARD).json or {}
    erased = rotation.after.delete("/v1/installs/me", **HEARD)

    assert [answer["uuid"] for answer in export["answers"]] == ["u1"]
    assert erased.status_code == 204
    assert set().union(*rotation.known_as().values()) == set()


def test_another_install_is_not_touched_by_what_one_asks_for(rotation: Rotation) -> None:
    rotation.before.batch(a_batch(partly("u1", 4, -3), context=a_context(install="somebody else")))

    rotation.after.delete("/v1/installs/me", **HEARD)

    assert rotation.known_as()["answers"] == {pseudonymize("somebody else", OLD)}


def test_texts_are_sealed_anew_under_the_newest_key_once(
    either: Databases, settings: Settings, clock: ManualClock
) -> None:
    with either.control.begin() as session:
        a_running_poll(session)
    words = [{"question": "q_txt", "value": "too slow"}]
    Wire(either, settings, clock).batch(a_batch(an_answer("u1", answers=words)))
    rotated = replace(settings, seal_key=b"a key for seals alone").sealing

    assert store.reseal_answers(either.ingest, rotated) == 1
    assert store.reseal_answers(either.ingest, rotated) == 0

    with either.ingest() as session:
        token = session.scalar(sa.select(ANSWERS.c.sealed))
    assert unseal(str(token), b"a key for seals alone") == "too slow"
    assert unseal(str(token), settings.secret_key) is None


def test_a_seal_of_no_key_of_ours_is_left_alone() -> None:
    assert reseal(seal("hello", b"somebody else's key"), TWO) is None


@pytest.mark.parametrize(
    ("value", "told"),
    [
        pytest.param("0123456789abcdef,short", "at least 16 characters", id="one is short"),
        pytest.param("0123456789abcdef\n0123456789abcdef", "must be keys that differ", id="the same twice"),
    ],
)
def test_keys_that_are_none_are_named(value: str, told: str) -> None:
    with pytest.raises(InvalidInputError) as caught:
        Settings.from_env({"MUSTER_SECRET_KEY": "0123456789abcdef", "MUSTER_HASH_KEY": value})

    assert [problem.path for problem in caught.value.problems] == ["MUSTER_HASH_KEY"]
    assert told in str(caught.value.problems[0])


def test_keys_come_from_a_file_with_a_line_for_each(tmp_path: Any) -> None:
    file = tmp_path / "keys"
    file.write_text("the newest of the keys\nthe oldest of the keys\n")

    settings = Settings.from_env({"MUSTER_SECRET_KEY": "0123456789abcdef", "MUSTER_HASH_KEY_FILE": str(file)})

    assert ring(settings.hash_key) == (b"the newest of the keys", b"the oldest of the keys")
    assert "newest of" not in repr(settings)
