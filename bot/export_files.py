"""Files that `muster export` writes: whole or not at all, so that a file which is there stays until the new one is."""

from __future__ import annotations

import csv
import io
import secrets
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from core.errors import AppError, InvalidInputError, Problem

Row = dict[str, Any]
# What spreadsheets take for the begin of a formula, the wide ones of East Asian keyboards with them.
_FORMULA: Final = tuple("=+-@\t\r\n＝＋－＠")


def write(out: Path, content: bytes, *, option: str = "--out") -> None:
    """Write beside the file and rename. A device, such as /dev/stdout, is written to.

    Raises: InvalidInputError: it cannot be written; names the option.
    """
    try:
        if out.exists() and not out.is_file():
            out.write_bytes(content)
            return
        target = out.resolve()
        beside = target.with_name(f".{target.name}.{secrets.token_hex(4)}.part")
        try:
            beside.write_bytes(content)
            beside.replace(target)
        finally:
            beside.unlink(missing_ok=True)
    except OSError as error:
        raise InvalidInputError(Problem(option, f"{out} cannot be written: {error.strerror or error}")) from None


def as_csv(rows: Sequence[Row], types: Mapping[str, str]) -> bytes:
    """Return a header and the rows; `types` has the columns in order."""
    file = io.StringIO(newline="")
    writer = csv.DictWriter(file, list(types))
    writer.writeheader()
    writer.writerows({name: _harmless(value) for name, value in row.items()} for row in rows)
    return file.getvalue().encode()


def as_parquet(rows: Sequence[Row], types: Mapping[str, str]) -> bytes:
    """Return the rows; `types` has the columns in order, each with the type (of pandas) that it has even when empty."""
    try:
        import pandas as pd
        import pyarrow  # noqa: F401
    except ImportError:
        raise AppError("Parquet takes the extra `parquet`: pip install --editable '.[parquet]'") from None
    frame = pd.DataFrame(rows, columns=list(types))
    for name in (name for name, kind in types.items() if kind.startswith("datetime")):
        frame[name] = pd.to_datetime(frame[name], utc=True, format="ISO8601")
    kinds: dict[str, Any] = dict(types)
    frame = frame.astype(kinds)
    file = io.BytesIO()
    frame.to_parquet(file, index=False)
    return file.getvalue()


def _harmless(value: object) -> object:
    """Return a text so that no spreadsheet takes it for a formula: cohorts are named by phones."""
    return f"'{value}" if isinstance(value, str) and value.startswith(_FORMULA) else value
