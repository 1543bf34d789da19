"""What a pipeline reads of releases: where each one is, how it got there, and nothing of another app."""

from __future__ import annotations

import pytest
from flask.testing import FlaskClient

from core.db import Databases
from core.keys import create_key
from releases.plan import Release
from releases.store import add_event
from tests.builders import T0, at
from tests.releases.builders import register_both, start
from tests.releases.conftest import Keys


@pytest.fixture
def release(databases: Databases) -> Release:
    with databases.control.begin() as session:
        register_both(session)
        release, _ = start(session)
        for hours, state in ((0, "awaiting_approval"), (1, "scheduled"), (2, "progressing")):
            add_event(session, release.id, what="moved", who="U0DANA", now=at(hours), facts={"state": state})
    return release


def bearer(key: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {key}"}


def test_a_release_is_shown_with_every_state_it_was_in(pipeline: FlaskClient, release: Release, api_keys: Keys) -> None:
    told = pipeline.get("/v1/releases?model=kws", headers=bearer(api_keys.secret)).get_json()["releases"]

    assert len(told) == 1
    assert (told[0]["id"], told[0]["name"], told[0]["candidate"]) == (release.id, release.name, "1.4.0")
    assert (told[0]["state"], told[0]["percent"]) == ("progressing", 5.0)
    assert [(event["state"], event["at"]) for event in told[0]["history"]][-1] == ("progressing", at(2).isoformat())
    assert pipeline.get(f"/v1/releases/{release.name}", headers=bearer(api_keys.secret)).get_json() == told[0]


def test_only_releases_of_the_model_asked_for_are_listed(
    pipeline: FlaskClient, release: Release, api_keys: Keys
) -> None:
    assert release.model == "kws"

    assert pipeline.get("/v1/releases?model=scan", headers=bearer(api_keys.secret)).get_json() == {"releases": []}


@pytest.mark.parametrize("path", ["/v1/releases", "/v1/releases/R1"])
def test_a_public_key_reads_no_releases(pipeline: FlaskClient, api_keys: Keys, path: str) -> None:
    assert pipeline.get(path, headers=bearer(api_keys.public)).status_code == 403
    assert pipeline.get(path).status_code == 401


def test_a_release_of_another_app_is_not_there(pipeline: FlaskClient, release: Release, databases: Databases) -> None:
    with databases.control.begin() as session:
        _, other = create_key(session, app="other", scope="secret", name="test", now=T0)

    assert pipeline.get(f"/v1/releases/{release.name}", headers=bearer(other)).status_code == 404
    assert pipeline.get("/v1/releases", headers=bearer(other)).get_json() == {"releases": []}


def test_a_release_that_never_was_is_404(pipeline: FlaskClient, api_keys: Keys) -> None:
    assert pipeline.get("/v1/releases/R999", headers=bearer(api_keys.secret)).status_code == 404
