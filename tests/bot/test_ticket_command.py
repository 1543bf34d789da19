"""What people do with tickets, typed as in Slack, against the pretended Jira over real HTTP."""

from __future__ import annotations

import pytest

from bot import ticket_notes, tickets
from bot.context import Context
from core import audit
from sandbox.world import World
from tests.bot.ticket_desk import Desk, a_desk
from tests.bot.tickets_made import FINGERPRINT, a_regression
from tests.bot.workspace import DANA, PAM, RELEASES
from tests.builders import ManualClock
from tests.conftest import JobList


@pytest.fixture
def desk(ctx: Context, world: World, jobs: JobList) -> Desk:
    return a_desk(ctx, world, jobs)


def test_a_reported_regression_becomes_one_ticket_and_is_announced(desk: Desk) -> None:
    line = 'ticket open kws@1.4.0 metric=csat where="chipset=Helio-G35" reason="CSAT 61 % (52–70), n=118, was 83 %"'
    said = desk.type(line)
    desk.type(line)
    desk.work()

    assert "It is being opened" in said.text
    assert said.in_channel
    (issue,) = desk.world.jira.all()
    assert issue.summary == "kws 1.4.0: CSAT worse for chipset=Helio-G35"
    posted = [message for message in desk.world.slack.workspace.messages() if issue.key in message.text]
    assert [message.channel for message in posted] == [RELEASES]


def test_a_release_without_a_ticket_gets_one_about_it(desk: Desk) -> None:
    release = desk.start_release()
    desk.type("ticket open R1")
    desk.work()

    ticket = desk.only_ticket()
    assert (ticket.regression.release_id, ticket.regression.release) == (release.id, "R1")
    assert ticket.regression.stage == "1 of 3 (5 %)"
    assert len(ticket.regression.artifacts) == 2
    assert ticket.key is not None


def test_a_model_without_its_version_means_the_one_being_released(desk: Desk) -> None:
    desk.start_release()
    desk.type("ticket open kws reason=slow")

    assert desk.only_ticket().regression.first_bad_version == "1.4.0"


def test_open_again_tries_again_what_jira_refused(desk: Desk) -> None:
    ticket = desk.want()
    desk.work()  # opens it: the refusal is noted by hand
    with desk.ctx.databases.control.begin() as session:
        tickets.noted(session, ticket.fingerprint, problem="jira: HTTP 401", jira_key=None, state="pending")

    desk.type(f"ticket open {FINGERPRINT}")
    desk.work()

    after = desk.only_ticket()
    assert (after.state, after.problem, len(desk.world.jira.all())) == ("open", None, 1)


def test_opening_what_is_open_shows_it(desk: Desk) -> None:
    desk.want()
    desk.work()

    assert "There is a ticket already" in desk.type(f"ticket open {FINGERPRINT}").text


def test_an_issue_of_a_person_becomes_the_ticket_and_hears_the_numbers(desk: Desk) -> None:
    release = desk.start_release()
    theirs = desk.world.jira.create({"summary": "It crashes", "issuetype": {"name": "Bug"}}, {})
    desk.want(release_id=release.id)
    desk.jobs.waiting.clear()

    said = desk.type(f"ticket link R1 {theirs.key.lower()}")
    desk.work()

    assert theirs.key in said.text
    assert desk.only_ticket().key == theirs.key
    assert theirs.properties == {"muster": {"fingerprint": FINGERPRINT}}
    assert len(theirs.links) == 1
    assert len(theirs.comments) == 1
    assert len(desk.world.jira.all()) == 1


@pytest.mark.parametrize(
    ("line", "answer"),
    [
        ("ticket link R1 EDGE-1", "Jira has no issue EDGE-1"),
        ("ticket link R1 nonsense", "Jira has no issue NONSENSE"),
        ("ticket link R1", "name the issue as well"),
        ("ticket link R9 EDGE-88", "There is no release R9"),
        ("ticket link ffffffff EDGE-88", "There is no ticket ffffffff"),
        ("ticket mute R1 soon", "must be a period"),
        ("ticket mute ffffffff 30d", "There is no ticket ffffffff"),
        ("ticket open kws@9.9.9 reason=bad", "There is no kws 9.9.9"),
        ("ticket open kws@1.4.0", "say what is wrong"),
        ("ticket open ocr", "neither a release, a ticket nor a model"),
        ("ticket open kws@1.4.0 metric=mood", "must be one of csat"),
        ("ticket open kws@1.4.0 where=chipsett=x", "chipsett"),
        ("ticket open R1 colour=red", "no option"),
        ("ticket show ffffffff", "There is no ticket ffffffff"),
    ],
)
def test_a_mistake_is_answered_with_what_to_do(desk: Desk, line: str, answer: str) -> None:
    release = desk.start_release()
    desk.want(release_id=release.id)
    desk.jobs.waiting.clear()

    said = desk.type(line)

    assert answer in said.text + str(said.blocks)
    assert not said.in_channel
    assert desk.jobs.waiting == []


def test_a_ticket_is_not_linked_twice(desk: Desk) -> None:
    desk.want()
    desk.work()
    theirs = desk.world.jira.create({"summary": "It crashes", "issuetype": {"name": "Bug"}}, {})

    assert "has its ticket already: EDGE-88" in desk.type(f"ticket link {FINGERPRINT} {theirs.key}").text


def test_one_issue_is_not_the_ticket_of_two(desk: Desk) -> None:
    desk.want()
    desk.work()
    desk.want(fingerprint="aaaaaaaaaaaaaaaa")

    assert "ticket of another regression" in desk.type("ticket link aaaaaaaaaaaaaaaa EDGE-88").text


def test_linking_waits_while_jira_may_be_making_one(desk: Desk) -> None:
    with desk.ctx.databases.control.begin() as session:
        before = tickets.want(session, a_regression(), now=desk.ctx.clock())
        ticket_notes.claim_create(session, before, after=0, wall=desk.ctx.clock())

    assert "being opened just now" in desk.type(f"ticket link {FINGERPRINT} EDGE-88").text


def test_linking_during_an_outage_says_so_and_changes_nothing(desk: Desk) -> None:
    desk.want()
    desk.world.faults.set(jira_down=True)

    assert "HTTP 503" in desk.type(f"ticket link {FINGERPRINT} EDGE-88").text
    assert desk.only_ticket().key is None


def test_a_muted_fingerprint_rests_and_can_be_opened_again(desk: Desk, clock: ManualClock) -> None:
    desk.want()
    said = desk.type(f"ticket mute {FINGERPRINT} 30d")
    desk.work()
    assert "muted until Wed 16 Dec 09:00 UTC" in said.text
    assert desk.world.jira.all() == ()

    desk.type(f"ticket open {FINGERPRINT}")
    desk.work()
    assert len(desk.world.jira.all()) == 1


@pytest.mark.parametrize("verb", ["open {0}", "mute {0} 30d", "open kws@1.4.0 metric=csat"])
def test_who_has_no_role_is_told_who_can(desk: Desk, verb: str) -> None:
    desk.want()
    desk.jobs.waiting.clear()
    before = desk.only_ticket()

    said = desk.type(f"ticket {verb.format(FINGERPRINT)}", person=PAM)

    assert f"<@{DANA}>" in said.text
    assert desk.only_ticket() == before
    assert desk.jobs.waiting == []


@pytest.mark.parametrize(
    "line", [f"ticket open {FINGERPRINT}", f"ticket mute {FINGERPRINT} 30d", "ticket open kws@1.4.0 metric=csat"]
)
def test_a_dry_run_changes_nothing(desk: Desk, line: str) -> None:
    desk.want()
    desk.jobs.waiting.clear()
    before = desk.only_ticket()

    said = desk.type(f"{line} --dry-run")

    assert said.text.startswith("*Dry run.*")
    assert desk.only_ticket() == before
    assert desk.jobs.waiting == []


def test_the_list_names_keys_states_and_fingerprints(desk: Desk) -> None:
    assert "No ticket yet" in desk.type("ticket list").text
    desk.want()
    desk.want(fingerprint="aaaaaaaaaaaaaaaa", model="ocr")
    desk.work()

    said = desk.type("ticket list")
    assert "2 tickets" in said.text
    assert FINGERPRINT in said.text
    assert "EDGE-88" in said.text
    assert "1 ticket\n" in desk.type("ticket list ocr").text


def test_one_ticket_is_shown_with_its_numbers(desk: Desk) -> None:
    desk.want()

    said = desk.type(f"ticket show {FINGERPRINT[:6]}")

    assert "being opened" in said.text
    assert "3.6 %" in str(said.blocks).replace("\xa0", " ")


def test_what_people_do_with_tickets_is_in_the_audit_log(desk: Desk) -> None:
    desk.type("ticket open kws@1.4.0 metric=csat")
    fingerprint = desk.only_ticket().fingerprint
    desk.type(f"ticket mute {fingerprint} 7d")

    with desk.ctx.databases.control.begin() as session:
        found = audit.entries(session, subject=fingerprint)
    assert {(entry.who, entry.what) for entry in found} == {(DANA, "ticket.reported"), (DANA, "ticket.muted")}


def test_the_same_delivery_twice_wakes_the_job_once(desk: Desk) -> None:
    desk.want()
    desk.jobs.waiting.clear()
    for _ in range(2):
        desk.type(f"ticket open {FINGERPRINT}", delivery="dlv_1")

    assert desk.jobs.names() == ["open_ticket"]
