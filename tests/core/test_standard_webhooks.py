"""Signatures of Standard Webhooks."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from core.standard_webhooks import SignatureRejected, sign, verify

# The example that the specification's own libraries are tested with.
SECRET, MESSAGE, BODY = (
    "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
    "msg_p5jXN8AQM9LWM0D4loKWxJek",
    b'{"test": 2432232314}',
)
AT = datetime.fromtimestamp(1_614_265_330, UTC)
SIGNATURE = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def test_the_published_example_is_signed_as_published() -> None:
    assert sign(SECRET, message_id=MESSAGE, at=AT, body=BODY)["webhook-signature"] == SIGNATURE


def test_one_right_signature_among_several_is_enough() -> None:
    headers = {"webhook-id": MESSAGE, "webhook-timestamp": "1614265330"}
    headers["webhook-signature"] = f"v1a,AAAA v1,AAAA {SIGNATURE}"

    assert verify(SECRET, headers, BODY, now=AT) == MESSAGE


@pytest.mark.parametrize("told", ["", "v1", "v1,", SIGNATURE.replace("v1,", "v2,"), SIGNATURE[:-2], "v1,\x00é"])
def test_a_signature_that_is_none_is_refused(told: str) -> None:
    headers = {"webhook-id": MESSAGE, "webhook-timestamp": "1614265330", "webhook-signature": told}

    with pytest.raises(SignatureRejected):
        verify(SECRET, headers, BODY, now=AT)
