"""Trigger ids and response URLs are short-lived."""

from __future__ import annotations

from sandbox.slack.handles import ResponseUrls, TriggerIds
from tests.sandbox.apps import Real


def test_a_trigger_id_opens_once() -> None:
    triggers = TriggerIds(Real())
    trigger = triggers.issue("U0DANA")

    assert triggers.use(trigger) == ("U0DANA", None)
    assert triggers.use(trigger) == (None, "exchanged_trigger_id")


def test_a_trigger_id_is_too_old_after_three_seconds() -> None:
    real = Real()
    triggers = TriggerIds(real)
    trigger = triggers.issue("U0DANA")

    real.seconds += 3.01

    assert triggers.use(trigger) == (None, "expired_trigger_id")


def test_a_made_up_trigger_id_is_refused() -> None:
    assert TriggerIds(Real()).use("12.34.abcd") == (None, "invalid_trigger_id")


def test_a_response_url_takes_five_answers() -> None:
    urls = ResponseUrls(Real())
    token = urls.issue(user="U0DANA", channel="C0GENERAL")

    errors = [urls.use(token)[1] for _ in range(6)]

    assert errors == [None, None, None, None, None, "used_url"]


def test_a_response_url_is_dead_after_half_an_hour() -> None:
    real = Real()
    urls = ResponseUrls(real)
    token = urls.issue(user="U0DANA", channel="C0GENERAL")

    real.seconds += 30 * 60 + 1

    assert urls.use(token) == (None, "expired_url")
    assert urls.use("no-such-token") == (None, "invalid_url")
