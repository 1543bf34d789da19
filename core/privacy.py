"""Privacy: pseudonyms, scrubbing and sealing. Which small cohorts stay hidden is in core/disclosure.py. Pure."""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
from functools import lru_cache
from typing import NewType

from cryptography.fernet import Fernet, InvalidToken

InstallHash = NewType("InstallHash", str)

_EMAIL = re.compile(r"[\w.+-]+@[\w-]+(?:\.[\w-]+)+")
_CARD = re.compile(r"(?<!\d)\d(?:[ -]?\d){12,18}(?!\d)")
_PHONE = re.compile(r"(?<![\w.])(?:\+|00)?\d(?:[ ()/.-]{0,2}\d){6,14}(?!\d)")


def pseudonymize(install: str, key: bytes) -> InstallHash:
    """Return the keyed hash an install is known by: 32 hex digits of HMAC-SHA256."""
    return InstallHash(hmac.digest(key, install.encode(), "sha256").hex()[:32])


def scrub(text: str) -> str:
    """Return the text with e-mail addresses, card and phone numbers replaced by `[email]`, `[card]`, `[phone]`.

    A number counts as a card when its Luhn check digit fits, as a phone when it has 7 to 15 digits.
    """
    text = _EMAIL.sub("[email]", text)
    text = _CARD.sub(lambda match: "[card]" if _luhn(match[0]) else match[0], text)
    return _PHONE.sub("[phone]", text)


def _luhn(number: str) -> bool:
    digits = [int(character) for character in reversed(number) if character.isdigit()]
    doubled = [digit * 2 - 9 if digit > 4 else digit * 2 for digit in digits[1::2]]
    return (sum(digits[0::2]) + sum(doubled)) % 10 == 0


@lru_cache(maxsize=8)
def _fernet(key: bytes) -> Fernet:
    return Fernet(base64.urlsafe_b64encode(hashlib.sha256(b"muster seal:" + key).digest()))


def seal(text: str, key: bytes) -> str:
    """Encrypt text for storage (Fernet: AES-128-CBC with HMAC-SHA256)."""
    return _fernet(key).encrypt(text.encode()).decode()


def unseal(token: str, key: bytes) -> str | None:
    """Decrypt what `seal` made; None when the key is another or the token was changed."""
    try:
        return _fernet(key).decrypt(token.encode()).decode()
    except (InvalidToken, UnicodeDecodeError):
        return None
