"""Scenario files: the ones we ship are fine, and a wrong one is told every mistake with its line."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from core.errors import InvalidInputError
from sandbox import scenario
from sandbox.script import Deliver, Expect, Live, ReleaseIs, Say, Tickets

SHIPPED = sorted(scenario.FOLDER.glob("*.yaml"))
SMALL = """
name: small
start: 2026-11-16T10:00:00Z
model: kws
phones: {phones: 20, seed: 3}
artifacts:
  - {version: 1.3.2, kilobytes: 8, baseline: true}
steps:
  - title: One
    do:
      - live: {hours: 3, until: {release: {state: completed}}}
      - say: {as: Dana, in: "#app-feedback", text: /muster help}
      - deliver
      - expect: {tickets: 1, within_s: 3}
"""


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_a_shipped_scenario_has_no_mistakes(path: Path) -> None:
    assert scenario.load(path).name == path.stem


def test_the_tour_is_among_the_shipped_ones() -> None:
    assert "tour" in [path.stem for path in SHIPPED]
    assert len(SHIPPED) >= 4


def test_reads_people_phones_and_expectations() -> None:
    small = scenario.read(SMALL)

    assert small.start == datetime(2026, 11, 16, 10, tzinfo=UTC)
    assert small.manner.phones == 20
    assert small.steps[0].acts == (
        Live(length=timedelta(hours=3), until=ReleaseIs(state="completed")),
        Say(who="Dana", place="#app-feedback", text="/muster help"),
        Deliver(),
        Expect(condition=Tickets(count=1), within_s=3.0),
    )


def test_every_mistake_is_told_with_its_line() -> None:
    wrong = """
name: wrong
start: 2026-11-16T10:30:00Z
model: kws
phones: {phones: many, sede: 3}
artifacts:
  - {version: 1.3.2, kilobytes: 8}
faults:
  - {version: 1.3.2, where: "chipst=G35", crash: 1.5}
poll: {id: p, name: P, questions: []}
steps:
  - title: One
    do:
      - lve: {hours: 3}
      - live: {hours: 3, to: 2026-11-17T10:00:00Z}
      - switch: {jira_dwn: true}
      - register: 1.4.0
      - expect: {weather: fine}
"""

    with pytest.raises(InvalidInputError) as caught:
        scenario.read(wrong)

    told = {(problem.line, problem.path) for problem in caught.value.problems}
    assert told == {
        (3, "start"),
        (5, "phones.phones"),
        (5, "phones.sede"),
        (9, "faults[0].where"),
        (9, "faults[0].crash"),
        (10, "poll.model"),
        (10, "poll.questions"),
        (14, "steps[0].do[0]"),
        (15, "steps[0].do[1].live.to"),
        (16, "steps[0].do[2].switch.jira_dwn"),
        (17, "steps[0].do[3].register"),
        (18, "steps[0].do[4].expect"),
        (18, "steps[0].do[4].expect.weather"),
    }


def test_what_is_not_yaml_is_told_with_its_line() -> None:
    with pytest.raises(InvalidInputError) as caught:
        scenario.read("name: [one\nsteps: }")

    assert caught.value.problems[0].line == 2


@pytest.mark.parametrize("text", ["", "just words", "[1, 2]"])
def test_what_is_no_scenario_at_all_is_told_so(text: str) -> None:
    with pytest.raises(InvalidInputError):
        scenario.read(text)
