"""What a database's own error means for whoever typed a command. Pure."""

from __future__ import annotations

import re

from sqlalchemy import exc

from bot.exit_status import UnreachableError
from core.errors import AppError, InvalidInputError, Problem

SETTING = "MUSTER_DATABASE_URL"
# SQLite tells this in words alone; PostgreSQL has codes: https://www.postgresql.org/docs/current/errcodes-appendix.html
NO_TABLE = re.compile(r"no such (table|column)|has no column")
UNDEFINED = ("42P01", "42703", "3F000")  # table, column, schema
# https://sqlite.org/rescode.html
NOT_OURS = ("SQLITE_NOTADB", "SQLITE_CANTOPEN", "SQLITE_READONLY", "SQLITE_PERM")


def of_command(error: exc.DBAPIError) -> AppError | None:
    """Return the error in words, None where it is a mistake of ours and its trace is wanted."""
    origin = error.orig
    said = str(origin).strip().splitlines()[0] if str(origin).strip() else type(origin).__name__
    if NO_TABLE.search(said) or getattr(origin, "sqlstate", None) in UNDEFINED:
        return InvalidInputError(Problem(SETTING, "the tables are missing or old there; run `muster db upgrade`"))
    if str(getattr(origin, "sqlite_errorname", "")).startswith(NOT_OURS):
        return InvalidInputError(Problem(SETTING, f"names no database that can be used ({said}); look at the file"))
    if isinstance(error, exc.OperationalError | exc.InterfaceError):
        return UnreachableError(f"{SETTING}: the database cannot be asked: {said}")
    return None
