"""`muster model register` over the wire: in parts, on from where it was cut off, and what was read is told."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import requests
from click.testing import CliRunner, Result
from werkzeug.serving import BaseWSGIServer, make_server

from bot import cli_upload
from bot.cli import main
from bot.cli_upload import put, send
from bot.flows.registry import inspect_artifact
from core.errors import AppError, InvalidInputError
from optimize.fixtures import Fixture
from tests.conftest import JobList
from tests.optimize.builders import a_pickle
from tests.serving import Served, Silent

STATED = {"model": "kws", "version": "1.4.0", "variant": "fp32"}
BASELINE = STATED | {"baseline": "1"}
RUBBISH = b"rubbish, and no model at all"


@pytest.fixture
def folder(tmp_path: Path, tiny: Fixture) -> Path:
    folder = tmp_path / "models"
    folder.mkdir()
    (folder / "kws.onnx").write_bytes(tiny.model)
    (folder / "eval.npz").write_bytes(tiny.evaluation)
    return folder


def test_a_file_goes_on_where_the_server_died_and_came_back(served: Served, folder: Path, tiny: Fixture) -> None:
    """The server goes down after two parts; while the client waits, another one starts on the same folder."""
    parts: list[int] = []
    servers: list[BaseWSGIServer] = []

    def dying(environ: dict[str, Any], start: Any) -> Any:
        if environ["REQUEST_METHOD"] == "PATCH":
            parts.append(int(environ["HTTP_UPLOAD_OFFSET"]))
            if len(parts) == 3:
                threading.Thread(target=server.shutdown).start()
                raise ConnectionError("died")
        return served.app(environ, start)

    server = make_server("127.0.0.1", 0, dying, request_handler=Silent)
    port = server.server_port
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()

    def waits(_seconds: float) -> None:
        thread.join()
        server.server_close()
        if not servers:
            servers.append(make_server("127.0.0.1", port, served.app, request_handler=Silent))
            threading.Thread(target=servers[0].serve_forever, daemon=True).start()

    digest = send(f"http://127.0.0.1:{port}", served.secret, folder / "kws.onnx", part_bytes=4000, wait=waits)

    servers[0].shutdown()
    servers[0].server_close()
    stored = requests.get(
        f"{served.url}/v1/uploads/{digest}", headers={"Authorization": f"Bearer {served.secret}"}, timeout=10
    )
    assert stored.json() == {"sha256": digest, "offset": len(tiny.model), "is_complete": True}
    assert parts == [0, 4000, 8000]


def test_what_was_sent_by_a_client_that_was_killed_is_not_sent_again(
    served: Served, folder: Path, tiny: Fixture
) -> None:
    """The killed one is a part that was sent by hand; the next client begins behind it."""
    digest = hashlib.sha256(tiny.model).hexdigest()
    headers = {"Authorization": f"Bearer {served.secret}", "Upload-Offset": "0"}
    sent = requests.patch(f"{served.url}/v1/uploads/{digest}", data=tiny.model[:5000], headers=headers, timeout=10)
    assert sent.json()["offset"] == 5000
    came: list[int] = []

    def counting(environ: dict[str, Any], start: Any) -> Any:
        if environ["REQUEST_METHOD"] == "PATCH":
            came.append(int(environ["CONTENT_LENGTH"]))
        return served.app(environ, start)

    server = make_server("127.0.0.1", 0, counting, request_handler=Silent)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    send(f"http://127.0.0.1:{server.server_port}", served.secret, folder / "kws.onnx")
    server.shutdown()
    server.server_close()

    assert came == [len(tiny.model) - 5000]


def test_a_server_that_never_answers_is_given_up_on_in_words(folder: Path) -> None:
    waited: list[float] = []

    with pytest.raises(AppError, match="Cannot reach"):
        send("http://127.0.0.1:9", "sk_x", folder / "kws.onnx", wait=waited.append)

    assert len(waited) == cli_upload.TRIES - 1
    assert waited == sorted(waited)


def test_registering_tells_what_was_read_from_the_files(
    served: Served, folder: Path, jobs: JobList, capsys: pytest.CaptureFixture[str]
) -> None:
    put(
        served.url, served.secret, folder / "kws.onnx", STATED, {"eval": folder / "eval.npz"}, wait=_reads(served, jobs)
    )  # fmt: skip

    told = capsys.readouterr().out
    for words in (
        "kws@1.4.0 fp32",
        "opset 17",
        "takes x float32 batch×1×6×6",
        "eval: 400 inputs of 1×6×6",
        "5 classes",
    ):
        assert words in told


def test_inputs_that_are_refused_fail_the_pipeline_with_the_reason(served: Served, folder: Path, jobs: JobList) -> None:
    (folder / "eval.npz").write_bytes(a_pickle())

    with pytest.raises(AppError, match="eval: is a Python pickle"):
        put(
            served.url, served.secret, folder / "kws.onnx", STATED, {"eval": folder / "eval.npz"},
            wait=_reads(served, jobs),
        )  # fmt: skip


def test_a_model_that_nothing_here_can_read_fails_the_pipeline_with_the_reason(
    served: Served, folder: Path, jobs: JobList, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "kws.onnx").write_bytes(RUBBISH)
    reads = _reads(served, jobs)

    with pytest.raises(InvalidInputError, match=r"model: is no ONNX file, or a damaged one.*--unread"):
        put(served.url, served.secret, folder / "kws.onnx", BASELINE, {}, wait=reads)
    refused, offered = capsys.readouterr().out, _offered(served)
    put(served.url, served.secret, folder / "kws.onnx", BASELINE | {"unread": "1"}, {}, wait=reads)

    assert ("kws@1.4.0" in refused, offered) == (False, None)
    assert "it cannot be optimized here: it is no ONNX file" in capsys.readouterr().out
    assert _offered(served) == "1.4.0"


def test_what_was_refused_takes_no_name_and_no_place(
    served: Served, folder: Path, jobs: JobList, tiny: Fixture
) -> None:
    (folder / "kws.onnx").write_bytes(RUBBISH)
    with pytest.raises(InvalidInputError):
        put(served.url, served.secret, folder / "kws.onnx", BASELINE, {}, wait=_reads(served, jobs))
    (folder / "kws.onnx").write_bytes(tiny.model)

    put(served.url, served.secret, folder / "kws.onnx", BASELINE, {}, wait=_reads(served, jobs))

    assert _offered(served) == "1.4.0"
    assert len(_model(served)["artifacts"]) == 1


def test_a_model_beside_inputs_that_were_refused_may_come_again_under_another_name(
    served: Served, folder: Path, jobs: JobList, tiny: Fixture
) -> None:
    (folder / "eval.npz").write_bytes(a_pickle())
    for _ in range(2):
        with pytest.raises(InvalidInputError, match="eval: is a Python pickle"):
            put(
                served.url, served.secret, folder / "kws.onnx", BASELINE, {"eval": folder / "eval.npz"},
                wait=_reads(served, jobs),
            )  # fmt: skip
    offered = _offered(served)

    put(served.url, served.secret, folder / "kws.onnx", BASELINE | {"version": "1.5.0"}, {}, wait=_reads(served, jobs))

    assert (offered, _offered(served)) == (None, "1.5.0")
    assert [each["version"] for each in _model(served)["artifacts"]] == ["1.5.0"]


def test_better_inputs_make_a_model_the_baseline(served: Served, folder: Path, jobs: JobList, tiny: Fixture) -> None:
    (folder / "eval.npz").write_bytes(a_pickle())
    beside = {"eval": folder / "eval.npz"}
    with pytest.raises(InvalidInputError):
        put(served.url, served.secret, folder / "kws.onnx", BASELINE, beside, wait=_reads(served, jobs))
    (folder / "eval.npz").write_bytes(tiny.evaluation)

    put(served.url, served.secret, folder / "kws.onnx", BASELINE, beside, wait=_reads(served, jobs))

    assert _offered(served) == "1.4.0"


def test_an_empty_file_is_refused(served: Served, folder: Path) -> None:
    (folder / "kws.onnx").write_bytes(b"")

    done = _register(served, folder)

    assert done.exit_code == 2
    assert "is empty" in done.output


def _register(served: Served, folder: Path, *more: str) -> Result:
    options = ["--server", served.url, "--key", served.secret, *more]
    return CliRunner().invoke(main, ["model", "register", "kws", "1.4.0", str(folder / "kws.onnx"), *options])


def _model(served: Served) -> dict[str, Any]:
    headers = {"Authorization": f"Bearer {served.secret}"}
    told: dict[str, Any] = requests.get(f"{served.url}/v1/models/kws", headers=headers, timeout=10).json()
    return told


def _offered(served: Served) -> str | None:
    """Return what phones run."""
    found: str | None = _model(served)["baseline"]
    return found


def _reads(served: Served, jobs: JobList) -> Callable[[float], None]:
    """A worker reads the files while the command waits for that."""
    return lambda _seconds: jobs.run(served.ctx, {"inspect_artifact": inspect_artifact})
