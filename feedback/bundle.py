"""The bundle of running polls that phones fetch and judge offline: its bytes, its ETag and its signature. Pure.

The signature is Ed25519 over the bytes of the body (before any transfer compression), sent in the header
`Muster-Signature: ed25519=<base64>`. An app pins the public key, which `/openapi.json` names and which changes only
with MUSTER_SECRET_KEY. A phone keeps body and signature together and asks nobody once `not_after` has passed.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any, Final

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from core.device import WIRE_NAMES
from feedback import polls
from feedback.polls import Poll
from feedback.telemetry import hour_of
from feedback.wire import Bundle

SIGNATURE_HEADER: Final = "Muster-Signature"
VALID_FOR: Final = timedelta(hours=25)

FullGroups = Sequence[dict[str, str | float | None]]


def compose(app: str, running: Sequence[tuple[Poll, FullGroups]], now: datetime) -> bytes:
    """Return the body. It is the same for a whole hour, so that an unchanged bundle costs a phone nothing.

    `full_groups` tells a phone which groups of devices have answered enough.
    """
    bundle = Bundle(app=app, not_after=hour_of(now) + VALID_FOR, polls=[_entry(poll, full) for poll, full in running])
    return msgspec.json.encode(bundle, order="sorted")


def etag(body: bytes) -> str:
    return hashlib.sha256(body).hexdigest()[:32]


def sign(body: bytes, secret_key: bytes) -> str:
    """Return the value of the signature header."""
    return "ed25519=" + base64.b64encode(_signing_key(secret_key).sign(body)).decode()


def public_key(secret_key: bytes) -> str:
    """Return the raw public key in base64, for apps to pin."""
    return base64.b64encode(_signing_key(secret_key).public_key().public_bytes_raw()).decode()


@lru_cache(maxsize=8)
def _signing_key(secret_key: bytes) -> Ed25519PrivateKey:
    return Ed25519PrivateKey.from_private_bytes(hashlib.sha256(b"muster poll bundle:" + secret_key).digest())


def _entry(poll: Poll, full: FullGroups) -> dict[str, Any]:
    groups = [{WIRE_NAMES[field]: value for field, value in group.items()} for group in full]
    return polls.to_json(poll) | ({"full_groups": groups} if groups else {})
