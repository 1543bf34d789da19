"""Roll-ups of inferences."""

from __future__ import annotations

from feedback.telemetry import hour_of
from tests.builders import at


def test_an_hour_begins_on_the_hour() -> None:
    assert hour_of(at(1.99)) == at(1)
