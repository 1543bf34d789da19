"""Pages that shall stand in Confluence, as they are wanted and as they were put: table and store.

`want` belongs into the transaction of what the page is about; the job `put_page` does the rest.
"""

from __future__ import annotations

import hashlib
import json
from base64 import b64decode, b64encode
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, Session, mapped_column

from core.db import Control, insert
from core.engine import enqueue
from core.errors import NotFoundError


class WikiPageRow(Control):
    """`content_hash` is of what is wanted, `put_hash` of what was put last; they differ while there is work to do."""

    __tablename__ = "wiki_pages"

    subject: Mapped[str] = mapped_column(sa.String(100), primary_key=True)
    title: Mapped[str] = mapped_column(sa.String(255))
    body: Mapped[str] = mapped_column(sa.Text)
    files: Mapped[dict[str, str]] = mapped_column(sa.JSON)
    content_hash: Mapped[str] = mapped_column(sa.String(64))
    revision: Mapped[int] = mapped_column(sa.Integer)
    wanted_at: Mapped[datetime]
    page_id: Mapped[str | None] = mapped_column(sa.String(64), unique=True)
    url: Mapped[str | None] = mapped_column(sa.Text)
    put_hash: Mapped[str | None] = mapped_column(sa.String(64))
    put_at: Mapped[datetime | None]
    problem: Mapped[str | None] = mapped_column(sa.Text)


@dataclass(frozen=True, slots=True, kw_only=True)
class WantedPage:
    """`body` is storage format and names `subject`; `files` are PNG images by name. `page_id` is Confluence's."""

    subject: str
    title: str
    body: str
    content_hash: str
    files: Mapping[str, bytes] = field(default_factory=dict)
    page_id: str | None = None
    url: str | None = None
    is_put: bool = False
    problem: str | None = None


def want(
    session: Session,
    subject: str,
    *,
    title: str,
    body: str,
    now: datetime,
    files: Mapping[str, bytes] | None = None,
) -> None:
    """Want a page, or want it changed; wanting the same twice changes nothing.

    Raises: ValueError: the body does not name the subject, so the page could not be known again.
    """
    if subject not in body:
        raise ValueError(f"the body of a page has to name its subject {subject!r}")
    kept = {name: b64encode(content).decode() for name, content in sorted((files or {}).items())}
    digest = hashlib.sha256(json.dumps([title, body, kept]).encode()).hexdigest()
    wanted = {"title": title[:255], "body": body, "files": kept, "content_hash": digest, "wanted_at": now}
    new = insert(session, WikiPageRow).values(subject=subject, revision=1, **wanted)
    new = new.on_conflict_do_update(
        index_elements=["subject"],
        set_={**wanted, "revision": WikiPageRow.revision + 1},
        where=WikiPageRow.content_hash != digest,
    )
    revision = session.execute(new.returning(WikiPageRow.revision)).scalar()
    if revision is not None:
        enqueue(session, "put_page", key=f"{subject}/{revision}", page=subject)


def load(session: Session, subject: str) -> WantedPage:
    """Raises: NotFoundError: nobody wanted it."""
    row = session.get(WikiPageRow, subject, populate_existing=True)
    if row is None:
        raise NotFoundError(f"There is no page {subject}.")
    return _facts(row)


def note_put(session: Session, page: WantedPage, *, page_id: str, url: str, now: datetime) -> None:
    """Note what was put; a change that is wanted since stays wanted."""
    values = {"page_id": page_id, "url": url, "put_hash": page.content_hash, "put_at": now, "problem": None}
    session.execute(sa.update(WikiPageRow).where(WikiPageRow.subject == page.subject).values(**values))


def note_problem(session: Session, subject: str, problem: str) -> None:
    session.execute(sa.update(WikiPageRow).where(WikiPageRow.subject == subject).values(problem=problem))


def wake_stuck(session: Session, now: datetime) -> int:
    """Once a day, try again the pages that Confluence refused; return how many."""
    query = sa.select(WikiPageRow.subject).where(WikiPageRow.problem.is_not(None))
    stuck = session.scalars(query.order_by(WikiPageRow.subject)).all()
    for subject in stuck:
        enqueue(session, "put_page", key=f"{subject}/{now:%Y-%m-%d}", page=subject)
    return len(stuck)


def _facts(row: WikiPageRow) -> WantedPage:
    return WantedPage(
        subject=row.subject,
        title=row.title,
        body=row.body,
        content_hash=row.content_hash,
        files={name: b64decode(content) for name, content in row.files.items()},
        page_id=row.page_id,
        url=row.url,
        is_put=row.put_hash == row.content_hash,
        problem=row.problem,
    )
