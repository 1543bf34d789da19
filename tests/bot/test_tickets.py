"""One row per fingerprint, whatever is wanted how often and by whom at once."""

from __future__ import annotations

import pytest

from bot import ticket_notes, tickets
from bot.ticket_rules import Ticket
from core.db import Databases
from core.errors import ConflictError, NotFoundError
from tests.bot.tickets_made import FINGERPRINT, a_regression, evidence
from tests.builders import at
from tests.conftest import JobList


def wanted(databases: Databases, *, effect: float = 0.032, hours: float = 0) -> Ticket:
    with databases.control.begin() as session:
        return tickets.want(session, a_regression(evidence(effect=effect)), now=at(hours), channel="C1", thread="1.2")


def opened(databases: Databases) -> Ticket:
    before = wanted(databases)
    with databases.control.begin() as session:
        return ticket_notes.opened(session, FINGERPRINT, "EDGE-91", at(0), told_band=before.band)


def test_a_wanted_ticket_is_written_pending_with_the_job_that_opens_it(databases: Databases, jobs: JobList) -> None:
    ticket = wanted(databases)

    assert (ticket.state, ticket.key, ticket.band) == ("pending", None, 3)
    assert ticket.regression == a_regression()
    assert (ticket.channel, ticket.thread) == ("C1", "1.2")
    assert [(job.job, job.ids) for job in jobs.waiting] == [("open_ticket", {"fingerprint": FINGERPRINT})]


def test_a_decision_that_is_rolled_back_wants_no_ticket(databases: Databases, jobs: JobList) -> None:
    with databases.control() as session:
        tickets.want(session, a_regression(), now=at(0))
        session.rollback()

    assert jobs.waiting == []
    with databases.control.begin() as session, pytest.raises(NotFoundError):
        tickets.load(session, FINGERPRINT)


def test_wanting_the_same_again_changes_nothing(databases: Databases, jobs: JobList) -> None:
    wanted(databases)
    wanted(databases, hours=1)

    assert jobs.names() == ["open_ticket"]
    with databases.control.begin() as session:
        assert len(tickets.recent(session)) == 1


def test_another_band_wakes_the_job_and_keeps_the_newer_numbers(databases: Databases, jobs: JobList) -> None:
    opened(databases)
    again = wanted(databases, effect=0.3, hours=30)

    assert (again.band, again.said_band, again.key) == (6, 3, "EDGE-91")
    assert again.regression.evidence[0].effect == 0.3
    assert jobs.names() == ["open_ticket", "announce_ticket", "open_ticket"]


def test_opening_enqueues_the_announcement_once(databases: Databases, jobs: JobList) -> None:
    opened(databases)
    with databases.control.begin() as session:
        again = ticket_notes.opened(session, FINGERPRINT, "EDGE-92", at(1), told_band=3)

    assert again.key == "EDGE-91"
    assert jobs.names().count("announce_ticket") == 1


def test_of_two_workers_only_one_may_post(databases: Databases) -> None:
    before = wanted(databases)
    with databases.control.begin() as session:
        ticket_notes.claim_create(session, before, after=90, wall=at(0))

    with databases.control.begin() as session, pytest.raises(ConflictError):
        ticket_notes.claim_create(session, before, after=90, wall=at(0))


def test_what_jira_made_is_kept_even_if_the_ticket_changed_meanwhile(databases: Databases) -> None:
    before = wanted(databases)
    with databases.control.begin() as session:
        ticket_notes.claim_create(session, before, after=90, wall=at(0))
    wanted(databases, effect=0.4)

    with databases.control.begin() as session:
        after = ticket_notes.opened(session, FINGERPRINT, "EDGE-91", at(0), told_band=3)

    assert (after.state, after.key, after.said_band, after.band) == ("open", "EDGE-91", 3, 6)


def test_a_refusal_takes_back_only_its_own_attempt(databases: Databases) -> None:
    before = wanted(databases)
    with databases.control.begin() as session:
        first = ticket_notes.claim_create(session, before, after=90, wall=at(0))
        second = ticket_notes.claim_create(session, first, after=90, wall=at(1))

    with databases.control.begin() as session:
        assert ticket_notes.refused(session, first).attempted_at == at(1)
        assert ticket_notes.refused(session, second).attempted_at is None


def test_a_muted_fingerprint_wants_no_job_until_its_time_is_over(databases: Databases, jobs: JobList) -> None:
    before = wanted(databases)
    with databases.control.begin() as session:
        tickets.mute(session, before, until=at(48))
    jobs.waiting.clear()

    assert wanted(databases, hours=1).state == "muted"
    assert jobs.waiting == []
    assert wanted(databases, hours=49).state == "pending"
    assert jobs.names() == ["open_ticket"]


def test_a_key_that_comes_in_while_muted_is_kept(databases: Databases) -> None:
    before = wanted(databases)
    with databases.control.begin() as session:
        tickets.mute(session, before, until=None)
        after = ticket_notes.opened(session, FINGERPRINT, "EDGE-91", at(0), told_band=3)
        assert (after.state, after.key) == ("muted", "EDGE-91")
        assert tickets.unmute(session, after).state == "open"


@pytest.mark.parametrize("ref", [FINGERPRINT, FINGERPRINT.upper(), "0011", "EDGE-91", "edge-91"])
def test_is_found_by_fingerprint_its_start_or_its_key(databases: Databases, ref: str) -> None:
    opened(databases)
    with databases.control.begin() as session:
        found = tickets.find(session, ref)

    assert found is not None
    assert found.fingerprint == FINGERPRINT


@pytest.mark.parametrize("ref", ["001", "ffff", "%", "EDGE-92", ""])
def test_is_not_found_by_less(databases: Databases, ref: str) -> None:
    opened(databases)
    with databases.control.begin() as session:
        assert tickets.find(session, ref) is None


def test_a_start_that_two_share_finds_neither(databases: Databases) -> None:
    with databases.control.begin() as session:
        tickets.want(session, a_regression(fingerprint="abcd1"), now=at(0))
        tickets.want(session, a_regression(fingerprint="abcd2"), now=at(0))
        assert tickets.find(session, "abcd") is None


def test_lists_by_release_and_by_app(databases: Databases) -> None:
    with databases.control.begin() as session:
        tickets.want(session, a_regression(), now=at(0))
        tickets.want(session, a_regression(fingerprint="other", release_id="rel_2", app="else"), now=at(1))

        assert [each.fingerprint for each in tickets.of_release(session, "rel_1")] == [FINGERPRINT]
        assert [each.fingerprint for each in tickets.recent(session)] == ["other", FINGERPRINT]
        assert [each.fingerprint for each in tickets.recent(session, app="else")] == ["other"]


def test_what_jira_refused_is_tried_again_each_day(databases: Databases, jobs: JobList) -> None:
    wanted(databases)
    with databases.control.begin() as session:
        tickets.noted(session, FINGERPRINT, problem="jira: HTTP 401")
    jobs.waiting.clear()

    for hours in (1, 2, 25):
        with databases.control.begin() as session:
            assert tickets.wake_stuck(session, at(hours)) == 1

    assert jobs.names() == ["open_ticket", "open_ticket"]


def test_what_has_no_problem_is_left_alone(databases: Databases) -> None:
    wanted(databases)
    with databases.control.begin() as session:
        assert tickets.wake_stuck(session, at(1)) == 0
