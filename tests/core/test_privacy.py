"""What leaves the house names nobody and lets nobody be computed."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.privacy import pseudonymize, scrub, seal, unseal

KEY = b"0123456789abcdef"


@pytest.mark.parametrize(
    ("said", "kept"),
    [
        ("mail me at jo.doe+x@example.co.uk!", "mail me at [email]!"),
        ("call +49 170 1234567 please", "call [phone] please"),
        ("my card 4111 1111 1111 1111 was charged", "my card [card] was charged"),  # the test number of all issuers
        ("since 5.4.1 it takes 1200 ms on Android 14", "since 5.4.1 it takes 1200 ms on Android 14"),
    ],
)
def test_addresses_and_numbers_are_scrubbed(said: str, kept: str) -> None:
    assert scrub(said) == kept


def test_a_pseudonym_is_stable_and_depends_on_the_key() -> None:
    assert pseudonymize("install-1", KEY) == pseudonymize("install-1", KEY)
    assert pseudonymize("install-1", KEY) != pseudonymize("install-1", KEY[::-1])


@given(st.text())
def test_what_is_sealed_opens_with_its_key_only(text: str) -> None:
    token = seal(text, KEY)

    assert unseal(token, KEY) == text
    assert unseal(token, b"another key here") is None


def test_a_changed_seal_does_not_open() -> None:
    assert unseal(seal("hello", KEY)[:-4] + "AAAA", KEY) is None
