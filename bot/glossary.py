"""The words of docs/glossary.md, so that there is one list: for the command, and as a page."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

GLOSSARY = Path(__file__).parents[1] / "docs" / "glossary.md"
_ROW = re.compile(r"^\|(?P<words>[^|]+)\|(?P<means>[^|]+)\|(?:(?P<field>[^|]*)\|)?\s*$", re.MULTILINE)


@cache
def read(path: Path) -> dict[str, tuple[str, str]]:
    """Return each word in lower case with its spelling and meaning; a row may explain several words."""
    terms: dict[str, tuple[str, str]] = {}
    for row in _ROW.finditer(path.read_text(encoding="utf-8")):
        words = [_plain(word) for word in row["words"].split(",")]
        if not words[0] or set(row["words"].strip()) <= set("-: ") or words == ["word"]:
            continue
        for word in words:
            terms[word.lower()] = (", ".join(words), _plain(row["means"]))
    return terms


def _plain(cell: str) -> str:
    return re.sub(r"[*`_]", "", cell).strip()


def anchor(word: str) -> str:
    """Return where a word stands on the page."""
    return re.sub(r"[^a-z0-9]+", "-", word.lower()).strip("-")
