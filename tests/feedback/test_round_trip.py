"""Parse, store, read: what a phone says within the shapes comes back as it was said, whatever stands beside it."""

from __future__ import annotations

import itertools
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from core.db import Databases
from core.device import FIELDS, DeviceContext
from core.settings import Settings
from tests.builders import T0, ManualClock
from tests.feedback.sending import POLL, Wire, a_batch, a_running_poll, an_answer, statuses

NUMBERS = itertools.count()
QUESTIONS: list[dict[str, Any]] = [
    *POLL["questions"],
    {"id": "q_nps", "type": "nps", "question": "Recommend?"},
    {"id": "q_up", "type": "thumbs", "question": "Good?"},
    {"id": "q_fix", "type": "correction", "question": "What was it?"},
]
WORDS = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=60).filter(str.strip)
VALUES: dict[str, st.SearchStrategy[Any]] = {
    "q_csat": st.integers(1, 5),
    "q_nps": st.integers(0, 10),
    "q_up": st.booleans(),
    "q_why": st.lists(st.sampled_from(["slow", "wrong"]), min_size=1, unique=True),
    "q_txt": WORDS.filter(lambda text: not any(character.isdigit() or character == "@" for character in text)),
    "q_fix": WORDS.filter(lambda text: not any(character.isdigit() or character == "@" for character in text)),
}
ANSWERS = st.fixed_dictionaries({}, optional=VALUES).filter(bool)
MOMENTS = st.integers(0, 6 * 24 * 3600).map(lambda seconds: T0 - timedelta(seconds=seconds))
FACTS = st.dictionaries(
    st.sampled_from([name for name in FIELDS if not name.startswith("model.")]), WORDS | st.integers(0, 64), max_size=8
)  # fmt: skip


@pytest.fixture
def wire(either: Databases, settings: Settings, clock: ManualClock) -> Wire:
    with either.control.begin() as session:
        a_running_poll(session, questions=QUESTIONS)
    return Wire(either, settings, clock)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture], derandomize=True)
@given(
    said=ANSWERS,
    when=MOMENTS,
    facts=FACTS,
    beside=st.dictionaries(WORDS, WORDS, max_size=2),
)
def test_what_a_phone_says_is_what_its_person_can_read(
    wire: Wire, said: dict[str, Any], when: Any, facts: dict[str, Any], beside: dict[str, str]
) -> None:
    number = next(NUMBERS)
    install = f"install of {number}"
    answers = [{"question": question, "value": value} for question, value in said.items()]
    event = an_answer(f"e{number}", at=when, answers=answers)
    context = {"install": install, "model": {"name": "kws"}, **facts}

    assert statuses(wire.batch(a_batch({**beside, **event}, context=context))) == ["accepted"]
    kept = wire.get("/v1/installs/me", X_Muster_Install=install).json or {}

    assert {answer["question"]: _read(answer) for answer in kept["answers"]} == {
        question: _canonical(question, value) for question, value in said.items()
    }
    assert {answer["at"] for answer in kept["answers"]} == {when.isoformat().replace("+00:00", "Z")}
    (device,) = kept["contexts"]
    told = DeviceContext.from_wire({**facts, "model": {"name": "kws"}})
    assert DeviceContext(**{name: value for name, value in device.items() if name != "id"}) == told
    assert install not in str(kept)


def _read(answer: dict[str, Any]) -> Any:
    return answer["text"] if answer["value"] in (None, "null") else answer["value"]


def _canonical(question: str, value: Any) -> Any:
    if question in ("q_txt", "q_fix"):
        return value.strip()
    if isinstance(value, list):
        return "[" + ",".join(f'"{each}"' for each in sorted(value)) + "]"
    return str(int(value))
