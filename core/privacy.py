"""Privacy: pseudonyms, scrubbing and sealing. Which small cohorts stay hidden is in core/disclosure.py. Pure."""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
import unicodedata
from functools import lru_cache
from typing import NewType

from cryptography.fernet import Fernet, InvalidToken, MultiFernet

InstallHash = NewType("InstallHash", str)

# What stands before an @ may be nearly anything; the look-behind lets each run of it be read but once.
_EMAIL = re.compile(r"""(?<![^\s@<>()\[\],;:"\\])[^\s@<>()\[\],;:"\\]+@[\w-]+(?:[.\u3002][\w-]+)+""")
_NUMBER = re.compile(r"\+?\d(?:[ \t()/.\u00b7\u2010-\u2015\u2022\u2212-]{0,4}\d){6,}")


@lru_cache(maxsize=32)
def ring(keys: bytes) -> tuple[bytes, ...]:
    """Return the keys of a setting, the newest first; they are separated by commas or line ends."""
    return tuple(key.strip() for key in re.split(rb"[,\r\n]+", keys) if key.strip())


@lru_cache(maxsize=32)
def _keyed(key: bytes) -> hmac.HMAC:
    """Return an HMAC to copy: `hmac.digest` fetches the algorithm and lets other threads in at each call."""
    return hmac.new(key, digestmod="sha256")


def pseudonymize(install: str, keys: bytes) -> InstallHash:
    """Return the keyed hash an install is known by: 32 hex digits of HMAC-SHA256.

    Each key after the first hashes the pseudonym again, so that what is stored can be renewed without the install's id,
    and nobody can who has only the older keys. A renewed one says by how many keys: `2-…`.
    """
    known = ring(keys)
    keyed = _keyed(known[-1]).copy()
    keyed.update(install.encode())
    first = InstallHash(keyed.hexdigest()[:32])
    return first if len(known) == 1 else renew(first, keys)


def pseudonyms(install: str, keys: bytes) -> tuple[InstallHash, ...]:
    """Return what an install is and was known by, the newest first."""
    found = [pseudonymize(install, ring(keys)[-1])]
    while len(found) < len(ring(keys)):
        found.insert(0, _renewed(found[0], len(found), keys))
    return tuple(found)


def renew(pseudonym: str, keys: bytes) -> InstallHash:
    """Return the newest pseudonym of the install that is known by this one, which may be the newest already."""
    number, _, rest = pseudonym.partition("-")
    known_by = int(number) if rest and number.isdigit() else 1
    for count in range(known_by, len(ring(keys))):
        pseudonym = _renewed(pseudonym, count, keys)
    return InstallHash(pseudonym)


def generation(keys: bytes) -> str:
    """Return how the newest pseudonyms begin; nothing under a first key."""
    return f"{len(ring(keys))}-" if len(ring(keys)) > 1 else ""


def _renewed(pseudonym: str, count: int, keys: bytes) -> InstallHash:
    """Hash once more what `count` keys have hashed."""
    digest = hmac.digest(ring(keys)[-1 - count], b"muster renew:" + pseudonym.encode(), "sha256")
    return InstallHash(f"{count + 1}-{digest.hex()[:32]}")


def scrub(text: str) -> str:
    """Return the text with e-mail addresses, card and phone numbers replaced by `[email]`, `[card]`, `[phone]`.

    A number of 13 to 19 digits counts as a card when its Luhn check digit fits, any other of 7 or more as a phone. They
    are looked for as they look, not as they are encoded (in NFKC, without characters that are not seen), and a text
    that has one is returned so.
    """
    plain = _plain(text)
    found = _NUMBER.sub(lambda match: "[card]" if _is_card(match[0]) else "[phone]", _EMAIL.sub("[email]", plain))
    return text if found == plain else found


def _plain(text: str) -> str:
    if text.isascii():
        return text
    return unicodedata.normalize("NFKC", "".join(each for each in text if unicodedata.category(each) != "Cf"))


def _is_card(number: str) -> bool:
    """Return whether the check digit fits (Luhn; ISO/IEC 7812-1)."""
    digits = [int(character) for character in reversed(number) if character.isdecimal()]
    doubled = [digit * 2 - 9 if digit > 4 else digit * 2 for digit in digits[1::2]]
    return number[0] != "+" and 13 <= len(digits) <= 19 and (sum(digits[0::2]) + sum(doubled)) % 10 == 0


@lru_cache(maxsize=8)
def _fernet(keys: bytes) -> MultiFernet:
    derived = [hashlib.sha256(b"muster seal:" + key).digest() for key in ring(keys)]
    return MultiFernet([Fernet(base64.urlsafe_b64encode(key)) for key in derived])


def seal(text: str, keys: bytes) -> str:
    """Encrypt text for storage (Fernet: AES-128-CBC with HMAC-SHA256) under the newest of the keys."""
    return _fernet(keys).encrypt(text.encode()).decode()


def unseal(token: str, keys: bytes) -> str | None:
    """Decrypt what `seal` made under any of the keys; None when it was another or the token was changed."""
    try:
        return _fernet(keys).decrypt(token.encode()).decode()
    except (InvalidToken, UnicodeDecodeError):
        return None


def reseal(token: str, keys: bytes) -> str | None:
    """Return the text sealed anew under the newest key; None when it is so already, or no key opens it."""
    if unseal(token, ring(keys)[0]) is not None:
        return None
    text = unseal(token, keys)
    return None if text is None else seal(text, keys)
