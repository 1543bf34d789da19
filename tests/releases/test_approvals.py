"""Approvals: enough different people, for what they were shown, and not longer ago than the plan allows."""

from __future__ import annotations

import pytest
from sqlalchemy.orm import Session

from core.db import Databases
from core.errors import ConflictError, NotAllowedError
from releases import store
from releases.plan import Release, parse_plan
from releases.rollout import Approve, Rollout, State, Submit, approval_subject
from tests.builders import T0, at
from tests.releases.builders import do, propose, register_both

TWO = parse_plan(to="5,100", bake="1h", guard="none", approvals="2")


def asked(session: Session) -> tuple[Release, Rollout]:
    register_both(session)
    release, rollout = propose(session, TWO)
    return release, do(session, rollout, Submit())


def approve(session: Session, release: Release, rollout: Rollout, by: str, *, hours: float = 0) -> int:
    subject = approval_subject(rollout, release.plan_hash)
    assert subject is not None
    return store.approve(session, release, rollout, by=by, subject=subject, now=at(hours))


def test_one_of_two_approvals_is_not_enough(databases: Databases) -> None:
    with databases.control.begin() as session:
        release, rollout = asked(session)

        assert approve(session, release, rollout, "U0MIA") == 1
        with pytest.raises(NotAllowedError, match="1 of 2 people have approved R1; 1 more must"):
            do(session, rollout, Approve())
        assert approve(session, release, rollout, "U0TOM") == 2
        assert do(session, rollout, Approve()).state is State.SCHEDULED


def test_an_approval_stops_to_count_and_can_be_renewed(databases: Databases) -> None:
    with databases.control.begin() as session:
        release, rollout = asked(session)
        approve(session, release, rollout, "U0MIA")
        waiting = store.pending(session, release, rollout, now=at(1))
        assert waiting is not None
        assert (waiting.needed, waiting.by, waiting.missing, waiting.until) == (2, ("U0MIA",), 1, at(72))

        later = store.pending(session, release, rollout, now=at(72))
        assert later is not None
        assert (later.by, later.missing) == ((), 2)


def test_a_stage_that_waits_long_forgets_old_approvals_but_not_the_question(databases: Databases) -> None:
    with databases.control.begin() as session:
        register_both(session)
        release, rollout = propose(session, TWO)
        rollout = do(session, rollout, Submit())
        halted = Rollout(release_id=release.id, state=State.HALTED, stage=0, since=T0, stage_since=T0, revision=9)

        assert approve(session, release, halted, "U0MIA", hours=1) == 1
        assert approve(session, release, halted, "U0TOM", hours=100) == 1
        assert approve(session, release, halted, "U0MIA", hours=101) == 2
        assert store.pending(session, release, rollout, now=at(1)) is not None


def test_a_proposal_that_nobody_approved_in_time_is_refused_with_what_to_do(databases: Databases) -> None:
    with databases.control.begin() as session:
        release, rollout = asked(session)

        with pytest.raises(ConflictError, match=r"expired on Thu 19 Nov 09:00 UTC.*Cancel it and propose it again"):
            approve(session, release, rollout, "U0MIA", hours=72)


def test_nothing_waits_for_people_while_a_release_runs(databases: Databases) -> None:
    with databases.control.begin() as session:
        release, rollout = asked(session)
        approve(session, release, rollout, "U0MIA")
        approve(session, release, rollout, "U0TOM")
        rollout = do(session, rollout, Approve())

        assert store.pending(session, release, rollout, now=T0) is None
