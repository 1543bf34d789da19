"""Model files in and out over HTTP: verified, once, by the right key, and never again after a rollback."""

from __future__ import annotations

import http.client
from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest
import requests
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from core import audit
from core.db import Databases
from core.settings import Settings
from releases import registry, training
from releases.rollout import Kill
from tests.builders import T0
from tests.releases.builders import an_artifact, digest_of, do, queries, start
from tests.releases.conftest import Keys

MODEL = b"weights of 1.4.0"
SHA = digest_of(MODEL.decode())
PATH = f"/v1/artifacts/{SHA}"


@pytest.fixture
def settings(settings: Settings) -> Settings:
    return replace(settings, max_artifact_bytes=1024)


def put(client: FlaskClient, key: str, body: bytes = MODEL, *, sha: str = SHA, **told: str) -> TestResponse:
    query = {"model": "kws", "version": "1.4.0", "variant": "int8"} | told
    return client.put(f"/v1/artifacts/{sha}", data=body, query_string=query, headers=bearer(key))


def fetch(client: FlaskClient, key: str, **headers: str) -> TestResponse:
    """Read the file and close it, as a server does after each reply."""
    reply = client.get(PATH, headers=bearer(key) | headers, buffered=True)
    reply.close()
    return reply


def bearer(key: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {key}"}


def test_a_registered_file_can_be_fetched_by_phones(client: FlaskClient, api_keys: Keys, databases: Databases) -> None:
    reply = put(client, api_keys.secret, min_ram_gb="2", accelerators="nnapi")

    assert reply.status_code == 201
    told = reply.get_json()
    assert (told["sha256"], told["size_bytes"], told["min_ram_gb"]) == (SHA, len(MODEL), 2.0)
    assert told["accelerators"] == ["nnapi"]
    fetched = fetch(client, api_keys.public)
    assert (fetched.status_code, fetched.data) == (200, MODEL)
    assert fetched.headers["ETag"] == f'"{SHA}"'
    assert "immutable" in fetched.headers["Cache-Control"]
    with databases.control.begin() as session:
        assert [entry.what for entry in audit.entries(session)] == ["artifact.registered"]


def test_registering_the_same_file_again_changes_nothing(
    client: FlaskClient, api_keys: Keys, databases: Databases
) -> None:
    replies = [put(client, api_keys.secret) for _ in range(3)]

    assert [reply.status_code for reply in replies] == [201, 200, 200]
    assert replies[0].get_json() == replies[2].get_json()
    with databases.control.begin() as session:
        assert len(audit.entries(session)) == 1


def test_a_broken_download_goes_on_where_it_stopped(client: FlaskClient, api_keys: Keys) -> None:
    put(client, api_keys.secret)

    rest = fetch(client, api_keys.public, Range="bytes=8-")
    known = fetch(client, api_keys.public, **{"If-None-Match": f'"{SHA}"'})

    assert (rest.status_code, rest.data) == (206, MODEL[8:])
    assert known.status_code == 304


@pytest.mark.parametrize("asked", ["lines=1-2", "bytes=x", "bytes=", "bytes=0-1,4-5", "-"])
def test_a_range_that_is_not_one_of_bytes_is_ignored(client: FlaskClient, api_keys: Keys, asked: str) -> None:
    put(client, api_keys.secret)

    whole = fetch(client, api_keys.public, Range=asked)

    assert (whole.status_code, whole.data) == (200, MODEL)


def test_a_range_behind_the_end_is_told_as_one(client: FlaskClient, api_keys: Keys) -> None:
    put(client, api_keys.secret)
    assert fetch(client, api_keys.public, Range="bytes=99-").status_code == 416


def test_bytes_that_do_not_fit_their_digest_are_refused(client: FlaskClient, api_keys: Keys) -> None:
    reply = put(client, api_keys.secret, MODEL + b"!")

    assert reply.status_code == 422
    assert reply.get_json()["problems"][0]["path"] == "sha256"
    assert fetch(client, api_keys.secret).status_code == 404


def test_all_mistakes_of_a_registration_come_back_at_once(client: FlaskClient, api_keys: Keys) -> None:
    reply = put(client, api_keys.secret, sha="abc", model="K W", version="x", min_ram_gb="-1", colour="red")

    assert reply.status_code == 422
    assert [problem["path"] for problem in reply.get_json()["problems"]] == [
        "colour", "sha256", "model", "version", "min_ram_gb"
    ]  # fmt: skip


def test_a_version_and_variant_name_one_file_for_good(client: FlaskClient, api_keys: Keys) -> None:
    put(client, api_keys.secret)

    other_bytes = put(client, api_keys.secret, b"other weights", sha=digest_of("other weights"))
    other_name = put(client, api_keys.secret, version="1.5.0")

    assert (other_bytes.status_code, other_name.status_code) == (409, 409)
    assert "use a new version or variant" in other_bytes.get_json()["error"]


def test_only_a_release_replaces_a_baseline(client: FlaskClient, api_keys: Keys) -> None:
    put(client, api_keys.secret, b"old", sha=digest_of("old"), version="1.3.2", baseline="1", unread="1")

    reply = put(client, api_keys.secret, baseline="1")

    assert (reply.status_code, reply.get_json()["error"]) == (
        409, "kws has the baseline 1.3.2; only a release can replace it."
    )  # fmt: skip


def test_a_public_key_registers_nothing_and_lists_nothing(client: FlaskClient, api_keys: Keys) -> None:
    assert put(client, api_keys.public).status_code == 403
    assert client.get("/v1/models", headers=bearer(api_keys.public)).status_code == 403
    assert client.get("/v1/models").status_code == 401
    assert client.get(PATH).status_code == 401


def test_every_mistake_of_a_registration_is_told_with_the_day_of_its_data(client: FlaskClient, api_keys: Keys) -> None:
    wrong = {"trained": "2090-01-01", "min_os": "banana", "baseline": "maybe", "color": "red"}

    reply = put(client, api_keys.secret, MODEL, **wrong)

    told = {problem["path"]: problem["message"] for problem in reply.get_json()["problems"]}
    assert set(told) == set(wrong)
    assert all(name in told["color"] for name in ("trained", "eval", "calib", "train_script", "unread"))


def test_another_apps_key_does_not_fetch_our_file(client: FlaskClient, api_keys: Keys) -> None:
    put(client, api_keys.secret)

    assert fetch(client, api_keys.elsewhere).status_code == 404


@pytest.mark.parametrize("name", ["abc", "..%2F..%2Fcontrol.db", "0" * 64])
def test_what_was_never_registered_is_not_found(client: FlaskClient, api_keys: Keys, name: str) -> None:
    assert client.get(f"/v1/artifacts/{name}", headers=bearer(api_keys.public)).status_code == 404


def test_models_are_listed_with_their_baseline_files_and_open_release(
    client: FlaskClient, api_keys: Keys, databases: Databases
) -> None:
    put(client, api_keys.secret, b"old", sha=digest_of("old"), version="1.3.2", baseline="1", unread="1")
    put(client, api_keys.secret)
    with databases.control.begin() as session:
        start(session)

    listed = client.get("/v1/models", headers=bearer(api_keys.secret)).get_json()["models"]
    shown = client.get("/v1/models/kws", headers=bearer(api_keys.secret)).get_json()

    assert listed == [shown]
    assert (shown["model"], shown["baseline"]) == ("kws", "1.3.2")
    assert [artifact["version"] for artifact in shown["artifacts"]] == ["1.3.2", "1.4.0"]
    assert [(each["name"], each["state"], each["percent"]) for each in shown["releases"]] == [("R1", "progressing", 5)]
    assert client.get("/v1/models/ocr", headers=bearer(api_keys.secret)).status_code == 404


def test_phones_are_not_served_a_file_that_was_rolled_back(
    client: FlaskClient, api_keys: Keys, databases: Databases
) -> None:
    put(client, api_keys.secret, b"old", sha=digest_of("old"), version="1.3.2", baseline="1", unread="1")
    put(client, api_keys.secret)
    with databases.control.begin() as session:
        _, rollout = start(session)
        do(session, rollout, Kill(reason="on fire"))

    gone = fetch(client, api_keys.public)

    assert (gone.status_code, "rolled back" in gone.get_json()["error"]) == (410, True)
    assert fetch(client, api_keys.secret).status_code == 200


def test_a_file_in_chunks_of_unknown_length_is_taken(live_url: str, api_keys: Keys) -> None:
    def chunks() -> Iterator[bytes]:
        yield MODEL[:4]
        yield MODEL[4:]

    query = {"model": "kws", "version": "1.4.0"}
    reply = requests.put(live_url + PATH, params=query, data=chunks(), headers=bearer(api_keys.secret), timeout=10)

    assert (reply.status_code, reply.json()["size_bytes"]) == (201, len(MODEL))


@pytest.mark.parametrize("told", [True, False], ids=["announced", "found out on the way"])
def test_a_file_that_is_too_large_is_refused_and_leaves_nothing(
    live_url: str, api_keys: Keys, settings: Settings, told: bool
) -> None:
    body = b"x" * 2000
    address = live_url.removeprefix("http://")
    connection = http.client.HTTPConnection(address, timeout=10)
    path = f"/v1/artifacts/{digest_of(body.decode())}?model=kws&version=1.4.0"
    data = body if told else iter([body[:1000], body[1000:]])
    connection.request("PUT", path, body=data, headers=bearer(api_keys.secret), encode_chunked=not told)
    reply = connection.getresponse()
    words = reply.read().decode()
    connection.close()

    assert (reply.status, "at most 1024 bytes" in words) == (413, True)
    assert _files(settings.blob_dir) == []


def _files(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


def test_more_files_of_a_model_cost_no_more_queries(client: FlaskClient, api_keys: Keys, databases: Databases) -> None:
    asked: list[int] = []
    for version in ("1.3.0", "1.3.1", "1.3.2"):
        with databases.control.begin() as session:
            artifact = an_artifact(version)
            registry.register(session, artifact, app="demo", by="key_1", now=T0, companions={})
        with queries(databases) as said:
            client.get("/v1/models", headers=bearer(api_keys.secret))
        asked.append(len(said))

    assert len(set(asked[1:])) == 1


def test_what_a_version_was_trained_on_is_noted_when_it_is_registered(
    client: FlaskClient, api_keys: Keys, databases: Databases
) -> None:
    replies = [
        put(client, api_keys.secret, trained=day).status_code for day in ("2026-06-01", "2026-06-01", "2026-07-01")
    ]

    assert replies == [201, 200, 200]
    with databases.control.begin() as session:
        assert training.trained_until(session, app="demo", model="kws", version="1.4.0") == date(2026, 7, 1)
        told = [entry for entry in audit.entries(session) if entry.what == "model.trained"]
    assert sorted(str(entry.facts["until"]) for entry in told) == ["2026-06-01", "2026-07-01"]


@pytest.mark.parametrize("day", ["last week", "2026-13-01", "2999-01-01"])
def test_a_day_of_training_that_cannot_be_is_refused_and_nothing_is_registered(
    client: FlaskClient, api_keys: Keys, day: str
) -> None:
    reply = put(client, api_keys.secret, trained=day)

    assert reply.status_code == 422
    assert [problem["path"] for problem in reply.get_json()["problems"]] == ["trained"]
    assert fetch(client, api_keys.public).status_code == 404
