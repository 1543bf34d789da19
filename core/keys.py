"""API keys: `pk_…` may be in the app and only writes and fetches bundles; `sk_…` registers artifacts and reads.

Only a hash of a key is kept. Both kinds belong to one app and can be revoked; several may be valid at once, so
that one is rotated with overlap.
"""

from __future__ import annotations

import hashlib
import re
import secrets
import threading
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal, Protocol

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, Session, mapped_column

from core.clock import Clock
from core.db import Control, Databases, reading
from core.errors import AppError, NotAllowedError, NotFoundError, NotRememberedError
from core.ids import new_id

Scope = Literal["public", "secret"]
PREFIXES: dict[Scope, str] = {"public": "pk_", "secret": "sk_"}
CACHED_FOR = timedelta(seconds=5)
CACHED_AT_MOST = 10_000
_BEARER = re.compile(r"Bearer(?: |$)", re.IGNORECASE)  # RFC 9110, 11.1: a scheme has no case


class ApiKeyRow(Control):
    __tablename__ = "api_keys"

    id: Mapped[str] = mapped_column(primary_key=True)
    app: Mapped[str]
    scope: Mapped[str]
    name: Mapped[str]
    digest: Mapped[str] = mapped_column(unique=True)
    created_at: Mapped[datetime]
    revoked_at: Mapped[datetime | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiKey:
    id: str
    app: str
    scope: Scope
    name: str
    created_at: datetime
    revoked_at: datetime | None


class KeyRejected(AppError):  # noqa: N818 (reads as what happened)
    status = 401


def create_key(session: Session, *, app: str, scope: Scope, name: str, now: datetime) -> tuple[ApiKey, str]:
    """Make a key; the second value is the key itself, which is never shown again."""
    secret = PREFIXES[scope] + secrets.token_urlsafe(24)
    row = ApiKeyRow(
        id=new_id("key", now), app=app, scope=scope, name=name, digest=_digest(secret), created_at=now, revoked_at=None
    )
    session.add(row)
    session.flush()
    return _facts(row), secret


def find_key(session: Session, secret: str) -> ApiKey | None:
    row = session.scalar(sa.select(ApiKeyRow).where(ApiKeyRow.digest == _digest(secret)))
    return _facts(row) if row else None


def list_keys(session: Session) -> tuple[ApiKey, ...]:
    return tuple(_facts(row) for row in session.scalars(sa.select(ApiKeyRow).order_by(ApiKeyRow.created_at)))


def name_of(session: Session, who: str) -> str:
    """Return how a key is called, "the key CI"; whoever has no key of that name, as they are."""
    row = session.get(ApiKeyRow, who)
    return f"the key {row.name}" if row is not None and row.name else who


def first_key_at(session: Session, app: str) -> datetime | None:
    """Return when the app got its first key: before that nothing can have been heard of it. None when it has none."""
    return session.scalar(sa.select(sa.func.min(ApiKeyRow.created_at)).where(ApiKeyRow.app == app))


def revoke_key(session: Session, key_id: str, *, now: datetime) -> ApiKey:
    """Revoke for good; every process follows within seconds. Revoking twice changes nothing."""
    row = session.get(ApiKeyRow, key_id)
    if row is None:
        raise NotFoundError(f"There is no key {key_id}; `muster keys list` shows them.")
    row.revoked_at = row.revoked_at or now
    session.flush()
    return _facts(row)


class Headers(Protocol):
    """A request's headers; their names are matched whatever the case."""

    def get(self, name: str, /) -> str | None: ...


class KeyRing:
    """Checks keys for the web; remembers an answer for five seconds, so a request needs no query."""

    def __init__(self, databases: Databases, clock: Clock) -> None:
        self._databases = databases
        self._clock = clock
        self._known: dict[str, tuple[datetime, ApiKey | None]] = {}
        self._lock = threading.Lock()

    def check(self, authorization: str | None, *scopes: Scope, briefly: bool = False) -> ApiKey:
        """Return the key behind `Bearer pk_…` (or the bare key).

        Raises: KeyRejected (401): no key, an unknown or a revoked one; NotAllowedError (403): not of these scopes;
            NotRememberedError: `briefly` was asked for, and it takes a look at the database.
        """
        given = (authorization or "").strip()
        scheme = _BEARER.match(given)
        secret = given[scheme.end() :].strip() if scheme else given
        if not secret:
            raise KeyRejected("No API key: send `Authorization: Bearer pk_…`.")
        key = self._find(secret, briefly)
        if key is None or key.revoked_at is not None:
            raise KeyRejected("This API key is unknown or revoked.")
        if key.scope not in scopes:
            needed = " or ".join(PREFIXES[scope] + "…" for scope in scopes)
            raise NotAllowedError(f"This needs a {needed} key; a {PREFIXES[key.scope]}… key was sent.")
        return key

    def check_headers(self, headers: Headers, *scopes: Scope) -> ApiKey:
        """Return the key that a request carries as `Authorization: Bearer …` or as `X-API-Key`. Raises: as `check`."""
        return self.check(headers.get("Authorization") or headers.get("X-API-Key"), *scopes)

    def _find(self, secret: str, briefly: bool) -> ApiKey | None:
        digest, now = _digest(secret), self._clock()
        known = self._known.get(digest)
        if known and timedelta(0) <= now - known[0] < CACHED_FOR:
            return known[1]
        if briefly:
            raise NotRememberedError
        if known:  # the other threads go on with what was known while this one looks again
            self._known[digest] = (now, known[1])
        try:
            with reading(self._databases.control) as session:
                key = find_key(session, secret)
        except Exception:
            self._known.pop(digest, None)
            raise
        with self._lock:
            if len(self._known) >= CACHED_AT_MOST:
                self._known.clear()
            self._known[digest] = (now, key)
        return key


def _digest(secret: str) -> str:
    # The keys are 192 random bits, so a plain hash is enough: there is nothing to guess.
    return hashlib.sha256(secret.encode()).hexdigest()


def _facts(row: ApiKeyRow) -> ApiKey:
    scope: Scope = "public" if row.scope == "public" else "secret"
    return ApiKey(
        id=row.id, app=row.app, scope=scope, name=row.name, created_at=row.created_at, revoked_at=row.revoked_at
    )
