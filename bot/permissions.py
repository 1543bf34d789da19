"""Who may change what: nobody, unless a role says so.

Operators start, advance, pause and resume; approvers approve, never what they proposed; admins may all of it and give
roles. Halt, roll back and kill are open to any of the three. The first admins are a setting.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from sqlalchemy.orm import Session

from bot.store import EVERY_MODEL, grants
from core.errors import NotAllowedError

Role = Literal["operator", "approver", "admin"]
ROLES: tuple[Role, ...] = ("operator", "approver", "admin")
ANY_ROLE: tuple[Role, ...] = ROLES
NAMED = 5


def roles_of(session: Session, admins: Sequence[str], person: str, model: str | None) -> frozenset[str]:
    """Return the roles for `model`; with None those that hold for some model or for all."""
    held = {grant.role for grant in grants(session, person=person) if _covers(grant.model, model)}
    return frozenset(held | ({"admin"} if person in admins else set()))


def may(session: Session, admins: Sequence[str], person: str, roles: Sequence[Role], model: str | None) -> bool:
    """Admins may whatever any role may."""
    return bool(roles_of(session, admins, person, model) & {*roles, "admin"})


def who_can(session: Session, admins: Sequence[str], roles: Sequence[Role], model: str | None) -> tuple[str, ...]:
    """Return the ids of all who may, those with the narrowest role first."""
    wanted = {*roles, "admin"}
    found = [grant for grant in grants(session) if grant.role in wanted and _covers(grant.model, model)]
    found.sort(key=lambda grant: grant.role == "admin")
    return tuple(dict.fromkeys([*(grant.person for grant in found), *admins]))


def require(
    session: Session, admins: Sequence[str], person: str, roles: Sequence[Role], *, model: str | None, act: str
) -> None:
    """Raises: NotAllowedError: names who can; `act` reads after "You may not", such as "halt R12"."""
    if may(session, admins, person, roles, model):
        return
    raise NotAllowedError(f"You may not {act}: it takes the role {either(roles)}. {ask(session, admins, roles, model)}")


def ask(session: Session, admins: Sequence[str], roles: Sequence[Role], model: str | None) -> str:
    """The sentence that says who can."""
    able = who_can(session, admins, roles, model)
    if not able:
        return "Nobody has it yet: set MUSTER_SLACK_ADMINS to the user id of a first admin."
    named = [f"<@{person}>" for person in able[:NAMED]]
    if len(able) > NAMED:
        named.append(f"{len(able) - NAMED} more")
    return f"{either(named)} can."


def either(names: Sequence[str]) -> str:
    """Read as a choice: "a", "a or b", "a, b or c"."""
    return " or ".join(part for part in (", ".join(names[:-1]), names[-1]) if part)


def _covers(granted: str, model: str | None) -> bool:
    return model is None or granted in (EVERY_MODEL, model)
