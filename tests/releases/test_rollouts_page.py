"""docs/rollouts.md tells the truth: its table of states is the one the code obeys."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from core.errors import ConflictError, NotAllowedError
from releases.states import (
    TABLE,
    Act,
    Advance,
    Approve,
    Cancel,
    Complete,
    Halt,
    Kill,
    Pause,
    PausedFor,
    Reject,
    Resume,
    RollBack,
    Rollout,
    State,
    Submit,
    Supersede,
    apply,
)
from tests.builders import at
from tests.releases.builders import a_rollout

PAGE = (Path(__file__).parents[2] / "docs" / "rollouts.md").read_text()
ACTS: dict[str, Act] = {
    "submit": Submit(), "approve": Approve(), "reject": Reject(reason="no"), "cancel": Cancel(reason="off"),
    "advance": Advance(stage=1, reason="go"), "pause": Pause(reason="lunch"), "resume": Resume(reason="on"),
    "halt": Halt(reason="stop"), "roll back": RollBack(reason="back"), "kill": Kill(reason="now"),
    "complete": Complete(reason="done"), "supersede": Supersede(reason="newer"),
}  # fmt: skip
ROWS = [tuple(row) for row in re.findall(r"^\| (\w+) \| ([a-z ]+) \| (\w+) \|$", PAGE, re.MULTILINE) if row[1] in ACTS]


def standing(state: State, act: Act) -> Rollout:
    """Return a rollout in that state to which the act can be meant."""
    why = None
    if state is State.PAUSED:
        why = PausedFor.APPROVAL if isinstance(act, Approve) else PausedFor.MANUAL
    return a_rollout(state, paused_for=why)


@pytest.mark.parametrize(("before", "word", "after"), ROWS)
def test_each_line_of_the_table_happens(before: str, word: str, after: str) -> None:
    act = Advance(stage=0, reason="start") if (before, word) == ("scheduled", "advance") else ACTS[word]

    assert apply(standing(State(before), act), act, at(1)).state == State(after)


@pytest.mark.parametrize("state", State)
@pytest.mark.parametrize("word", ACTS)
def test_what_is_not_in_the_table_is_refused(state: State, word: str) -> None:
    if any((before, listed) == (state, word) for before, listed, _ in ROWS):
        return
    with pytest.raises((ConflictError, NotAllowedError), match=r"cannot be|only after an approval"):
        apply(standing(state, ACTS[word]), ACTS[word], at(1))


def test_the_page_leaves_out_nothing_of_the_code() -> None:
    told = {(State(before), type(ACTS[word])): State(after) for before, word, after in ROWS}

    assert told == dict(TABLE)


@pytest.mark.parametrize("state", State)
def test_every_state_is_explained(state: State) -> None:
    assert f"`{state}`" in PAGE


@pytest.mark.parametrize("why", PausedFor)
def test_every_reason_of_a_pause_is_told(why: PausedFor) -> None:
    assert f"`{why}`" in PAGE
