"""Standard Webhooks: the signature over id, moment and body that both sides of a webhook agree on. Pure.

https://github.com/standard-webhooks/standard-webhooks: `v1,` and base64 of HMAC-SHA256 over `{id}.{seconds}.{body}`.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import secrets
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Final, Protocol

from core.errors import AppError, InvalidInputError, Problem

ID, MOMENT, SIGNATURE = "webhook-id", "webhook-timestamp", "webhook-signature"
PREFIX: Final = "whsec_"
TOLERATED: Final = timedelta(minutes=5)
SHORTEST_KEY, LONGEST_KEY = 24, 64


class Headers(Protocol):
    """A request's headers; their names are matched whatever the case."""

    def get(self, name: str, /) -> str | None: ...


class SignatureRejected(AppError):  # noqa: N818 (reads as what happened)
    status = 401


def new_secret() -> str:
    """Return a fresh secret, `whsec_` and 32 random bytes."""
    return PREFIX + base64.b64encode(secrets.token_bytes(32)).decode()


def check_secret(secret: str, path: str) -> None:
    """Raises: InvalidInputError: it is not `whsec_` and base64 of 24 to 64 bytes."""
    try:
        size = len(_key(secret))
    except (binascii.Error, ValueError):
        size = 0
    if not SHORTEST_KEY <= size <= LONGEST_KEY:
        raise InvalidInputError(
            Problem(path, f"must be {PREFIX}… and base64 of 24 to 64 bytes, as the sender shows it")
        )


def sign(secret: str, *, message_id: str, at: datetime, body: bytes) -> Mapping[str, str]:
    """Return the three headers of a message."""
    seconds = str(int(at.timestamp()))
    return {ID: message_id, MOMENT: seconds, SIGNATURE: "v1," + _digest(secret, message_id, seconds, body)}


def verify(secret: str, headers: Headers, body: bytes, *, now: datetime) -> str:
    """Return the id of a message that was signed with the secret at most five minutes ago.

    Raises: SignatureRejected (401): it was not, and says what is wrong without saying what would be right.
    """
    message_id, seconds = headers.get(ID) or "", headers.get(MOMENT) or ""
    told = headers.get(SIGNATURE) or ""
    if not (message_id and told and seconds.isascii() and seconds.isdigit() and len(seconds) <= 12):
        raise SignatureRejected(f"The headers {ID}, {MOMENT} and {SIGNATURE} must be there.")
    if abs(now.timestamp() - int(seconds)) > TOLERATED.total_seconds():
        raise SignatureRejected("The message was signed more than five minutes ago, or by a clock that is off.")
    right = _digest(secret, message_id, seconds, body).encode()
    given = [part.partition(",") for part in told.split(" ")[:20]]
    matches = [hmac.compare_digest(mark.encode(), right) for version, _, mark in given if version == "v1"]
    if not any(matches):
        raise SignatureRejected("The signature does not fit: is the secret the sender's?")
    return message_id


def _digest(secret: str, message_id: str, seconds: str, body: bytes) -> str:
    signed = f"{message_id}.{seconds}.".encode() + body
    return base64.b64encode(hmac.new(_key(secret), signed, hashlib.sha256).digest()).decode()


def _key(secret: str) -> bytes:
    return base64.b64decode(secret.removeprefix(PREFIX), validate=True)
