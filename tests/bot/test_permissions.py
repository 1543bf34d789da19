"""Changes are denied unless a role allows them, and the refusal names who can."""

from __future__ import annotations

import pytest

from bot import permissions, store
from core.db import Databases
from core.errors import NotAllowedError
from tests.builders import T0

ADMINS = ("U0TOM",)


def give(databases: Databases, person: str, role: str, model: str = "*") -> None:
    with databases.control.begin() as session:
        store.grant(session, person=person, role=role, model=model, by="U0TOM", now=T0)


def test_nobody_may_change_anything_without_a_role(databases: Databases) -> None:
    with databases.control.begin() as session, pytest.raises(NotAllowedError) as error:
        permissions.require(session, ADMINS, "U0PAM", ["operator"], model="kws", act="advance R12")

    assert error.value.message == "You may not advance R12: it takes the role operator. <@U0TOM> can."


def test_a_grant_for_one_model_says_nothing_about_another(databases: Databases) -> None:
    give(databases, "U0DANA", "operator", "kws")

    with databases.control.begin() as session:
        assert permissions.may(session, ADMINS, "U0DANA", ["operator"], "kws")
        assert not permissions.may(session, ADMINS, "U0DANA", ["operator"], "scan")
        assert permissions.roles_of(session, ADMINS, "U0DANA", None) == {"operator"}


def test_admins_may_whatever_a_role_may(databases: Databases) -> None:
    give(databases, "U0MIA", "admin", "kws")

    with databases.control.begin() as session:
        assert permissions.may(session, ADMINS, "U0TOM", ["approver"], "scan")
        assert permissions.may(session, ADMINS, "U0MIA", ["approver"], "kws")
        assert not permissions.may(session, ADMINS, "U0MIA", ["approver"], "scan")


def test_the_narrowest_role_is_named_first(databases: Databases) -> None:
    give(databases, "U0ANN", "admin")
    give(databases, "U0MIA", "approver")

    with databases.control.begin() as session:
        assert permissions.ask(session, ADMINS, ["approver"], "kws") == "<@U0MIA>, <@U0ANN> or <@U0TOM> can."


def test_a_long_list_of_people_is_counted(databases: Databases) -> None:
    for number in range(8):
        give(databases, f"U{number}", "approver")

    with databases.control.begin() as session:
        assert permissions.ask(session, ADMINS, ["approver"], "kws").endswith("<@U4> or 4 more can.")


def test_a_house_without_an_admin_says_how_to_name_one(databases: Databases) -> None:
    with databases.control.begin() as session:
        assert "MUSTER_SLACK_ADMINS" in permissions.ask(session, (), ["approver"], "kws")


def test_a_role_taken_back_is_gone(databases: Databases) -> None:
    give(databases, "U0MIA", "approver", "kws")

    with databases.control.begin() as session:
        assert not store.grant(session, person="U0MIA", role="approver", model="kws", by="U0TOM", now=T0)
        assert store.revoke(session, person="U0MIA", role="approver", model="kws")
        assert not store.revoke(session, person="U0MIA", role="approver", model="kws")
        assert not permissions.may(session, ADMINS, "U0MIA", ["approver"], "kws")
