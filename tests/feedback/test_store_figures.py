"""Battery and corrections, counted for the figures of a week."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from core.db import Databases
from feedback import store
from feedback.store import Battery, Corrected
from tests.builders import T0
from tests.feedback.sending import a_batch, a_context, a_running_poll, an_answer
from tests.feedback.test_store_arms import Fleet

WEEK: dict[str, Any] = {"app": "demo", "since": T0 - timedelta(days=7), "until": T0}


@pytest.fixture
def fleet(either: Databases, tmp_path: Path) -> Fleet:
    return Fleet(either, tmp_path)


def battery(fleet: Fleet) -> Battery | None:
    with fleet.databases.ingest() as session:
        return store.battery_per_hour(session, model="kws", **WEEK)


def corrected(fleet: Fleet) -> Corrected | None:
    with fleet.databases.ingest() as session:
        return store.corrected(session, polls=["fix"], **WEEK)


def test_battery_is_told_by_the_hour_however_long_the_windows_are(fleet: Fleet) -> None:
    fleet.report("baseline", installs=range(3), window_s=3600, battery_pct=1.0)
    fleet.report("baseline", installs=[7], window_s=7200, battery_pct=7.0)
    fleet.report("baseline", installs=[8], window_s=3600)

    found = battery(fleet)

    assert found is not None
    assert found.share == pytest.approx(0.02)
    assert found.installs == 4


def test_phones_that_tell_nothing_of_battery_leave_it_unmeasured(fleet: Fleet) -> None:
    fleet.report("baseline", installs=range(3))

    assert battery(fleet) is None


def test_whoever_gave_the_right_label_corrected_and_a_submission_counts_once(fleet: Fleet) -> None:
    with fleet.databases.control.begin() as session:
        fix = {"id": "q_fix", "type": "correction", "question": "What was it really?", "optional": True}
        a_running_poll(session, id="fix", questions=[{"id": "q_csat", "type": "csat", "question": "Right?"}, fix])
    at = T0 - timedelta(hours=2)
    for number in range(4):
        answers: list[dict[str, Any]] = [{"question": "q_csat", "value": 2}]
        answers += [{"question": "q_fix", "value": "stop"}] if number == 0 else []
        sent = an_answer(f"c{number}", at=at, poll="fix", answers=answers)
        fleet.send(a_batch(sent, context=a_context(install=f"install-{number // 2}")))

    assert corrected(fleet) == Corrected(answered=4, corrected=1, people=2)


def test_nobody_answered_is_not_everybody_content(fleet: Fleet) -> None:
    assert corrected(fleet) is None
