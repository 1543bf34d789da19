"""A pipeline proposes; people approve. Every mistake is told at once, and the same proposal twice is one."""

from __future__ import annotations

from typing import Any

import pytest
from flask.testing import FlaskClient

from core import audit
from core.db import Databases
from core.errors import NotAllowedError
from releases import store
from releases.proposing import outcome
from releases.rollout import Approve, State
from tests.builders import T0
from tests.conftest import JobList
from tests.releases.builders import a_rollout, do, register_both
from tests.releases.conftest import Keys

ASKED = {
    "model": "kws",
    "version": "1.4.0",
    "to": "5,100",
    "bake": "1h",
    "guard": "crash_rate<+0.2pt",
    "reason": "CI 7",
}


@pytest.fixture
def pipeline(pipeline: FlaskClient, databases: Databases) -> FlaskClient:
    with databases.control.begin() as session:
        register_both(session)
    return pipeline


def post(pipeline: FlaskClient, key: str, body: Any, query: str = "") -> tuple[int, dict[str, Any]]:
    reply = pipeline.post(f"/v1/releases{query}", json=body, headers={"Authorization": f"Bearer {key}"})
    told: dict[str, Any] = reply.get_json()
    return reply.status_code, told


def test_a_proposal_waits_for_people_and_is_shown_to_them(
    pipeline: FlaskClient, api_keys: Keys, databases: Databases, jobs: JobList
) -> None:
    status, told = post(pipeline, api_keys.secret, ASKED)

    assert (status, told["state"], told["outcome"], told["reason"]) == (201, "awaiting_approval", "waiting", "CI 7")
    assert [event["what"] for event in told["history"]] == ["proposed"]
    assert sorted(jobs.names()) == ["announce", "show_card"]
    with databases.control.begin() as session:
        assert audit.entries(session)[0].what == "release.proposed"
        release, rollout = store.load_release(session, told["id"]), store.load_rollout(session, told["id"])
        assert release.proposed_by.startswith("key_")
        with pytest.raises(NotAllowedError):
            store.approve(session, release, rollout, by=release.proposed_by, subject=release.plan_hash, now=T0)


def test_the_same_proposal_again_is_the_one_that_is_there(pipeline: FlaskClient, api_keys: Keys, jobs: JobList) -> None:
    _, first = post(pipeline, api_keys.secret, ASKED)

    status, second = post(pipeline, api_keys.secret, ASKED)

    assert (status, second["id"]) == (200, first["id"])
    assert len(jobs.names()) == 2
    status, refused = post(pipeline, api_keys.secret, ASKED | {"to": "1,100"})
    assert status == 409
    _, mistaken = post(pipeline, api_keys.secret, ASKED | {"to": "25,5,100"})
    assert [problem["path"] for problem in mistaken["problems"]] == ["to", ""]
    assert refused["error"].startswith("R1 of kws is awaiting approval; one release of a model at a time:")


@pytest.mark.parametrize("reason", ["cut in an emoji \ud83d", "a\x00b"])
def test_a_reason_that_no_database_can_keep_is_a_mistake(pipeline: FlaskClient, api_keys: Keys, reason: str) -> None:
    status, told = post(pipeline, api_keys.secret, ASKED | {"reason": reason})

    assert (status, [problem["path"] for problem in told["problems"]]) == (422, ["reason"])


def test_a_dry_run_keeps_nothing(pipeline: FlaskClient, api_keys: Keys, jobs: JobList) -> None:
    status, told = post(pipeline, api_keys.secret, ASKED, "?dry_run=1")

    assert (status, told["plan"]) == (200, 'to=5,100 bake=1h guard="crash_rate<+0.2pt"')
    assert jobs.names() == []
    listed = pipeline.get("/v1/releases", headers={"Authorization": f"Bearer {api_keys.secret}"}).get_json()
    assert listed == {"releases": []}


@pytest.mark.parametrize(
    ("body", "paths"),
    [
        pytest.param(None, [""], id="nothing"),
        pytest.param([1], [""], id="a list"),
        pytest.param({}, ["model", "version"], id="an empty object"),
        pytest.param(ASKED | {"speed": "9"}, ["speed"], id="an unknown word"),
        pytest.param(ASKED | {"to": ["5"], "bake": True}, ["to", "bake"], id="values that nobody types"),
        pytest.param(ASKED | {"model": "No Such"}, ["model"], id="a model that cannot be"),
        pytest.param(ASKED | {"version": "9.9.9"}, ["model"], id="a version without a file"),
        pytest.param(ASKED | {"to": "25,5,100", "bake": "soon", "guard": "speed<+1%"},
                     ["to", "bake", "guard"], id="shares that fall, no bake, an unknown metric"),
        pytest.param(ASKED | {"to": "25,5,100", "version": "9.9.9", "versus": "9.9.8"}, ["to", "to", "model", "versus"],
                     id="shares that fall, versions without a file"),
        pytest.param(ASKED | {"reason": "x" * 2001}, ["reason"], id="a reason without end"),
    ],
)  # fmt: skip
def test_everything_that_is_wrong_is_told(
    pipeline: FlaskClient, api_keys: Keys, jobs: JobList, body: Any, paths: list[str]
) -> None:
    status, told = post(pipeline, api_keys.secret, body)

    assert (status, [problem["path"] for problem in told["problems"]]) == (422, paths)
    assert jobs.names() == []


def test_a_phones_key_proposes_nothing(pipeline: FlaskClient, api_keys: Keys) -> None:
    assert post(pipeline, api_keys.public, ASKED)[0] == 403


@pytest.mark.parametrize(
    ("state", "expected"),
    [
        ("draft", "waiting"), ("awaiting_approval", "waiting"), ("scheduled", "waiting"), ("progressing", "running"),
        ("paused", "stopped"), ("halted", "stopped"), ("completed", "done"), ("superseded", "done"),
        ("rolling_back", "failed"), ("rolled_back", "failed"), ("cancelled", "failed"), ("rejected", "failed"),
    ],
)  # fmt: skip
def test_every_state_is_an_outcome_for_whoever_waits(state: str, expected: str) -> None:
    assert outcome(a_rollout(State(state))) == expected


def test_a_pipeline_follows_its_release(pipeline: FlaskClient, api_keys: Keys, databases: Databases) -> None:
    _, told = post(pipeline, api_keys.secret, ASKED)
    with databases.control.begin() as session:
        rollout = do(session, store.load_rollout(session, told["id"]), Approve())
    assert rollout.state is State.SCHEDULED

    shown = pipeline.get(f"/v1/releases/{told['name']}", headers={"Authorization": f"Bearer {api_keys.secret}"})

    assert (shown.get_json()["state"], shown.get_json()["outcome"]) == ("scheduled", "waiting")
