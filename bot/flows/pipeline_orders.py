"""An optimization that a pipeline orders with its key: the words of a person's order, refused with every mistake."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from bot.context import Context
from bot.flows import orders
from bot.jobs_openapi import LONGEST_WORD, WORDS
from core.errors import ConflictError, InvalidInputError, Problem
from core.values import is_storable
from optimize import store
from optimize.store import Job


def order(ctx: Context, body: object, *, app: str, by: str, now: datetime) -> tuple[Job, bool]:
    """Write the order down; return it and whether it is new. The same order by the same key is one until it ends.

    Raises: InvalidInputError: with everything that is wrong; NotFoundError; ConflictError: the key is of another app.
    """
    said = _read(body)
    if app != ctx.settings.app:
        raise ConflictError(f"Workers here optimize for the app {ctx.settings.app}; this key is of {app}.")
    asked = orders.Asked(target=f"{said.pop('model')}@{said.pop('version')}", options=said, by=by)
    with ctx.databases.control.begin() as session:
        source = orders.pick(session, app, asked.target, said.get("variant"))
        wanted = orders.wanted(session, app, source, asked)
        for known in store.newest(session, app=app, model=source.model, limit=100):
            if known.wanted == wanted and not known.has_ended:
                return known, False
        made = orders.place(session, wanted, orders.rows_of(session, app, source), now=now, dry_run=False)
    assert made.job is not None
    return made.job, True


def _read(body: object) -> dict[str, str]:
    if not isinstance(body, Mapping):
        raise InvalidInputError(Problem("", 'must be an object such as {"model": "kws", "version": "1.4.0", …}'))
    problems = [
        Problem(str(name)[:40], "is not known; known are " + ", ".join(WORDS)) for name in body if name not in WORDS
    ]
    said: dict[str, str] = {}
    for name in WORDS:
        value = body.get(name)
        if value is not None and not isinstance(value, str):
            problems.append(Problem(name, 'must be text as people type it, such as "120s"'))
        elif value is not None and len(value) > LONGEST_WORD:
            problems.append(Problem(name, f"must have at most {LONGEST_WORD} characters"))
        elif value is not None and not is_storable(value):
            problems.append(Problem(name, "has a character that cannot be kept: NUL, or half of one such as an emoji"))
        elif value is not None and value.strip():
            said[name] = value.strip()
    wrong = {problem.path for problem in problems}
    problems += [Problem(name, "must be said") for name in ("model", "version") if name not in {*said, *wrong}]
    if problems:
        raise InvalidInputError(*problems)
    return said
