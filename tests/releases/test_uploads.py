"""Files in parts: they go on where they were cut off, arrive verified or not at all, and a registration names them."""

from __future__ import annotations

import fcntl
import http.client
import socket
import stat
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
import requests
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from core import audit
from core.clock import system_clock
from core.db import Databases
from core.settings import Settings
from releases.uploads import Uploads
from tests.conftest import JobList
from tests.releases.builders import digest_of
from tests.releases.conftest import Keys

MODEL = b"weights of kws 1.4.0, in two parts"
SHA = digest_of(MODEL.decode())
INPUTS = b"an npz with inputs"
INPUTS_SHA = digest_of(INPUTS.decode())


@pytest.fixture
def settings(settings: Settings) -> Settings:
    return replace(settings, max_artifact_bytes=1024)


def bearer(key: str, **more: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {key}", **more}


def part(client: FlaskClient, key: str, body: bytes, offset: int, *, last: bool, sha: str = SHA) -> TestResponse:
    told = {"Upload-Offset": str(offset), "Upload-Complete": f"?{int(last)}"}
    return client.patch(f"/v1/uploads/{sha}", data=body, headers=bearer(key, **told))


def stands(client: FlaskClient, key: str, sha: str = SHA) -> tuple[int, bool]:
    told = client.get(f"/v1/uploads/{sha}", headers=bearer(key)).get_json()
    return told["offset"], told["is_complete"]


def register(client: FlaskClient, key: str, **told: str) -> TestResponse:
    query = {"model": "kws", "version": "1.4.0"} | told
    return client.put(f"/v1/artifacts/{SHA}", query_string=query, headers=bearer(key))


def upload(client: FlaskClient, key: str, content: bytes) -> str:
    sha = digest_of(content.decode())
    assert part(client, key, content, 0, last=True, sha=sha).status_code == 200
    return sha


def test_a_file_in_two_parts_is_registered_without_being_sent_again(client: FlaskClient, api_keys: Keys) -> None:
    first = part(client, api_keys.secret, MODEL[:10], 0, last=False)
    between = stands(client, api_keys.secret)
    last = part(client, api_keys.secret, MODEL[10:], 10, last=True)

    reply = register(client, api_keys.secret)

    assert (first.headers["Upload-Offset"], first.headers["Upload-Complete"]) == ("10", "?0")
    assert between == (10, False)
    assert last.headers["Upload-Complete"] == "?1"
    assert stands(client, api_keys.secret) == (len(MODEL), True)
    assert (reply.status_code, reply.get_json()["size_bytes"]) == (201, len(MODEL))
    fetched = client.get(f"/v1/artifacts/{SHA}", headers=bearer(api_keys.public), buffered=True)
    assert fetched.data == MODEL
    fetched.close()


def test_a_file_that_a_restore_left_out_is_asked_for_again(
    client: FlaskClient, api_keys: Keys, settings: Settings
) -> None:
    upload(client, api_keys.secret, MODEL)
    register(client, api_keys.secret)
    for lost in _files(settings.blob_dir):
        lost.unlink()

    before = stands(client, api_keys.secret), register(client, api_keys.secret).status_code
    upload(client, api_keys.secret, MODEL)

    assert before == ((0, False), 422)
    assert stands(client, api_keys.secret) == (len(MODEL), True)
    assert register(client, api_keys.secret).status_code == 200
    fetched = client.get(f"/v1/artifacts/{SHA}", headers=bearer(api_keys.public), buffered=True)
    assert fetched.data == MODEL
    fetched.close()


def test_what_came_before_the_connection_broke_is_kept(live_url: str, client: FlaskClient, api_keys: Keys) -> None:
    host, _, port = live_url.removeprefix("http://").partition(":")
    head = (
        f"PATCH /v1/uploads/{SHA} HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {api_keys.secret}\r\n"
        f"Upload-Offset: 0\r\nUpload-Complete: ?1\r\nContent-Length: {len(MODEL)}\r\n\r\n"
    )
    with socket.create_connection((host, int(port)), timeout=10) as connection:
        connection.sendall(head.encode() + MODEL[:12])
        connection.shutdown(socket.SHUT_WR)
        answer = connection.recv(4000)

    rest = part(client, api_keys.secret, MODEL[12:], 12, last=True)

    assert b"400" in answer.splitlines()[0]
    assert (rest.status_code, stands(client, api_keys.secret)) == (200, (len(MODEL), True))


def test_a_part_for_another_place_is_told_where_to_go_on(client: FlaskClient, api_keys: Keys) -> None:
    part(client, api_keys.secret, MODEL[:10], 0, last=False)

    again = part(client, api_keys.secret, MODEL[:10], 0, last=False)
    beyond = part(client, api_keys.secret, MODEL[20:], 20, last=True)

    assert [(reply.status_code, reply.headers["Upload-Offset"]) for reply in (again, beyond)] == [(409, "10")] * 2
    assert stands(client, api_keys.secret) == (10, False)


def test_bytes_with_another_digest_are_thrown_away(client: FlaskClient, api_keys: Keys, settings: Settings) -> None:
    reply = part(client, api_keys.secret, MODEL + b"!", 0, last=True)

    assert (reply.status_code, reply.get_json()["problems"][0]["path"]) == (422, "sha256")
    assert stands(client, api_keys.secret) == (0, False)
    assert _files(settings.blob_dir) == []


def test_a_file_that_grows_too_large_is_refused(live_url: str, api_keys: Keys) -> None:
    connection = http.client.HTTPConnection(live_url.removeprefix("http://"), timeout=10)
    told = {"Upload-Offset": "0", "Upload-Complete": "?0"}
    chunks = iter([b"x" * 600, b"x" * 600])
    connection.request("PATCH", f"/v1/uploads/{SHA}", chunks, bearer(api_keys.secret, **told), encode_chunked=True)
    reply = connection.getresponse()

    assert (reply.status, b"at most 1024 bytes" in reply.read()) == (413, True)
    connection.close()
    announced = requests.patch(
        f"{live_url}/v1/uploads/{SHA}",
        data=b"",
        headers=bearer(api_keys.secret, **{"Upload-Offset": "5000"}),
        timeout=10,
    )
    assert announced.status_code == 413


def test_two_who_send_the_same_file_do_not_mix_their_bytes(
    client: FlaskClient, api_keys: Keys, settings: Settings
) -> None:
    part(client, api_keys.secret, MODEL[:10], 0, last=False)
    (draft,) = _files(settings.blob_dir)

    with draft.open("ab") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        refused = part(client, api_keys.secret, MODEL[10:], 10, last=True)
    after = part(client, api_keys.secret, MODEL[10:], 10, last=True)

    assert (refused.status_code, after.status_code) == (409, 200)


@pytest.mark.parametrize(
    ("sha", "offset", "complete", "paths"),
    [
        ("abc", "0", "?1", ["sha256"]),
        (SHA, "-1", "?1", ["Upload-Offset"]),
        ("..", "", "yes", ["sha256", "Upload-Offset", "Upload-Complete"]),
    ],
)
def test_every_mistake_of_a_part_is_told(
    client: FlaskClient, api_keys: Keys, sha: str, offset: str, complete: str, paths: list[str]
) -> None:
    told = bearer(api_keys.secret, **{"Upload-Offset": offset, "Upload-Complete": complete})

    reply = client.patch(f"/v1/uploads/{sha}", data=b"x", headers=told)

    assert reply.status_code == 422
    assert [problem["path"] for problem in reply.get_json()["problems"]] == paths


def test_only_a_secret_key_may_send_files_and_each_app_has_its_own(client: FlaskClient, api_keys: Keys) -> None:
    part(client, api_keys.secret, MODEL[:10], 0, last=False)

    assert part(client, api_keys.public, MODEL, 0, last=True).status_code == 403
    assert client.get(f"/v1/uploads/{SHA}").status_code == 401


def test_drafts_that_nobody_goes_on_with_are_forgotten(settings: Settings) -> None:
    uploads = Uploads(settings.blob_dir)
    uploads.append("demo", SHA, 0, [MODEL[:10]], max_bytes=100)

    kept = uploads.forget(system_clock() - timedelta(days=7))
    gone = uploads.forget(system_clock() + timedelta(days=7))

    assert (kept, gone, uploads.offset("demo", SHA)) == (0, 1, 0)


def test_the_folder_of_models_is_made_for_our_user_alone(tmp_path: Path) -> None:
    (tmp_path / "there").mkdir(mode=0o755)

    Uploads(tmp_path / "there" / "blobs").append("demo", SHA, 0, [MODEL[:10]], max_bytes=100)

    modes = [stat.S_IMODE(path.stat().st_mode) for path in (tmp_path / "there", tmp_path / "there" / "blobs")]
    assert modes == [0o755, 0o700]


def test_companions_must_have_been_sent(client: FlaskClient, api_keys: Keys) -> None:
    upload(client, api_keys.secret, MODEL)

    reply = register(client, api_keys.secret, eval=INPUTS_SHA, calib="0" * 64)

    assert reply.status_code == 422
    assert [problem["path"] for problem in reply.get_json()["problems"]] == ["eval", "calib"]
    assert client.get("/v1/models/kws", headers=bearer(api_keys.secret)).status_code == 404


def test_a_registration_keeps_its_companions_and_has_all_of_it_read(
    client: FlaskClient, api_keys: Keys, databases: Databases, jobs: JobList
) -> None:
    for content in (MODEL, INPUTS):
        upload(client, api_keys.secret, content)

    register(client, api_keys.secret, eval=INPUTS_SHA)
    register(client, api_keys.secret, eval=INPUTS_SHA)

    (shown,) = client.get("/v1/models/kws", headers=bearer(api_keys.secret)).get_json()["artifacts"]
    assert [(each["role"], each["sha256"]) for each in shown["companions"]] == [("eval", INPUTS_SHA)]
    assert (shown["needs"], shown["refused"], shown["made_from"]) == (None, None, None)
    assert jobs.names() == ["inspect_artifact"] * 2  # nothing was read yet: the first may have been lost
    with databases.control.begin() as session:
        assert [entry.what for entry in audit.entries(session)] == ["artifact.companions", "artifact.registered"]


def test_better_inputs_may_replace_those_of_an_artifact_that_itself_never_changes(
    client: FlaskClient, api_keys: Keys, jobs: JobList
) -> None:
    for content in (MODEL, INPUTS, b"better inputs"):
        upload(client, api_keys.secret, content)
    register(client, api_keys.secret, eval=INPUTS_SHA)

    reply = register(client, api_keys.secret, eval=digest_of("better inputs"))

    assert (reply.status_code, [each["sha256"] for each in reply.get_json()["companions"]]) == (
        200, [digest_of("better inputs")]
    )  # fmt: skip
    assert jobs.names() == ["inspect_artifact", "inspect_artifact"]


def _files(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]
