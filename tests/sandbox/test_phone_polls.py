"""The reference client keeps the bundle of polls and judges by itself whom to ask."""

from __future__ import annotations

import base64
from datetime import timedelta
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from sandbox.phone import Phone
from tests.sandbox.collector import POLL, T0, Collector
from tests.sandbox.phones_made import Watch, a_phone, answer_once, ask


def test_the_bundle_is_kept_while_it_has_not_changed(phone: Phone, collector: Collector) -> None:
    assert phone.fetch_polls()
    assert phone.fetch_polls()
    assert ask(phone)


def test_a_bundle_that_somebody_else_signed_is_not_used(collector: Collector, watch: Watch) -> None:
    ours, theirs = Ed25519PrivateKey.generate(), Ed25519PrivateKey.generate()
    pinned = base64.b64encode(ours.public_key().public_bytes_raw()).decode()
    phone = a_phone(collector, watch, bundle_key=pinned)

    assert not phone.fetch_polls()
    collector.signs = theirs.sign
    assert not phone.fetch_polls()
    assert not ask(phone)
    collector.signs = ours.sign
    assert phone.fetch_polls()
    assert ask(phone)


def test_an_outdated_bundle_asks_nothing(phone: Phone, watch: Watch) -> None:
    phone.fetch_polls()
    watch.now += timedelta(days=7, seconds=1)

    assert not ask(phone)


@pytest.mark.parametrize(
    ("change", "is_asked"),
    [
        pytest.param({"status": "stopped"}, False, id="a stopped poll asks nobody"),
        pytest.param({"end_date": T0.isoformat()}, False, id="an ended poll asks nobody"),
        pytest.param({"start_date": (T0 + timedelta(1)).isoformat()}, False, id="nor one that has not begun"),
        pytest.param({"trigger": {"event": "app_opened"}}, False, id="another event does not trigger it"),
        pytest.param(
            {
                "trigger": {
                    "event": "inference_completed",
                    "when": {"field": "confidence", "operator": "lt", "value": 0.3},
                }
            },
            False,
            id="nor the event when its condition does not hold",
        ),
        pytest.param(
            {
                "trigger": {
                    "event": "inference_completed",
                    "when": {"field": "confidence", "operator": "lt", "value": 0.6},
                }
            },
            True,
            id="the event under its condition does",
        ),
        pytest.param(
            {"targeting": {"all": [{"field": "soc", "operator": "in", "value": ["Tensor G2"]}]}},
            False,
            id="another chipset is not asked",
        ),
        pytest.param(
            {"targeting": {"all": [{"field": "soc", "operator": "in", "value": ["Helio G35", "A16"]}]}},
            True,
            id="a targeted one is",
        ),
        pytest.param({"full_groups": [{"soc": "Helio G35", "ram_gb": 3.0}]}, False, id="its kind has answered enough"),
        pytest.param({"full_groups": [{"soc": "Helio G35", "ram_gb": 4.0}]}, True, id="another kind has"),
        pytest.param({"consent": {"required": True}}, False, id="without consent nobody is asked"),
        pytest.param({"sampling": {"percent": 97.2, "salt": "rel_01"}}, False, id="bucket 972713 is outside 97.2 %"),
        pytest.param({"sampling": {"percent": 97.3, "salt": "rel_01"}}, True, id="and inside 97.3 %"),
    ],
)
def test_judges_offline_whom_to_ask(phone: Phone, collector: Collector, change: dict[str, Any], is_asked: bool) -> None:
    collector.polls = [{**POLL, **change}]
    phone.fetch_polls()

    assert ask(phone) is is_asked


def test_does_not_ask_again_within_the_recontact_days(phone: Phone, collector: Collector, watch: Watch) -> None:
    collector.polls = [{**POLL, "frequency": {"display_limit": 2, "recontact_days": 2}}]
    phone.fetch_polls()
    answer_once(phone)

    assert not ask(phone)
    watch.now += timedelta(days=2)
    assert ask(phone)
    answer_once(phone)
    watch.now += timedelta(days=3)
    assert not ask(phone)


def test_asks_nobody_again_who_has_answered_a_poll_without_recontact(phone: Phone, watch: Watch) -> None:
    phone.fetch_polls()
    answer_once(phone)
    watch.now += timedelta(days=5)

    assert not ask(phone)


def test_leaves_people_alone_for_the_cooldown(phone: Phone, collector: Collector, watch: Watch) -> None:
    collector.polls = [{**POLL, "frequency": {"cooldown_days": 1}}]
    phone.fetch_polls()
    phone.dismiss(POLL, phone.show(POLL))

    assert not ask(phone)
    watch.now += timedelta(days=1)
    assert ask(phone)
