"""A clock file moves the time of every process that reads it."""

from __future__ import annotations

import json
import time
from datetime import timedelta
from pathlib import Path

from core.clock import FileClock, clock_from, system_clock
from tests.builders import T0, at


def write(path: Path, **facts: object) -> None:
    path.write_text(json.dumps(facts))


def test_time_stands_still_at_rate_zero(tmp_path: Path) -> None:
    write(tmp_path / "clock", at=T0.isoformat(), real=time.time(), rate=0)
    clock = FileClock(tmp_path / "clock")

    assert clock() == clock() == T0


def test_a_jump_is_seen_at_the_next_look(tmp_path: Path) -> None:
    write(tmp_path / "clock", at=T0.isoformat(), real=0, rate=0)
    clock = FileClock(tmp_path / "clock")
    clock()

    replacement = tmp_path / "new"
    write(replacement, at=at(24).isoformat(), real=0, rate=0)
    replacement.replace(tmp_path / "clock")

    assert clock() == at(24)


def test_time_runs_at_the_rate_of_the_file(tmp_path: Path) -> None:
    write(tmp_path / "clock", at=T0.isoformat(), real=time.time() - 10, rate=3600)

    ran = FileClock(tmp_path / "clock")() - T0

    assert timedelta(hours=10) <= ran < timedelta(hours=11)


def test_without_a_file_it_is_the_systems_clock() -> None:
    assert clock_from(None) is system_clock
