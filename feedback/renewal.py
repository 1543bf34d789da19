"""Renewing what is stored after a key was rotated: pseudonyms of installs, and the seals of what people wrote.

All of it may run while everything else does, be cut off and run again. A pseudonym is hashed once more under the new
key (core/privacy.py), so no install's own id is needed; what an install has under both becomes one.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import sqlalchemy as sa
from sqlalchemy.orm import Session, sessionmaker

from core.db import reading
from core.privacy import InstallHash, generation, pseudonyms, renew, reseal
from feedback import store_diaries
from feedback.fold import catch_up, fold_install
from feedback.store_sheets import change, lock_sheets, of_install
from feedback.tables import ANSWERS, DIARIES, INFERENCES, INSTALLS, POLL_EVENTS

AT_ONCE: Final = 200
CARRYING: Final = (POLL_EVENTS, ANSWERS, INFERENCES, INSTALLS, DIARIES)

Told = Callable[[int], None]


def renew_pseudonyms(sessions: sessionmaker[Session], keys: bytes, *, tell: Told = lambda _: None) -> int:
    """Bring every stored pseudonym under the newest key; return how many installs that were."""
    done = 0
    if not generation(keys):
        return done
    catch_up(sessions)
    for table in CARRYING:
        is_old = sa.and_(table.c.install.is_not(None), table.c.install.not_like(f"{generation(keys)}%"))
        while True:
            with reading(sessions) as session:
                old = session.scalars(sa.select(table.c.install).where(is_old).distinct().limit(AT_ONCE)).all()
            if not old:
                break
            with sessions.begin() as session:
                for pseudonym in sorted(map(str, old)):
                    _rename(session, pseudonym, renew(pseudonym, keys))
            done += len(old)
            tell(done)
    return done


def gather_install(session: Session, raw: str, *, app: str, keys: bytes) -> None:
    """Bring all that is stored of one install, under whichever key and in the inbox, under its newest pseudonym."""
    newest, *older = pseudonyms(raw, keys)
    for pseudonym in (newest, *older):
        fold_install(session, app=app, install=pseudonym)
    for pseudonym in older:
        _rename(session, pseudonym, newest)


def reseal_answers(sessions: sessionmaker[Session], keys: bytes) -> int:
    """Seal every text that was sealed under an older key anew under the newest; return how many were."""
    catch_up(sessions)
    key = (ANSWERS.c.app, ANSWERS.c.install, ANSWERS.c.submission, ANSWERS.c.question)
    last: tuple[str, ...] | None = None
    done = 0
    while True:
        wanted = [ANSWERS.c.sealed.is_not(None)] + ([sa.tuple_(*key) > last] if last else [])
        with reading(sessions) as session:
            rows = session.execute(
                sa.select(*key, ANSWERS.c.sealed).where(*wanted).order_by(*key).limit(AT_ONCE)
            ).all()  # fmt: skip
        if not rows:
            return done
        with sessions.begin() as session:
            done += sum(_reseal(session, tuple(row[:4]), row[4], keys) for row in rows)
        last = tuple(rows[-1][:4])


def _reseal(session: Session, key: tuple[str, ...], token: str, keys: bytes) -> bool:
    anew = reseal(token, keys)
    if anew is None:
        return False
    app, install, submission, question = key
    row = ANSWERS.c
    is_it = (row.app == app, row.install == install, row.submission == submission, row.question == question)
    # Somebody may have answered anew meanwhile: then it is sealed under the newest key, and stays.
    session.execute(sa.update(ANSWERS).where(*is_it, row.sealed == token).values(sealed=anew))
    return True


def _rename(session: Session, old: str, new: InstallHash) -> None:
    lock_sheets(session)
    change(session, removed=[*of_install(session, old), *of_install(session, new)])
    for table in (POLL_EVENTS, INFERENCES):
        session.execute(sa.update(table).where(table.c.install == old).values(install=new))
    _join_answers(session, old, new)
    _join_installs(session, old, new)
    store_diaries.rename(session, old, new)
    change(session, added=of_install(session, new))


def _join_answers(session: Session, old: str, new: InstallHash) -> None:
    """Of two answers to one question of a submission the later stands, as always (feedback/responses.py).

    Cells keep both: somebody answered half of a poll before the new key, and the same half again after it.
    """
    other = ANSWERS.alias()
    same = [other.c[name] == ANSWERS.c[name] for name in ("app", "submission", "question")]
    is_later = sa.tuple_(other.c.at, other.c.uuid) > sa.tuple_(ANSWERS.c.at, ANSWERS.c.uuid)
    for mine, theirs in ((old, new), (new, old)):
        beaten = sa.exists().where(*same, other.c.install == theirs, is_later)
        session.execute(sa.delete(ANSWERS).where(ANSWERS.c.install == mine, beaten))
    session.execute(sa.update(ANSWERS).where(ANSWERS.c.install == old).values(install=new))


def _join_installs(session: Session, old: str, new: InstallHash) -> None:
    row = INSTALLS.c
    for app, context, first, last in session.execute(
        sa.select(row.app, row.context, row.first_seen, row.last_seen).where(row.install == old)
    ).all():
        is_new = (row.app == app, row.install == new)
        there = session.execute(sa.select(row.context, row.first_seen, row.last_seen).where(*is_new)).first()
        if there is None:
            session.execute(sa.update(INSTALLS).where(row.app == app, row.install == old).values(install=new))
            continue
        latest = max((last, context), (there.last_seen, there.context))
        seen = {"first_seen": min(first, there.first_seen), "last_seen": latest[0], "context": latest[1]}
        session.execute(sa.update(INSTALLS).where(*is_new).values(**seen))
        session.execute(sa.delete(INSTALLS).where(row.app == app, row.install == old))
