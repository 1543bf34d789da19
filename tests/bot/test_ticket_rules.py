"""The table of what to do next about a ticket, and how bad is how bad."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from bot import ticket_rules as rules
from bot import ticket_steps as steps
from bot.ticket_rules import Ticket
from bot.ticket_steps import (
    Adopt,
    Close,
    Comment,
    Create,
    JiraFacts,
    Later,
    LookUp,
    Note,
    NoteState,
    Nothing,
    Policy,
    PutLink,
    Relate,
    Renew,
    Reopen,
    Step,
    Wait,
)
from tests.bot.tickets_made import a_regression, evidence
from tests.builders import at


def a_ticket(**changes: Any) -> Ticket:
    pending = Ticket(regression=a_regression(), state="pending", band=3, revision=1, wanted_at=at(0))
    return replace(pending, **changes)


def creating(seconds_ago: float, **changes: Any) -> Ticket:
    tried_at = at(1) - timedelta(seconds=seconds_ago)
    attempt = {"state": "creating", "attempt": "issue with band 3", "attempted_at": tried_at, "attempt_after": 90}
    return a_ticket(**(attempt | changes))


def opened(**changes: Any) -> Ticket:
    known = {"state": "open", "key": "EDGE-91", "linked": True, "said_band": 3, "said_at": at(-48)}
    return a_ticket(**(known | changes))


NOT_THERE = JiraFacts(certain=True, newest=90)
UNSURE = JiraFacts(certain=False, newest=90)
THERE = JiraFacts(key="EDGE-91", certain=True, newest=91)


@pytest.mark.parametrize(
    ("ticket", "seen", "step"),
    [
        pytest.param(a_ticket(), None, LookUp(), id="looks before the very first create: the row may be younger"),
        pytest.param(a_ticket(), UNSURE, Create(90), id="creates when it never tried and nothing is known"),
        pytest.param(a_ticket(), THERE, Adopt("EDGE-91", 3), id="adopts what is there already"),
        pytest.param(creating(5), None, LookUp(), id="looks after a lost attempt"),
        pytest.param(creating(5), THERE, Adopt("EDGE-91", 3), id="adopts what a lost attempt made"),
        pytest.param(creating(5), NOT_THERE, Wait("an earlier request may still be at work"), id="waits for a request"),
        pytest.param(creating(61), NOT_THERE, Create(90), id="creates again once it is certainly not there"),
        pytest.param(
            creating(9999),
            UNSURE,
            Wait("Jira has more new issues than one look can see"),
            id="never creates again without certainty",
        ),
        pytest.param(creating(5, band=5), THERE, Adopt("EDGE-91", 3), id="knows which band the lost attempt told"),
        pytest.param(
            creating(61, attempt_after=70), NOT_THERE, Create(70), id="keeps looking from where it first began"
        ),
        pytest.param(opened(linked=False), None, PutLink("EDGE-91"), id="puts the link once it is open"),
        pytest.param(opened(), None, Nothing("the issue says so already"), id="says nothing twice"),
        pytest.param(
            opened(band=5), None, Comment("EDGE-91", "band 5 after 20261114T090000"), id="comments on another band"
        ),
        pytest.param(
            opened(band=5, said_at=at(-10)), None, Later(at(14)), id="comments once a day at most, but does then"
        ),
        pytest.param(
            opened(band=1), None, Comment("EDGE-91", "band 1 after 20261114T090000"), id="comments on less harm as well"
        ),
        pytest.param(opened(band=5, attempt="band 5 x", attempted_at=at(1)), None, LookUp(), id="looks for a comment"),
        pytest.param(
            opened(band=6, attempt="band 5 x", attempted_at=at(1)),
            JiraFacts(commented=True),
            Note("band 5 x"),
            id="notes a comment that came through",
        ),
        pytest.param(
            opened(band=5, attempt="band 5 x", attempted_at=at(1)),
            JiraFacts(),
            Wait("an earlier comment may still be at work"),
            id="waits for a comment on its way",
        ),
        pytest.param(
            opened(band=5, attempt="band 5 x", attempted_at=at(0)),
            JiraFacts(),
            Comment("EDGE-91", "band 5 x"),
            id="comments again under the same name",
        ),
        pytest.param(a_ticket(state="muted"), None, Nothing("muted"), id="a muted one rests"),
        pytest.param(a_ticket(state="muted", muted_until=at(2)), None, Nothing("muted"), id="rests until then"),
        pytest.param(a_ticket(state="muted", muted_until=at(1)), None, LookUp(), id="and no longer"),
    ],
)
def test_next_step(ticket: Ticket, seen: JiraFacts | None, step: Step) -> None:
    assert steps.next_step(ticket, seen, at(1), wall=at(1)) == step


POLICY = Policy(heals_after=timedelta(hours=48), reopens_within=timedelta(days=14))
CLOSES = replace(POLICY, closes=True)
HEAL_MARK = "healed since 20261114T090000"
OPEN = JiraFacts(key="EDGE-91", certain=True)
DONE = replace(OPEN, is_done=True)
REFUSED = replace(DONE, is_refused=True)


def healed(**changes: Any) -> Ticket:
    return opened(**({"healed_at": at(-48)} | changes))


def closed(**changes: Any) -> Ticket:
    return opened(**({"state": "done", "resolved_at": at(-24), "again": True} | changes))


@pytest.mark.parametrize(
    ("ticket", "seen", "policy", "step"),
    [
        pytest.param(healed(healed_at=at(0)), None, POLICY, Later(at(48)), id="health has to last"),
        pytest.param(healed(), None, POLICY, Comment("EDGE-91", HEAL_MARK), id="says that it healed"),
        pytest.param(
            healed(attempt=HEAL_MARK, attempted_at=at(1)), None, POLICY, LookUp(), id="looks for that comment"
        ),
        pytest.param(
            healed(attempt=HEAL_MARK, attempted_at=at(1)),
            replace(OPEN, commented=True),
            POLICY,
            Note(HEAL_MARK),
            id="notes that comment",
        ),
        pytest.param(
            healed(told_healed=True),
            None,
            POLICY,
            Nothing("it has healed; closing is for people"),
            id="leaves closing to people",
        ),
        pytest.param(healed(told_healed=True), None, CLOSES, LookUp(), id="looks before it closes"),
        pytest.param(healed(told_healed=True), OPEN, CLOSES, Close("EDGE-91"), id="closes if it may"),
        pytest.param(healed(told_healed=True), DONE, CLOSES, NoteState("done"), id="sees that it is closed"),
        pytest.param(
            opened(band=5, attempt=HEAL_MARK, attempted_at=at(0)),
            JiraFacts(),
            POLICY,
            Comment("EDGE-91", "band 5 after 20261114T090000"),
            id="ill again before the comment arrived, it says that instead",
        ),
        pytest.param(closed(again=False), None, POLICY, Nothing("closed"), id="a closed one rests"),
        pytest.param(closed(), None, POLICY, LookUp(), id="looks what became of it before it opens it"),
        pytest.param(closed(), DONE, POLICY, Reopen("EDGE-91"), id="opens a young one again"),
        pytest.param(
            closed(resolved_at=at(-14 * 24)), DONE, POLICY, Renew("EDGE-91"), id="an old one gets a successor"
        ),
        pytest.param(closed(), REFUSED, POLICY, NoteState("refused"), id="what nobody will do stays closed"),
        pytest.param(closed(), OPEN, POLICY, NoteState("open"), id="people, or an earlier attempt, opened it"),
        pytest.param(closed(), JiraFacts(certain=True), POLICY, Renew(None), id="a deleted one is begun anew"),
        pytest.param(
            opened(relates_to="EDGE-12"), None, POLICY, Relate("EDGE-91", "EDGE-12"), id="is linked to the one before"
        ),
        pytest.param(
            opened(relates_to="EDGE-12", related=True),
            None,
            POLICY,
            Nothing("the issue says so already"),
            id="linked once",
        ),
    ],
)
def test_next_step_once_it_healed_or_was_closed(
    ticket: Ticket, seen: JiraFacts | None, policy: Policy, step: Step
) -> None:
    assert steps.next_step(ticket, seen, at(1), wall=at(1) + timedelta(minutes=5), policy=policy) == step


@pytest.mark.parametrize(
    ("ticket", "level", "is_again"),
    [
        pytest.param(closed(again=False), 3, False, id="closed and as bad as its issue knows"),
        pytest.param(closed(again=False), 4, True, id="closed and worse"),
        pytest.param(closed(again=False, healed_at=at(0)), 1, True, id="closed, healed, and bad again"),
        pytest.param(opened(), 6, False, id="open anyway"),
    ],
)
def test_when_a_closed_ticket_is_bad_again(ticket: Ticket, level: int, is_again: bool) -> None:
    assert rules.is_bad_again(ticket, level) is is_again


@pytest.mark.parametrize(
    ("resolution", "status", "is_one"),
    [
        ("Won't Do", "Done", True), ("Won’t Fix", "Closed", True), ("Duplicate", "Done", True),
        ("Cannot Reproduce", "Done", True), ("Done", "Won't do", False), (None, "Won't do", True),
        ("Done", "Done", False), ("Fixed", "Closed", False), (None, "Done", False),
    ],
)  # fmt: skip
def test_what_counts_as_refused(resolution: str | None, status: str, is_one: bool) -> None:
    assert rules.is_refusal(resolution, status) is is_one


def test_how_long_a_request_may_be_at_work_is_real_time_not_the_sandboxes() -> None:
    step = steps.next_step(creating(5), NOT_THERE, at(10_000), wall=at(1))

    assert isinstance(step, Wait)


@pytest.mark.parametrize(
    ("effect", "band"), [(0.0, 0), (0.004, 0), (0.005, 1), (0.03, 3), (-0.03, 3), (0.2, 6), (0.9, 7)]
)
def test_the_band_of_a_share_grows_with_the_points_lost(effect: float, band: int) -> None:
    assert rules.band(a_regression(evidence(effect=effect))) == band


@pytest.mark.parametrize(("effect", "band"), [(0.04, 0), (0.05, 1), (0.25, 3), (2.5, 6)])
def test_the_band_of_a_relative_effect_is_its_ratio(effect: float, band: int) -> None:
    assert rules.band(a_regression(evidence(effect=effect, relative=True))) == band


def test_the_band_of_a_latency_is_relative_to_the_baseline() -> None:
    row = evidence(metric="latency_p95", baseline=40.0, candidate=50.0, effect=10.0)

    assert rules.band(a_regression(row)) == 3  # a quarter slower


def test_the_worst_row_counts() -> None:
    assert rules.band(a_regression(evidence(effect=0.001), evidence(effect=0.6))) == 7


def test_without_numbers_there_is_no_band() -> None:
    assert rules.band(replace(a_regression(), evidence=())) == 0


def test_a_moment_later_is_never_before_the_day_is_over() -> None:
    said: datetime = at(0)
    step = steps.next_step(opened(band=5, said_at=said), None, at(23.9), wall=at(23.9))

    assert step == Later(at(24))
