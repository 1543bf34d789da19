"""Any story of ticks, people and stale clicks, on a real database: stops win, shares only grow, nothing comes back."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from core.db import Control, Databases, open_databases
from core.device import DeviceContext
from core.errors import AppError, ConflictError
from releases import store
from releases.artifact_store import find_artifact
from releases.catalog import read_slots
from releases.guardrails import Verdict
from releases.offers import SPLITTING, Slot, offer
from releases.plan import parse_plan
from releases.rollout import (
    Act,
    Advance,
    Approve,
    Evidence,
    Halt,
    Kill,
    Pause,
    PausedFor,
    Resume,
    RollBack,
    Rollout,
    State,
    apply,
    decide,
    next_step,
)
from tests.builders import at
from tests.releases.builders import PLAN, a_finding, register_both, start

PHONE = DeviceContext(platform="android")
INSTALLS = [f"device-{n}" for n in range(40)]
OVER = (State.ROLLING_BACK, State.ROLLED_BACK)
CLICKS: list[Act] = [Pause(reason="p"), Resume(reason="on"), Halt(reason="h"), RollBack(reason="r"), Kill(reason="k"),
                     Advance(stage=1, reason="1"), Advance(stage=2, reason="2")]  # fmt: skip


class Story(RuleBasedStateMachine):
    plan = PLAN

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        path = Path(self.folder.name)
        self.databases: Databases = open_databases(f"sqlite:///{path}/c.db", f"sqlite:///{path}/i.db")
        Control.metadata.create_all(self.databases.control_engine)
        with self.databases.control.begin() as session:
            register_both(session)
            self.release, self.rollout = start(session, self.plan)
        self.seen = self.rollout
        self.hours = 0
        self.saved = [self.rollout]
        self.candidates: set[str] = set()

    def teardown(self) -> None:
        self.databases.dispose()
        self.folder.cleanup()

    def is_judged(self) -> bool:
        """Whether installs may have the candidate and guardrails still count: also while it waits, halted or done."""
        is_watched = at(self.hours) < self.rollout.since + self.plan.watch
        return self.rollout.state in SPLITTING or (self.rollout.state is State.COMPLETED and is_watched)

    def save(self, before: Rollout, act: Act) -> bool:
        """Do as `carry_out` does; return whether it was saved."""
        try:
            with self.databases.control.begin() as session:
                after = apply(before, act, at(self.hours))
                store.save_rollout(session, before, after)
        except AppError:
            return False
        if after != before:
            self.rollout = after
            self.saved.append(after)
        return True

    @rule()
    def somebody_looks(self) -> None:
        self.seen = self.rollout

    @rule(act=st.sampled_from(CLICKS))
    def they_click_on_what_they_saw(self, act: Act) -> None:
        if isinstance(act, Advance) and self.plan.stages[act.stage].needs_approval:
            return  # `next_step` decides what a click on Advance does
        is_stale = self.seen.revision != self.rollout.revision
        assert not (self.save(self.seen, act) and is_stale)

    @rule(verdict=st.sampled_from(Verdict), hours=st.integers(0, 40), installs=st.sampled_from([0, 500]))
    def the_minute_ticks(self, verdict: Verdict, hours: int, installs: int) -> None:
        self.hours += hours
        seen = Evidence(baseline_installs=installs, candidate_installs=installs, newest=at(self.hours))
        decision = decide(self.rollout, self.plan, [a_finding(verdict)], at(self.hours), evidence=seen)
        if verdict is Verdict.FAIL and self.is_judged():
            assert isinstance(decision, RollBack)
        if isinstance(decision, Advance):
            assert (verdict, installs) == (Verdict.PASS, 500)
        assert self.save(self.rollout, decision)

    @precondition(lambda self: self.rollout.state in (State.PROGRESSING, State.PAUSED))
    @rule()
    def a_halt_beats_whoever_advances_on_what_they_saw(self) -> None:
        stale = self.rollout
        assert self.save(self.rollout, Halt(reason="stop"))
        with pytest.raises(ConflictError), self.databases.control.begin() as session:
            store.save_rollout(session, stale, apply(stale, Kill(reason="k"), at(self.hours)))
        assert self.rollout.state is State.HALTED

    @invariant()
    def shares_only_grow_and_what_is_over_stays_over(self) -> None:
        stages = [rollout.stage for rollout in self.saved]
        states = [rollout.state for rollout in self.saved]
        assert stages == sorted(stages)
        if State.ROLLING_BACK in states:
            assert set(states[states.index(State.ROLLING_BACK) :]) <= set(OVER)
        with self.databases.control.begin() as session:
            assert store.load_rollout(session, self.release.id) == self.rollout

    @invariant()
    def offers_follow(self) -> None:
        with self.databases.control.begin() as session:
            slot = read_slots(session)["demo"][0]
            is_quarantined = find_artifact(session, app="demo", sha256=self.release.candidates[0]).quarantined
        found = {install for install in INSTALLS if _version(install, slot) == "1.4.0"}
        if self.rollout.state in (State.PROGRESSING, State.PAUSED, State.COMPLETED):
            assert found >= self.candidates
            self.candidates = found
        else:
            assert found == set()  # a phone that has it would say so and keep it through a halt
        assert is_quarantined == (self.rollout.state in OVER)


def _version(install: str, slot: Slot) -> str | None:
    found = offer(install, PHONE, slot)
    return found.artifact.version if found.artifact else None


class StoryWithApproval(Story):
    """The same with a stage that needs a person: it never begins without one."""

    plan = parse_plan(to="5,25,100", bake="24h", guard="crash_rate<+0.2pt", approve="25")

    def __init__(self) -> None:
        super().__init__()
        self.approved = False

    @rule()
    def somebody_approves(self) -> None:
        waits = self.rollout.state is State.PAUSED and self.rollout.paused_for is PausedFor.APPROVAL
        self.approved |= self.save(self.rollout, Approve()) and waits

    @rule()
    def somebody_advances_by_hand(self) -> None:
        try:
            step = next_step(self.rollout, self.plan, (), reason="now")
        except AppError:
            return
        assert self.save(self.rollout, step)

    @invariant()
    def the_second_stage_has_an_approval(self) -> None:
        assert self.rollout.stage == 0 or self.approved


StoryWithApproval.TestCase.settings = settings(max_examples=12, stateful_step_count=20, deadline=None)
TestStoryWithApproval = StoryWithApproval.TestCase
Story.TestCase.settings = settings(max_examples=12, stateful_step_count=15, deadline=None)
TestStory = Story.TestCase
