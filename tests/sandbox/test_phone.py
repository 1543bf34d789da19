"""The reference client against a collector of a few lines that it can be made to misbehave."""

from __future__ import annotations

from datetime import timedelta

import pytest

from sandbox.phone import Phone
from sandbox.wire import Edge, Reply
from tests.sandbox.collector import ARTIFACT, T0, Collector
from tests.sandbox.phones_made import Watch, a_phone, answer_once


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
