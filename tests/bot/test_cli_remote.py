"""`muster poll check` and `push`: what a pipeline reads when a file is wrong."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from bot.cli import main


def said(*command: str) -> str:
    done = CliRunner().invoke(main, [*command])
    assert done.exit_code == 2, done.output
    return done.output


@pytest.mark.parametrize(
    ("content", "told"),
    [
        pytest.param(b"id: p\nnam: x\n", "line 2: nam: unknown field; did you mean 'name'?", id="a mistake"),
        pytest.param(
            b"id: p\nname: P\n", "line 1: model: is missing: say which model the poll is about", id="no model"
        ),
        pytest.param(b"id: a\n\tname: b\n", "line 2: not YAML: found character '\\t'", id="no YAML"),
        pytest.param(b"\xff\xfe\x00", "is not UTF-8", id="no text"),
    ],
)
def test_a_poll_file_with_a_mistake_is_named_with_its_line(tmp_path: Path, content: bytes, told: str) -> None:
    file = tmp_path / "bad.yaml"
    file.write_bytes(content)

    assert f"muster: {file}: {told}" in said("poll", "check", str(file))


def test_a_poll_file_that_is_no_text_is_not_pushed(tmp_path: Path) -> None:
    file = tmp_path / "bad.yaml"
    file.write_bytes(b"\xff")

    assert f"muster: {file}: is not UTF-8" in said("poll", "push", str(file), "--key", "sk_x")


def test_without_a_key_the_setting_is_named() -> None:
    done = CliRunner().invoke(main, ["model", "list"], env={"MUSTER_API_KEY": None})

    assert done.exit_code == 2
    assert "MUSTER_API_KEY" in done.output


def test_the_facts_of_two_scenarios_do_not_go_into_one_file(tmp_path: Path) -> None:
    tour = "sandbox/scenarios/tour.yaml"

    done = CliRunner().invoke(main, ["sandbox", "run", tour, tour, "--json", str(tmp_path / "facts.json")])

    assert done.exit_code == 2
    assert "name one file" in done.output


def test_a_job_is_shown_by_its_name_alone() -> None:
    asked = ["job", "J7", "--server", "http://127.0.0.1:9", "--key", "sk_x"]

    done = CliRunner().invoke(main, asked)

    assert "Cannot reach http://127.0.0.1:9" in done.output
