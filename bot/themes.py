"""The themes that people gave to texts: table and store. The words stay where they are, and go with them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Final

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, Session, mapped_column

from core.db import Control, insert
from core.errors import InvalidInputError, Problem

# What people most often mean, so that the first labels need no thinking; any other name will do.
FIRST: Final = ("wrong answer", "too slow", "crash", "battery")
LONGEST: Final = 40
NONE: Final = "none"


class ThemeLabelRow(Control):
    """`text` is the name of a text (feedback.store_texts), not its words."""

    __tablename__ = "theme_labels"

    app: Mapped[str] = mapped_column(sa.String(64), primary_key=True)
    model: Mapped[str] = mapped_column(sa.String(128), primary_key=True)
    text: Mapped[str] = mapped_column(sa.String(16), primary_key=True)
    theme: Mapped[str] = mapped_column(sa.String(LONGEST))
    labeled_by: Mapped[str] = mapped_column(sa.String(64))
    labeled_at: Mapped[datetime]


def theme_of(text: str | None) -> str:
    """Return the name of a theme as it is kept. Raises: InvalidInputError: it is none, or too long."""
    name = " ".join((text or "").lower().split())
    if not name or len(name) > LONGEST or any(character in '<>&|"`' for character in name):
        raise InvalidInputError(Problem("theme", f'must be a few plain words such as "too slow", {LONGEST} at most'))
    return name


def label(session: Session, text: str, theme: str, *, app: str, model: str, by: str, now: datetime) -> None:
    """Give a text its theme, in place of the one it had; "none" takes it away."""
    key = {"app": app, "model": model, "text": text}
    if theme == NONE:
        session.execute(sa.delete(ThemeLabelRow).filter_by(**key))
        return
    values = {"theme": theme, "labeled_by": by, "labeled_at": now}
    made = insert(session, ThemeLabelRow).values(**key, **values)
    session.execute(made.on_conflict_do_update(index_elements=list(key), set_=values))


def labels(session: Session, *, app: str, model: str) -> Mapping[str, str]:
    """Return the theme of each labeled text, by its name."""
    query = sa.select(ThemeLabelRow.text, ThemeLabelRow.theme)
    found = session.execute(query.where(ThemeLabelRow.app == app, ThemeLabelRow.model == model))
    return {text: theme for text, theme in found}  # noqa: C416 (rows are no pairs for dict)


def offered(known: Mapping[str, str], *, count: int = 4) -> tuple[str, ...]:
    """Return the themes to offer under a text: those given most, then what people most often mean."""
    given = sorted(set(known.values()), key=lambda theme: (-list(known.values()).count(theme), theme))
    return tuple(dict.fromkeys([*given, *FIRST]))[:count]
