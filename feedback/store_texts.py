"""Reads for themes: everything people wrote about a model in a period, who wrote it, and the rating given with it."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.orm import Session

from core.device import DeviceContext
from core.privacy import unseal
from core.segments import EVERYONE, Segment
from feedback.responses import CONTEXT_FIELDS
from feedback.store_cohorts import contexts_in
from feedback.tables import ANSWERS, CONTEXTS

MOST_TEXTS: Final = 100_000
# The highest answer that is a bad one, by kind of question.
LOW: Final = {"csat": 2, "rating": 2, "thumbs": 0, "nps": 6}


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """What one person wrote, scrubbed; `name` stands for it in commands. `is_low`: the rating given with it is bad."""

    name: str
    words: str
    install: str
    at: datetime
    device: DeviceContext
    release: str | None
    is_low: bool | None


def texts(
    session: Session, *, app: str, model: str, since: datetime, until: datetime, key: bytes, where: Segment = EVERYONE
) -> tuple[Said, ...]:
    """Return the latest 100 000 texts of [since, until), the latest first; corrections of outputs are none.

    The caller shows them only of as many people as may be shown.
    """
    answer, primary = ANSWERS.alias(), ANSWERS.alias()
    same = [answer.c[name] == primary.c[name] for name in ("app", "install", "submission")]
    facts = [CONTEXTS.c[field] for field in CONTEXT_FIELDS]
    row = answer.c
    columns = [row.uuid, row.question, row.sealed, row.install, row.at, row.release, row.context]
    statement = (
        sa.select(*columns, primary.c.kind, primary.c.value, *facts)
        .select_from(
            answer.join(CONTEXTS, CONTEXTS.c.id == row.context).outerjoin(primary, sa.and_(*same, primary.c.is_primary))
        )
        .where(row.app == app, row.model == model, row.at >= since, row.at < until)
        .where(row.sealed.is_not(None), row.kind != "correction")
        .order_by(row.at.desc(), row.uuid, row.question)
        .limit(MOST_TEXTS)
    )
    inside = None if where == EVERYONE else frozenset(contexts_in(session, where))
    found = []
    for uuid, question, sealed, install, at, release, context, kind, value, *told in session.execute(statement):
        words = unseal(sealed, key) if inside is None or context in inside else None
        if words is not None:
            found.append(
                Said(
                    name=_name(uuid, question), words=words, install=install, at=at, release=release,
                    device=DeviceContext(**dict(zip(CONTEXT_FIELDS, told, strict=True))), is_low=_is_low(kind, value),
                )
            )  # fmt: skip
    return tuple(found)


def _name(uuid: str, question: str) -> str:
    """Return what a text is known by outside: the phone's uuid cannot be told from it, and no new key changes it."""
    return "q" + hashlib.sha256(f"muster text:{uuid}:{question}".encode()).hexdigest()[:12]


def _is_low(kind: str | None, value: Any) -> bool | None:
    if kind not in LOW or value is None:
        return None
    if value in ("true", "false"):
        return bool(value == "false")
    return int(value) <= LOW[kind] if str(value).lstrip("-").isdigit() else None
