"""What a new definition must keep to besides its shape; a stored one may be older than these rules. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from core.errors import Problem

# What the server says of a poll, and nobody else.
NOT_WRITTEN: Final[Mapping[str, str]] = {
    "status": "does not belong in a file; `muster poll push --start` starts a poll, `/muster poll stop` stops it",
    "version": "does not belong in a file; the server counts versions",
}


def written(node: Mapping[str, object]) -> tuple[Mapping[str, object], list[Problem]]:
    """Return the definition without what only the server says, and a problem for each such field."""
    left = {name: value for name, value in node.items() if name not in NOT_WRITTEN}
    return left, [Problem(name, NOT_WRITTEN[name]) for name in node if name in NOT_WRITTEN]
