"""Releases in the database: one at a time, guarded by revision, approved by somebody else, never served again."""

from __future__ import annotations

from dataclasses import replace

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session

from core.db import Databases
from core.errors import ConflictError, InvalidInputError, NotAllowedError, NotFoundError
from releases import artifact_store, counters, store
from releases.plan import parse_plan
from releases.rollout import (
    Advance,
    Approve,
    Cancel,
    Complete,
    Halt,
    Hold,
    Kill,
    Pause,
    Reject,
    RollBack,
    State,
    Submit,
    apply,
    approval_subject,
)
from releases.tables import RolloutRow
from tests.builders import T0, at
from tests.releases.builders import an_artifact, do, propose, register_both, start


def test_a_release_is_known_by_its_number_and_its_id(databases: Databases) -> None:
    with databases.control.begin() as session:
        register_both(session)
        release, rollout = propose(session)

    with databases.control.begin() as session:
        assert release.name == "R1"
        for ref in ("R1", "r1", " 1 ", release.id):
            assert store.load_release(session, ref) == release
        assert store.load_rollout(session, release.id) == rollout
        with pytest.raises(NotFoundError, match="no release R7"):
            store.load_release(session, "R7")


def test_everything_that_keeps_a_release_from_starting_is_told(databases: Databases) -> None:
    with databases.control.begin() as session, pytest.raises(InvalidInputError) as caught:
        propose(session, version="9.9.9")

    told = " ".join(problem.message for problem in caught.value.problems)
    assert "kws@9.9.9 has no registered file" in told
    assert "no baseline to return to" in told


def test_the_baseline_itself_is_not_released(databases: Databases) -> None:
    with databases.control.begin() as session:
        register_both(session)
        with pytest.raises(InvalidInputError, match="is the baseline already"):
            propose(session, version="1.3.2")


def test_a_release_that_is_rolled_back_already_is_only_waited_for(databases: Databases) -> None:
    with databases.control.begin() as session:
        register_both(session)
        _, rollout = propose(session)
        store.save_rollout(session, rollout, replace(rollout, state=State.ROLLING_BACK, revision=rollout.revision + 1))

        told = store.why_taken(session, app="demo", model="kws")

    assert told == "R1 of kws is rolling back; one release of a model at a time: wait for its end."


def test_a_model_has_one_open_release_at_a_time(databases: Databases) -> None:
    with databases.control.begin() as session:
        register_both(session)
        _, rollout = propose(session)
        with pytest.raises(ConflictError, match="R1 of kws is draft; one release of a model at a time"):
            propose(session)
        do(session, rollout, Cancel(reason="changed my mind"))

        assert propose(session)[0].name == "R2"


def test_a_repeated_release_of_a_version_reaches_the_same_installs_first(databases: Databases) -> None:
    with databases.control.begin() as session:
        register_both(session)
        first, rollout = propose(session)
        do(session, rollout, Submit(), Reject(reason="not on a Friday"))
        second, _ = propose(session)

        assert second.salt == first.salt == first.id
        assert second.id != first.id


def test_of_two_who_act_on_the_same_revision_the_second_is_refused(databases: Databases) -> None:
    with databases.control.begin() as session:
        register_both(session)
        _, rollout = start(session)
    paused, halted = apply(rollout, Pause(reason="a"), at(1)), apply(rollout, Halt(reason="b"), at(1))

    with databases.control.begin() as session:
        store.save_rollout(session, rollout, halted)
    with pytest.raises(ConflictError, match="changed by somebody else"), databases.control.begin() as session:
        store.save_rollout(session, rollout, paused)

    with databases.control.begin() as session:
        assert store.load_rollout(session, rollout.release_id) == halted


def test_a_hold_writes_nothing(databases: Databases) -> None:
    with databases.control.begin() as session:
        register_both(session)
        _, rollout = start(session)
        before = counters.current(session, "catalog")
        do(session, rollout, Hold(reason="baking"))

        assert counters.current(session, "catalog") == before


def test_what_was_rolled_back_is_quarantined_for_good(databases: Databases) -> None:
    with databases.control.begin() as session:
        _, candidate = register_both(session)
        _, rollout = start(session)
        do(session, rollout, RollBack(reason="Crash rate 3 %"), hours=2)
        assert artifact_store.find_artifact(session, app="demo", sha256=candidate.sha256).quarantined
        do(session, store.load_rollout(session, rollout.release_id), Complete(reason="all back"), hours=3)

        with pytest.raises(InvalidInputError, match="quarantined; it can never be offered again"):
            propose(session)
        assert not artifact_store.register_artifact(session, candidate, app="demo", by="key_1", now=at(4))
        assert artifact_store.find_artifact(session, app="demo", sha256=candidate.sha256).quarantined


@pytest.mark.parametrize("stop", [Cancel(reason="no"), Reject(reason="no")])
def test_a_release_that_never_started_quarantines_nothing(databases: Databases, stop: Cancel | Reject) -> None:
    with databases.control.begin() as session:
        _, candidate = register_both(session)
        _, rollout = propose(session)
        do(session, rollout, Submit(), stop)

        assert not artifact_store.find_artifact(session, app="demo", sha256=candidate.sha256).quarantined


def test_a_completed_release_is_the_baseline_until_the_next_one_starts_and_completes(databases: Databases) -> None:
    with databases.control.begin() as session:
        register_both(session)
        artifact_store.register_artifact(session, an_artifact("1.5.0"), app="demo", by="key_1", now=T0)
        first, rollout = start(session)
        do(session, rollout, Complete(reason="done"), hours=24)
        second, rollout = start(session, version="1.5.0")

        assert second.baseline_version == "1.4.0"
        assert store.load_rollout(session, first.id).state is State.SUPERSEDED
        assert _baseline(session) == "1.4.0"

        do(session, rollout, Kill(reason="on fire"), hours=30)
        assert _baseline(session) == "1.4.0"


def test_a_completed_release_that_is_rolled_back_gives_way_to_the_baseline_before(databases: Databases) -> None:
    with databases.control.begin() as session:
        register_both(session)
        _, rollout = start(session)
        do(session, rollout, Complete(reason="done"), RollBack(reason="late crash"), hours=24)

        assert _baseline(session) == "1.3.2"


def test_two_approved_releases_of_a_model_cannot_both_run(databases: Databases) -> None:
    with databases.control.begin() as session:
        register_both(session)
        artifact_store.register_artifact(session, an_artifact("1.5.0"), app="demo", by="key_1", now=T0)
        first, one = propose(session)
        one = do(session, one, Submit(), Approve())
        session.execute(sa.update(RolloutRow).values(state="cancelled"))  # so that a second may be proposed
        _, two = start(session, version="1.5.0")
        session.execute(sa.update(RolloutRow).where(RolloutRow.release_id == first.id).values(state="scheduled"))
        assert two.state is State.PROGRESSING

        with pytest.raises(ConflictError, match="one runs at a time"):
            do(session, one, Advance(stage=0, reason="go"))


def test_nobody_approves_their_own_proposal(databases: Databases) -> None:
    with databases.control.begin() as session:
        register_both(session)
        release, rollout = propose(session)
        rollout = do(session, rollout, Submit())
        subject = approval_subject(rollout, release.plan_hash)
        assert subject is not None

        with pytest.raises(NotAllowedError, match="somebody else has to approve"):
            store.approve(session, release, rollout, by="U0DANA", subject=subject, now=T0)


def test_a_double_click_approves_once_and_two_people_count_as_two(databases: Databases) -> None:
    with databases.control.begin() as session:
        register_both(session)
        release, rollout = propose(session)
        rollout = do(session, rollout, Submit())
        counts = [
            store.approve(session, release, rollout, by=by, subject=release.plan_hash, now=at(hour))
            for hour, by in enumerate(("U0MIA", "U0MIA", "U0TOM"))
        ]

        assert counts == [1, 1, 2]
        assert store.approvers(session, release.id, release.plan_hash) == ("U0MIA", "U0TOM")


def test_an_approval_of_something_that_changed_or_is_over_is_refused(databases: Databases) -> None:
    with databases.control.begin() as session:
        register_both(session)
        release, rollout = propose(session)
        with pytest.raises(ConflictError, match="nothing waits for an approval"):
            store.approve(session, release, rollout, by="U0MIA", subject=release.plan_hash, now=T0)
        rollout = do(session, rollout, Submit())
        with pytest.raises(ConflictError, match="out of date"):
            store.approve(session, release, rollout, by="U0MIA", subject="an older plan", now=T0)
        do(session, rollout, Approve())


def test_the_tick_sees_releases_from_schedule_to_completion(databases: Databases) -> None:
    with databases.control.begin() as session:
        register_both(session)
        release, rollout = propose(session)
        assert store.live_releases(session) == ()
        assert store.open_releases(session, app="demo", model="kws") == ((release, rollout),)
        rollout = do(session, rollout, Submit(), Approve())
        assert store.live_releases(session, app="demo") == ((release, rollout),)
        assert store.live_releases(session, app="other") == ()
        rollout = do(session, rollout, Advance(stage=0, reason="go"), Complete(reason="done"), hours=1)
        assert store.live_releases(session) == ((release, rollout),)
        assert store.recent_releases(session, app="demo", since=at(1)) == ((release, rollout),)
        assert store.recent_releases(session, app="demo", since=at(2)) == ()


def test_history_keeps_every_line_in_order(databases: Databases) -> None:
    with databases.control.begin() as session:
        register_both(session)
        release, _ = propose(session)
        store.add_event(session, release.id, what="proposed", who="U0DANA", now=T0, facts={"to": [5, 100]})
        store.add_event(session, release.id, what="approved", who="U0MIA", now=T0, reason="looks good")

    with databases.control.begin() as session:
        first, second = store.history(session, release.id)
        assert (first.what, first.who, first.facts) == ("proposed", "U0DANA", {"to": [5, 100]})
        assert (second.what, second.reason, second.at) == ("approved", "looks good", T0)


def test_a_plan_comes_back_from_the_database_as_it_was(databases: Databases) -> None:
    plan = parse_plan(to="0.1,5%,100", bake="1h,2h,3h", where="platform=android", guard="csat>-5pt:pause", approve="5")
    with databases.control.begin() as session:
        register_both(session)
        release, _ = propose(session, plan)

    with databases.control.begin() as session:
        assert store.load_release(session, "R1").plan == plan
        assert store.load_release(session, "R1").plan_hash == release.plan_hash


def _baseline(session: Session) -> str:
    return artifact_store.current_baselines(session, app="demo", model="kws")[0].version
