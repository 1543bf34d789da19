"""Expectations of scenarios: each holds or says what is there instead."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from slack_sdk import WebClient

from sandbox.acting import Stage
from sandbox.conditions import View, claim, lacks
from sandbox.fleet import Fleet, Manner
from sandbox.script import AnswersOnce, Condition, DigestIs, NothingRefused, ReleaseIs, RunningOn, Said, Tickets
from sandbox.server import Server
from sandbox.service import Service
from tests.sandbox.collector import T0, Collector


class Releases(Service):
    """A service that knows what it is told."""

    def __init__(self) -> None:
        super().__init__("http://127.0.0.1:9", "sk_1")
        self.known: list[dict[str, Any]] = []

    def releases(self, model: str) -> list[dict[str, Any]]:
        return [each for each in self.known if each["model"] == model]


def a_release(state: str, percent: float, *before: str) -> dict[str, Any]:
    past = [{"state": each, "at": T0.isoformat()} for each in (*before, state)]
    return {"name": "R1", "model": "kws", "state": state, "percent": percent, "reason": None, "history": past}


@pytest.fixture
def service() -> Releases:
    return Releases()


@pytest.fixture
def fleet() -> Iterator[Fleet]:
    manner = Manner(phones=20, threads=1, lost_replies_share=0)
    fleet = Fleet(manner, app="demo", model="kws", key="pk_1", transport=Collector(), start=T0)
    yield fleet
    fleet.close()


@pytest.fixture
def stored() -> list[int]:
    return [0]


@pytest.fixture
def view(server: Server, service: Releases, fleet: Fleet, stored: list[int]) -> View:
    return View(stage=Stage(server.url), service=service, fleet=fleet, model="kws", stored=lambda: stored[0])


def test_what_was_said_is_found_where_it_was_said(view: View, client: WebClient) -> None:
    client.chat_postMessage(channel="C0RELEASES", text="R1 is proposed")
    client.chat_postEphemeral(channel="C0RELEASES", user="U0MIA", text="You may not")

    assert lacks(Said(place="#model-releases", words="R1 is"), view) is None
    assert lacks(Said(place="#model-releases", words="R1 is", times=2), view) is not None
    assert lacks(Said(place="#general", words="R1 is"), view) == "#general has 0 messages with “R1 is”"
    assert lacks(Said(place="#model-releases", words="You may not"), view) is not None
    assert lacks(Said(place="#model-releases", words="You may not", to="Mia"), view) is None


@pytest.mark.parametrize(
    ("wanted", "holds"),
    [
        pytest.param(ReleaseIs(state="rolling_back"), True, id="the state it is in"),
        pytest.param(ReleaseIs(state="progressing"), True, id="a state it was in"),
        pytest.param(ReleaseIs(state="completed"), False, id="a state it never had"),
        pytest.param(ReleaseIs(state="rolling_back", percent=25.0), True, id="the state and share"),
        pytest.param(ReleaseIs(state="progressing", percent=25.0), False, id="with a share, only the state it is in"),
    ],
)
def test_a_release_is_or_was_in_a_state(view: View, service: Releases, wanted: ReleaseIs, holds: bool) -> None:
    service.known = [a_release("rolling_back", 25.0, "progressing")]

    assert (lacks(wanted, view) is None) is holds


@pytest.mark.parametrize(
    ("wanted", "told"),
    [
        pytest.param(ReleaseIs(state="progressing"), "there is no release", id="no release"),
        pytest.param(Tickets(count=1), "there are 0 tickets (), not 1", id="no ticket"),
        pytest.param(DigestIs(week="2026-W47", posts=1), "there is no digest", id="no digest"),
        pytest.param(RunningOn(version="1.4.0", at_least=1), "0 phones run 1.4.0", id="no phone"),
    ],
)
def test_what_is_not_there_is_said(view: View, wanted: Condition, told: str) -> None:
    assert lacks(wanted, view) == told


def test_answers_are_stored_once_only_if_the_database_says_so(view: View, fleet: Fleet, stored: list[int]) -> None:
    fleet.check_in(T0, everybody=True)
    fleet.live(T0, T0.replace(day=17))
    fleet.deliver(T0.replace(day=17))

    told = lacks(AnswersOnce(), view)
    assert told is not None
    assert "but 0 are stored" in told
    stored[0] = fleet.tally().accepted
    assert lacks(AnswersOnce(), view) is None


def test_a_refused_message_or_item_is_not_overlooked(view: View, client: WebClient, fleet: Fleet) -> None:
    assert lacks(NothingRefused(), view) is None

    fleet.problems.append("timestamp: is in the future")
    assert lacks(NothingRefused(), view) == "Slack refused 0; phones: ['timestamp: is in the future']"


def test_phones_are_counted_by_what_they_run(view: View, fleet: Fleet) -> None:
    fleet.check_in(T0, everybody=True)

    assert lacks(RunningOn(version="1.4.0", at_least=20), view) is None
    assert lacks(RunningOn(version="1.4.0", at_most=5), view) == "20 phones run 1.4.0"


@pytest.mark.parametrize(
    ("condition", "words"),
    [
        (Said(place="#general", words="R1", to="Pam", times=2), "#general should say “R1” 2× to Pam"),
        (ReleaseIs(state="progressing", percent=5.0), "the release should be progressing at 5 %"),
        (Tickets(count=1), "Jira should have 1 ticket"),
        (AnswersOnce(), "every answer should be stored once"),
        (NothingRefused(), "nothing should be refused"),
        (RunningOn(version="1.4.0", at_most=75), "0 to 75 phones should run 1.4.0"),
        (DigestIs(week="2026-W47", posts=1), "the digest of 2026-W47 should be posted 1×"),
    ],
)
def test_a_condition_says_what_it_wants(condition: Condition, words: str) -> None:
    assert claim(condition) == words
