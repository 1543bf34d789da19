"""Who sees a poll, and why not."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.device import DeviceContext
from core.segments import parse
from feedback.polls import Quota, Sampling
from feedback.targeting import (
    BUCKETS,
    Gate,
    GateName,
    History,
    bucket,
    explain,
    is_sampled,
    is_shown,
    quota_group,
    threshold,
)
from tests.feedback.test_polls import a_poll

T0 = datetime(2026, 11, 23, 9, tzinfo=UTC)
VECTORS = json.loads((Path(__file__).parents[1] / "vectors" / "sampling.json").read_text())["vectors"]
PIXEL = DeviceContext(model_version="3.2.0", accelerator="nnapi", tier="high")
CONSENT: dict[str, Any] = {"has_consented": True, "consent_text_version": "2026-10"}


def gates(history: History, device: DeviceContext = PIXEL, now: datetime = T0, **changes: Any) -> dict[GateName, Gate]:
    poll = a_poll(**({"sampling": Sampling()} | changes))
    return {gate.name: gate for gate in explain(poll, "5b1d", device, history, now)}


@pytest.mark.parametrize("vector", VECTORS)
def test_the_vectors_for_other_languages_hold(vector: dict[str, Any]) -> None:
    assert bucket(vector["salt"], vector["install"]) == vector["bucket"]
    assert is_sampled(Sampling(percent=vector["percent"], salt=vector["salt"]), vector["install"]) is vector["sampled"]


@given(st.text(max_size=20), st.text(max_size=20), st.floats(0, 100), st.floats(0, 100))
def test_whoever_is_sampled_stays_sampled_when_more_are(salt: str, install: str, one: float, other: float) -> None:
    fewer, more = (Sampling(percent=percent, salt=salt) for percent in sorted((one, other)))

    assert is_sampled(more, install) or not is_sampled(fewer, install)
    assert not is_sampled(Sampling(percent=0, salt=salt), install)
    assert is_sampled(Sampling(percent=100, salt=salt), install)


def test_the_smallest_percentage_still_is_a_bucket() -> None:
    assert threshold(Sampling(percent=0.0001)) == 1
    assert threshold(Sampling(percent=100)) == BUCKETS


@given(st.integers(0, BUCKETS))
def test_a_percentage_of_whole_buckets_is_as_many(buckets: int) -> None:
    assert threshold(Sampling(percent=buckets / 10_000)) == buckets


def test_about_the_percentage_asked_for_is_sampled() -> None:
    sampled = sum(is_sampled(Sampling(percent=20, salt="s4"), f"install-{number}") for number in range(10_000))

    assert 2000 - 160 < sampled < 2000 + 160  # four standard deviations of the binomial


def test_with_every_gate_open_the_poll_is_shown_and_the_trigger_is_left_to_the_phone() -> None:
    found = gates(History(**CONSENT))

    assert is_shown(tuple(found.values()))
    assert [name for name, gate in found.items() if gate.passed is None] == ["trigger"]
    assert found["trigger"].sentence == (
        "The app shows the poll after inference_completed with confidence<0.6; only the phone sees that."
    )


@pytest.mark.parametrize(
    ("gate", "history", "changes", "sentence"),
    [
        ("running", {}, {"status": "stopped"}, "The poll is stopped, not running."),
        ("running", {}, {"status": "draft"}, "The poll is a draft, not running."),
        ("running", {}, {"start_date": T0 + timedelta(days=1)}, "The poll starts only on 2026-11-24 09:00 UTC."),
        ("running", {}, {"end_date": T0}, "The poll ended on 2026-11-23 09:00 UTC."),
        (
            "sampling",
            {},
            {"sampling": Sampling(percent=5, salt="rel_01")},
            "5 % of installs are asked: this one's bucket {} of 1000000 is not under 50000.",
        ),
        ("consent", {"has_consented": False}, {}, "Consent is needed and was not given."),
        (
            "consent",
            {"consent_text_version": "2025-01"},
            {},
            "Consent is needed to text 2026-10; given was 2025-01.",
        ),
        ("display_limit", {"shown": (T0, T0)}, {}, "The poll was shown 2 of at most 2 times."),
        (
            "cooldown",
            {"any_poll_shown": T0 - timedelta(days=6)},
            {},
            "A poll was last shown on 2026-11-17 09:00 UTC; 7 days later is 2026-11-24 09:00 UTC.",
        ),
        (
            "recontact",
            {"answered": T0 - timedelta(days=29)},
            {},
            "This install answered on 2026-10-25 09:00 UTC; 30 days later is 2026-11-24 09:00 UTC.",
        ),
        (
            "quotas",
            {"quota_responses": (400,)},
            {},
            "Enough devices like this one (high, nnapi, 3.2.0) have answered: 400 of 400.",
        ),
        ("responses_limit", {"responses": 20_000}, {}, "The poll has 20000 of at most 20000 responses."),
    ],
)
def test_one_shut_gate_hides_the_poll_and_says_why(
    gate: GateName, history: dict[str, Any], changes: dict[str, Any], sentence: str
) -> None:
    found = gates(History(**(CONSENT | history)), **changes)

    assert [name for name, each in found.items() if each.passed is False] == [gate]
    assert found[gate].sentence == sentence.format(bucket("rel_01", "5b1d"))
    assert not is_shown(tuple(found.values()))


def test_a_device_that_does_not_match_is_told_in_which_part() -> None:
    found = gates(History(**CONSENT), DeviceContext(model_version="3.10.0"))

    assert found["targeting"].sentence == (
        "The device does not match “accelerator in (nnapi, gpu)” (accelerator is not told)."
    )


def test_a_part_that_says_not_is_told_apart_from_what_is_said_of_it() -> None:
    tablet = DeviceContext(device="Galaxy Tablet", platform="android")
    rule = parse("not device contains Tablet and platform=ios")

    assert gates(History(**CONSENT), tablet, targeting=rule)["targeting"].sentence == (
        "The device does not match “not device contains Tablet” (device is Galaxy Tablet); "
        "nor “platform=ios” (platform is android)."
    )


def test_waiting_is_over_to_the_second() -> None:
    history = History(any_poll_shown=T0 - timedelta(days=7), answered=T0 - timedelta(days=30), **CONSENT)

    assert is_shown(tuple(gates(history).values()))
    assert not is_shown(tuple(gates(history, now=T0 - timedelta(seconds=1)).values()))


def test_devices_that_do_not_tell_share_a_group() -> None:
    quota = Quota(by=("tier", "ram_gb"), limit=1)

    assert quota_group(quota, DeviceContext(ram_gb=8.0)) == ("unknown", "8")
