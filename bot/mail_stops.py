"""Who wants no digest by mail any more: table, store, and the signed link by which somebody says so."""

from __future__ import annotations

from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, Session, mapped_column

from core import links
from core.db import Control, insert
from core.settings import Settings

LINK_LASTS = timedelta(days=730)


class MailStopRow(Control):
    __tablename__ = "mail_stops"

    address: Mapped[str] = mapped_column(sa.String(320), primary_key=True)
    stopped_at: Mapped[datetime]


def stop(session: Session, address: str, now: datetime) -> None:
    """Asking twice changes nothing."""
    new = insert(session, MailStopRow).values(address=address.lower(), stopped_at=now)
    session.execute(new.on_conflict_do_nothing(index_elements=["address"]))


def resume(session: Session, address: str) -> None:
    session.execute(sa.delete(MailStopRow).where(MailStopRow.address == address.lower()))


def stopped(session: Session, addresses: Iterable[str]) -> frozenset[str]:
    """Return those of the addresses that want none, in lower case."""
    wanted = [address.lower() for address in addresses]
    return frozenset(session.scalars(sa.select(MailStopRow.address).where(MailStopRow.address.in_(wanted))))


def stop_url(address: str, settings: Settings, *, now: datetime) -> str:
    """Return the address that ends the digest's mails to somebody: by one click of a person or a mail program."""
    path = links.sign(_path(_code(address)), until=now + LINK_LASTS, key=settings.secret_key)
    return settings.public_url + path


def address_of(code: str, args: Mapping[str, str], settings: Settings, *, now: datetime) -> str | None:
    """Return whom a link is about; None when we did not sign it, or it has expired."""
    if not links.check(_path(code), args, now=now, key=settings.secret_key):
        return None
    return urlsafe_b64decode(code + "=" * (-len(code) % 4)).decode()


def _code(address: str) -> str:
    return urlsafe_b64encode(address.encode()).decode().rstrip("=")


def _path(code: str) -> str:
    return f"/mail/stop/{code}"
