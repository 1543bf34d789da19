"""The reference client against a collector of a few lines that it can be made to misbehave."""

from __future__ import annotations

import base64
import itertools
from datetime import datetime, timedelta
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from sandbox.phone import Phone
from sandbox.wire import Edge, Reply
from tests.sandbox.collector import ARTIFACT, POLL, T0, Collector


class Watch:
    def __init__(self) -> None:
        self.now = T0

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture
def collector() -> Collector:
    return Collector()


@pytest.fixture
def watch() -> Watch:
    return Watch()


@pytest.fixture
def phone(collector: Collector, watch: Watch) -> Phone:
    return a_phone(collector, watch)


def a_phone(collector: Collector, watch: Watch, install: str = "device-1", *, bundle_key: str | None = None) -> Phone:
    numbers = itertools.count(1)
    told = {"os.name": "Android", "soc": "Helio G35", "ram_gb": 3, "locale": "de-DE"}
    return Phone(
        install=install,
        app="demo",
        context=told,
        key="pk_1",
        transport=collector,
        clock=watch,
        new_uuid=lambda: f"{install}-{next(numbers)}",
        bundle_key=bundle_key,
    )


def answer_once(phone: Phone) -> None:
    phone.answer(POLL, phone.show(POLL), [{"question": "q", "value": 4}])


def ask(phone: Phone) -> bool:
    return phone.poll_for("inference_completed", {"confidence": 0.4}) is not None


def test_sends_everything_in_one_gzipped_request(phone: Phone, collector: Collector) -> None:
    answer_once(phone)
    phone.note_inferences({"window_start": T0.isoformat(), "count": 3})

    receipt = phone.send()

    assert receipt.count("accepted") == 3
    assert phone.waiting == 0
    assert len(collector.bodies) == 1
    assert collector.bodies[0]["context"]["soc"] == "Helio G35"
    assert collector.bodies[0]["events"][1]["language"] == "de"


def test_a_lost_reply_is_followed_by_the_same_uuids(phone: Phone, collector: Collector, watch: Watch) -> None:
    answer_once(phone)
    collector.faults = ["lost"]

    assert phone.send().statuses == []
    assert phone.waiting == 2
    watch.now += timedelta(minutes=5)
    receipt = phone.send()

    assert receipt.count("duplicate") == 2
    assert phone.waiting == 0
    assert len(collector.kept) == 2
    assert collector.bodies[1]["sent_at"] > collector.bodies[0]["sent_at"]


def test_an_acknowledged_batch_sent_again_is_all_duplicates(phone: Phone, collector: Collector) -> None:
    answer_once(phone)
    phone.send()

    assert phone.send_again().count("duplicate") == 2
    assert len(collector.kept) == 2


def test_waits_as_long_as_retry_after_asks(phone: Phone, collector: Collector, watch: Watch) -> None:
    answer_once(phone)
    collector.faults = [Reply(status=429, headers={"retry-after": "120"})]
    phone.send()

    watch.now += timedelta(seconds=119)
    phone.send()
    assert len(collector.paths) == 1

    watch.now += timedelta(seconds=1)
    assert phone.send().count("accepted") == 2


def test_backs_off_further_with_every_failure(phone: Phone, collector: Collector, watch: Watch) -> None:
    answer_once(phone)
    collector.faults = [Reply(status=502), Reply(status=502)]
    phone.send()
    watch.now += timedelta(seconds=30)
    phone.send()

    watch.now += timedelta(seconds=59)
    phone.send()
    assert len(collector.paths) == 2

    watch.now += timedelta(seconds=1)
    assert phone.send().count("accepted") == 2


def test_a_batch_that_is_too_large_is_cut_until_it_fits(phone: Phone, collector: Collector) -> None:
    answer_once(phone)
    phone.note_inferences({"count": 1})
    collector.faults = [Reply(status=413)]

    receipt = phone.send()

    assert receipt.count("accepted") == 3
    assert [len(body["events"]) + len(body["inferences"]) for body in collector.bodies] == [1, 2]


def test_a_refused_key_stops_the_phone_for_good(phone: Phone, collector: Collector, watch: Watch) -> None:
    answer_once(phone)
    collector.faults = [Reply(status=401)]
    phone.send()
    watch.now += timedelta(days=1)
    phone.send()
    phone.fetch_polls()

    assert len(collector.paths) == 1


def test_a_body_the_server_cannot_read_does_not_block_what_follows(phone: Phone, collector: Collector) -> None:
    answer_once(phone)
    collector.faults = [Reply(status=400, body=b"not JSON")]

    receipt = phone.send()

    assert receipt.problems == ["HTTP 400: not JSON"]
    answer_once(phone)
    assert phone.send().count("accepted") == 2


def test_what_was_noted_before_an_update_keeps_the_variant_it_ran_under(phone: Phone, collector: Collector) -> None:
    answer_once(phone)
    offer = phone.ask_variant("kws")
    assert offer is not None
    phone.run(offer)
    answer_once(phone)

    phone.send()

    assert [body["context"].get("model", {}).get("arm") for body in collector.bodies] == [None, "candidate"]
    assert phone.download(offer) == ARTIFACT


def test_other_bytes_than_were_offered_are_refused(phone: Phone, collector: Collector) -> None:
    offer = phone.ask_variant("kws")
    assert offer is not None
    collector.faults = [Reply(status=200, body=b"something else")]

    with pytest.raises(ValueError, match="other bytes"):
        phone.download(offer)


def test_an_artifact_is_fetched_once_for_all_phones_behind_an_edge(collector: Collector, watch: Watch) -> None:
    edge = Edge(collector)
    for number in range(3):
        phone = a_phone(collector, watch, install=f"device-{number}")
        phone._transport = edge
        offer = phone.ask_variant("kws")
        assert offer is not None
        assert phone.download(offer) == ARTIFACT

    assert len([path for path in collector.paths if "artifacts" in path]) == 1


def test_flags_are_asked_with_the_etag_and_kept_when_unchanged(phone: Phone, collector: Collector) -> None:
    phone.ask_variant("kws")
    collector.faults = [Reply(status=304)]

    offer = phone.ask_variant("kws")

    assert offer is not None
    assert offer.version == "1.4.0"
    phone.ask_variant("kws")
    assert collector.flag_asks[-1]["If-None-Match"] == '"f"'


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
