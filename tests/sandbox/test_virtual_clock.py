"""The world's clock runs fast, jumps, and reads the same in other processes."""

from __future__ import annotations

import json
import time
from datetime import timedelta
from pathlib import Path

import pytest

from core.clock import FileClock
from sandbox.virtual_clock import VirtualClock
from tests.sandbox.apps import T0, Real


def test_an_hour_passes_in_a_minute_at_rate_sixty() -> None:
    real = Real()
    clock = VirtualClock(at=T0, rate=60.0, real=real)

    real.seconds += 60

    assert clock() == T0 + timedelta(hours=1)


def test_what_has_passed_stays_passed_when_the_rate_changes() -> None:
    real = Real()
    clock = VirtualClock(at=T0, rate=60.0, real=real)
    real.seconds += 60

    clock.set_rate(0)
    real.seconds += 1000
    clock.advance(timedelta(minutes=5))

    assert clock() == T0 + timedelta(hours=1, minutes=5)


def test_time_never_runs_backwards() -> None:
    real = Real()
    clock = VirtualClock(at=T0, real=real)
    real.seconds -= 500

    assert clock() == T0
    with pytest.raises(ValueError, match="backwards"):
        clock.advance(timedelta(seconds=-1))
    with pytest.raises(ValueError, match="backwards"):
        clock.set_rate(-1)
    with pytest.raises(ValueError, match="backwards"):
        clock.set_rate(float("nan"))


def test_another_process_reads_the_same_time_from_the_file(tmp_path: Path) -> None:
    path = tmp_path / "clock.json"
    clock = VirtualClock(path, at=T0, rate=0.0)
    other = FileClock(path)

    assert other() == T0
    clock.advance(timedelta(days=7))

    assert other() == clock() == T0 + timedelta(days=7)


def test_the_file_says_when_it_was_what_time(tmp_path: Path) -> None:
    path = tmp_path / "clock.json"
    before = time.time()

    VirtualClock(path, at=T0, rate=60.0)

    facts = json.loads(path.read_text())
    assert facts["at"] == T0.isoformat()
    assert facts["rate"] == 60.0
    assert before <= facts["real"] <= time.time()
    assert [file.name for file in tmp_path.iterdir()] == ["clock.json"]
