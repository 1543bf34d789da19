"""Signed links that expire: whoever has one may look, until then. Pure."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping
from datetime import UTC, datetime


def sign(path: str, *, until: datetime, key: bytes) -> str:
    """Return `path?until=<epoch seconds>&sig=<64 hex>`; `path` has no query of its own."""
    stamp = str(int(until.timestamp()))
    return f"{path}?until={stamp}&sig={_signature(path, stamp, key)}"


def check(path: str, args: Mapping[str, str], *, now: datetime, key: bytes) -> bool:
    """Tell whether the link was signed by us and has not expired."""
    stamp, signature = args.get("until", ""), args.get("sig", "")
    if not hmac.compare_digest(_signature(path, stamp, key).encode(), signature.encode()):
        return False
    return now <= datetime.fromtimestamp(int(stamp), UTC)


def _signature(path: str, stamp: str, key: bytes) -> str:
    return hmac.new(key, f"muster link:{path}:{stamp}".encode(), hashlib.sha256).hexdigest()
