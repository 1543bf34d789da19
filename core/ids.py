"""Ids that say what they name and sort by time. Pure but for randomness."""

from __future__ import annotations

import secrets
from datetime import datetime


def new_id(prefix: str, now: datetime) -> str:
    """Return `rel_0192f1c2a3b4…`: the prefix, 48 bits of milliseconds and 80 random bits, in hex."""
    milliseconds = int(now.timestamp() * 1000)
    return f"{prefix}_{milliseconds:012x}{secrets.token_hex(10)}"
