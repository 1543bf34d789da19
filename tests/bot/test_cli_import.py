"""`muster import` brings answers over from other tools: page by page, once, and on from where it was cut off."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner, Result
from werkzeug.serving import make_server

from bot.cli import main
from sandbox import zigpoll
from sandbox.zigpoll import KEY, Zigpoll
from tests.feedback.foreign import a_formbricks_response, a_mapping, a_zigpoll_row
from tests.feedback.sending import a_running_poll
from tests.serving import Served, Silent


@pytest.fixture
def served(served: Served) -> Served:
    with served.databases.control.begin() as session:
        a_running_poll(session)
    return served


@pytest.fixture
def theirs() -> Iterator[tuple[Zigpoll, str]]:
    """The pretended Zigpoll, and where it listens."""
    world = Zigpoll()
    server = make_server("127.0.0.1", 0, zigpoll.create_app(world), threaded=True, request_handler=Silent)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield world, f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


def a_file(folder: Path, source: str, survey: str) -> Path:
    path = folder / f"{source}.yaml"
    path.write_text(yaml.safe_dump({"source": source, "survey": survey, **a_mapping()}))
    return path


def muster(served: Served, *command: str | Path, **env: str) -> Result:
    told = {"MUSTER_SERVER": served.url, "MUSTER_API_KEY": served.secret, **env}
    return CliRunner().invoke(main, ["import", *map(str, command)], env=told)


def pull(served: Served, mapping: Path, url: str, *options: str, key: str = KEY) -> Result:
    return muster(served, "zigpoll", mapping, "--zigpoll-url", url, *options, MUSTER_ZIGPOLL_KEY=key)


def test_all_pages_of_zigpoll_are_stored_once(served: Served, theirs: tuple[Zigpoll, str], tmp_path: Path) -> None:
    world, url = theirs
    world.rows = [a_zigpoll_row(f"r{n}") for n in range(1100)]
    mapping = a_file(tmp_path, "zigpoll", "z1")
    assert muster(served, "connect", mapping).output == "zigpoll z1 leads to heard: 3 questions.\n"

    first, again = pull(served, mapping, url), pull(served, mapping, url, "--from-start")

    assert "1100 stored, 0 there already, 0 refused" in first.output
    assert "0 stored, 1100 there already" in again.output


def test_a_mapping_of_another_tool_is_not_pulled_from_zigpoll(
    served: Served, theirs: tuple[Zigpoll, str], tmp_path: Path
) -> None:
    mapping = a_file(tmp_path, "formbricks", "s1")

    assert f"{mapping}: source: is formbricks; this pulls from zigpoll" in pull(served, mapping, theirs[1]).output


def test_a_run_that_was_cut_off_goes_on_where_it_ended(
    served: Served, theirs: tuple[Zigpoll, str], tmp_path: Path
) -> None:
    world, url = theirs
    world.rows = [a_zigpoll_row(f"r{n}") for n in range(1100)]
    mapping = a_file(tmp_path, "zigpoll", "z1")
    muster(served, "connect", mapping)
    mapping.with_suffix(".cursor").write_text("1000\n")

    done = pull(served, mapping, url)

    assert (world.asked, "100 stored" in done.output) == (1, True)


def test_a_dry_run_leaves_nothing_behind(served: Served, theirs: tuple[Zigpoll, str], tmp_path: Path) -> None:
    world, url = theirs
    world.rows = [a_zigpoll_row("r1"), a_zigpoll_row("r2", answers=["eleven"])]
    mapping = a_file(tmp_path, "zigpoll", "z1")
    muster(served, "connect", mapping)

    done = pull(served, mapping, url, "--dry-run")

    assert "1 would be stored" in done.output
    assert "zigpoll:r2: answers[0].value must be 1 to 5" in done.output
    assert not mapping.with_suffix(".cursor").exists()
    assert "1 stored" in pull(served, mapping, url).output


def test_a_cursor_that_comes_again_ends_the_run(served: Served, theirs: tuple[Zigpoll, str], tmp_path: Path) -> None:
    world, url = theirs
    world.rows, world.stuck = [a_zigpoll_row(f"r{n}") for n in range(700)], True
    mapping = a_file(tmp_path, "zigpoll", "z1")
    muster(served, "connect", mapping)

    assert "700 stored" in pull(served, mapping, url).output
    assert world.asked == 2


def test_being_too_fast_for_zigpoll_is_waited_out(served: Served, theirs: tuple[Zigpoll, str], tmp_path: Path) -> None:
    world, url = theirs
    world.rows, world.too_fast = [a_zigpoll_row()], 2
    mapping = a_file(tmp_path, "zigpoll", "z1")
    muster(served, "connect", mapping)

    assert "1 stored" in pull(served, mapping, url).output


def test_a_wrong_key_is_named_and_not_shown(served: Served, theirs: tuple[Zigpoll, str], tmp_path: Path) -> None:
    mapping = a_file(tmp_path, "zigpoll", "z1")
    muster(served, "connect", mapping)

    done = pull(served, mapping, theirs[1], key="secret-of-somebody")

    assert done.exit_code == 1
    assert "zigpoll: refuses the key" in done.output
    assert "secret-of-somebody" not in done.output


def test_responses_in_a_file_are_taken_line_by_line(served: Served, tmp_path: Path) -> None:
    mapping = a_file(tmp_path, "formbricks", "fb1")
    muster(served, "connect", mapping)
    path = tmp_path / "responses.jsonl"
    path.write_text("\n".join(json.dumps(a_formbricks_response(f"f{n}")) for n in range(3)))

    first, again = muster(served, "file", mapping, path), muster(served, "file", mapping, path)

    assert "3 stored" in first.output
    assert "0 stored, 0 there already" in again.output


@pytest.mark.parametrize(
    ("content", "told"),
    [
        pytest.param('{"a": 1}\n{"b":', "line 2", id="a broken line"),
        pytest.param("3", "must hold an array", id="no array"),
        pytest.param(b"\xff\xfe\xfa", "neither JSON nor JSON lines", id="no text"),
    ],
)
def test_a_file_that_cannot_be_read_says_why(served: Served, tmp_path: Path, content: str | bytes, told: str) -> None:
    path = tmp_path / "bad.jsonl"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())

    done = muster(served, "file", a_file(tmp_path, "formbricks", "fb1"), path)

    assert done.exit_code == 2
    assert told in done.output


def test_every_mistake_of_a_mapping_file_is_a_line(served: Served, tmp_path: Path) -> None:
    path = tmp_path / "bad.yaml"
    path.write_text("source: zigpoll\nsurvey: z1\npol: x\npoll: heard\nquestions: {a: q_cast, b: q_textt, c: 3}\n")

    done = muster(served, "connect", path)

    assert done.output.count(f"muster: {path}: questions.") == 3
    assert f"muster: {path}: pol: is not known" in done.output


def test_formbricks_is_told_where_its_webhook_goes(served: Served, tmp_path: Path) -> None:
    secret = "whsec_" + "QUFB" * 10

    done = muster(served, "connect", a_file(tmp_path, "formbricks", "fb1"), MUSTER_IMPORT_SECRET=secret)

    assert f"Webhook: {served.url}/v1/imports/formbricks/fb1/webhook" in done.output
    assert secret not in done.output
