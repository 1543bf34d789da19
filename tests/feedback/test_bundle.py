from __future__ import annotations

import json
from datetime import timedelta

from feedback import bundle
from tests.builders import T0, at
from tests.feedback.sending import a_poll

KEY = b"a key of sixteen bytes or more"


def test_a_bundle_is_the_same_for_an_hour_and_lives_a_day_longer() -> None:
    body = bundle.compose("demo", [(a_poll(), [])], T0)

    assert bundle.compose("demo", [(a_poll(), [])], T0 + timedelta(minutes=59)) == body
    assert bundle.compose("demo", [(a_poll(), [])], at(1)) != body
    assert json.loads(body)["not_after"] == "2026-11-17T10:00:00Z"


def test_another_poll_is_another_etag() -> None:
    one, other = (bundle.compose("demo", [(a_poll(name=name), [])], T0) for name in ("One", "Other"))
    assert bundle.etag(one) != bundle.etag(other)


def test_full_groups_are_named_as_phones_know_their_facts() -> None:
    body = bundle.compose("demo", [(a_poll(), [{"tier": "low", "chipset": None}])], T0)
    assert json.loads(body)["polls"][0]["full_groups"] == [{"device.class": "low", "soc": None}]


def test_another_secret_key_is_another_signature() -> None:
    assert bundle.sign(b"body", KEY) == bundle.sign(b"body", KEY)
    assert bundle.sign(b"body", KEY) != bundle.sign(b"body", KEY + b"!")
    assert bundle.public_key(KEY) != bundle.public_key(KEY + b"!")
