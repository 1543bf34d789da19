"""Registering from Slack: files in a message, fetched with the bot's token, read in a child, shown with their needs."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import pytest

from bot.flows import slack_files
from bot.flows.registry import inspect_artifact
from core.db import reading
from core.settings import Settings
from optimize.fixtures import Fixture
from releases.artifact_store import find_artifacts
from releases.registry import companions_of
from releases.training import trained_until
from sandbox.world import World
from tests.bot.models_made import Bench
from tests.bot.releases_made import words
from tests.bot.workspace import DANA, FEEDBACK, PAM, Workspace, as_said

DIRECT = "D0DANA"


@pytest.fixture
def floor(workspace: Workspace) -> Workspace:
    """Dana is operator, by the bench."""
    Bench(ctx=workspace.ctx, jobs=workspace.jobs)
    return replace(workspace, others={"inspect_artifact": inspect_artifact})


def send(floor: Workspace, user: str, channel: str, text: str, files: dict[str, bytes]) -> str:
    assert floor.world.people.say(user, channel, text, files=files).ok
    floor.world.slack.courier.settle()
    floor.settle()
    return words(as_said(floor.last()))


def test_a_file_in_a_direct_message_is_registered_with_its_inputs_and_shown(floor: Workspace, tiny: Fixture) -> None:
    files = {"kws.onnx": tiny.model, "eval.npz": tiny.evaluation, "calib.npz": tiny.calibration}

    said = send(floor, DANA, DIRECT, "model register kws 1.4.0 variant=fp32", files)

    assert "*kws@1.4.0 (fp32)* is registered, from kws.onnx, eval.npz, calib.npz" in said
    with reading(floor.ctx.databases.control) as session:
        (artifact,) = find_artifacts(session, app="demo", model="kws")
        assert sorted(companions_of(session, app="demo", artifact=artifact.sha256)) == ["calib", "eval"]
    shown = words(as_said(floor.ask(PAM, "model show kws@1.4.0")))
    assert "Needs onnx, opset 17" in shown
    assert "`x` float32 batch×1×6×6 (NCHW)" in shown
    assert "To judge by: 400 inputs of 1×6×6 float32" in shown
    assert "Gemm ×2" in shown


def test_until_when_the_training_data_reach_is_told_with_the_files(floor: Workspace, tiny: Fixture) -> None:
    send(floor, DANA, DIRECT, "model register kws 1.4.0 trained=2026-10-01", {"kws.onnx": tiny.model})

    with reading(floor.ctx.databases.control) as session:
        told = trained_until(session, app="demo", model="kws", version="1.4.0")
    assert told == date(2026, 10, 1)


def test_a_mention_in_a_thread_registers_as_well(floor: Workspace, tiny: Fixture) -> None:
    said = send(floor, DANA, FEEDBACK, "@muster model register kws 1.4.0", {"kws.onnx": tiny.model})

    assert "is registered" in said
    assert floor.last().thread_ts is not None


@pytest.mark.parametrize(
    ("line", "files", "sentence"),
    [
        ("model register kws 1.4.0", {}, "send the model file"),
        ("model register kws 1.4.0", {"eval.npz": b"PK"}, "hold no model: eval.npz"),
        ("model register kws 1.4.0", {"a.onnx": b"1", "b.onnx": b"2"}, "hold 2 of the kind model"),
        ("model register kws 1.4.0", {"a.txt": b"no model"}, "model: is no ONNX file, or a damaged one"),
        ("model register kws 1.4.0", {"kws.onnx": b""}, "kws.onnx: is empty; attach the file again"),
        ("model register KWS one", {"a.onnx": b"1"}, "must be a version"),
        ("model register kws 1.4.0 trained=2030-01-01", {"a.onnx": b"1"}, "2030-01-01 is in the future"),
        ("model register kws 1.4.0", {f"{n}.py": b"1" for n in range(5)}, "are 5"),
    ],
)
def test_what_cannot_be_registered_is_answered_in_words(
    floor: Workspace, line: str, files: dict[str, bytes], sentence: str
) -> None:
    said = send(floor, DANA, DIRECT, line, files)

    assert sentence in said
    with reading(floor.ctx.databases.control) as session:
        assert find_artifacts(session, app="demo") == ()


def test_a_file_that_only_the_app_can_read_is_registered_when_that_is_said(floor: Workspace) -> None:
    said = send(floor, DANA, DIRECT, "model register kws 1.4.0 --unread", {"kws.ort": b"of the app's own making"})

    assert "*kws@1.4.0 (fp32)* is registered" in said


def test_inputs_that_cannot_be_read_keep_the_model_from_being_registered(floor: Workspace, tiny: Fixture) -> None:
    files = {"kws.onnx": tiny.model, "eval.npz": b"no inputs"}

    refused = send(floor, DANA, DIRECT, "model register kws 1.4.0", files)
    better = send(floor, DANA, DIRECT, "model register kws 1.4.0", files | {"eval.npz": tiny.evaluation})

    assert "eval: " in refused
    assert "*kws@1.4.0 (fp32)* is registered" in better


def test_who_has_no_role_registers_nothing(floor: Workspace, tiny: Fixture) -> None:
    assert "You may not register kws" in send(floor, PAM, "D0PAM", "model register kws 1.4.0", {"m.onnx": tiny.model})


def test_a_file_that_is_too_large_is_refused_before_it_is_fetched(floor: Workspace, tiny: Fixture) -> None:
    small = replace(floor.ctx, settings=replace(floor.ctx.settings, max_artifact_bytes=1024))
    floor = replace(floor, ctx=small)

    assert "is larger than the 1024 bytes" in send(
        floor, DANA, DIRECT, "model register kws 1.4.0", {"m.onnx": tiny.model}
    )  # fmt: skip


def test_without_the_scope_the_answer_says_which(floor: Workspace, world: World, tiny: Fixture) -> None:
    granted = tuple(scope for scope in world.slack.credentials.scopes if scope != "files:read")
    world.slack.credentials = replace(world.slack.credentials, scopes=granted)

    assert "files:read" in send(floor, DANA, DIRECT, "model register kws 1.4.0", {"m.onnx": tiny.model})


@pytest.mark.parametrize(
    ("url", "is_slacks"),
    [
        ("https://files.slack.com/files-pri/T1-F1/m.onnx", True),
        ("http://files.slack.com/x", False),
        ("https://slack.com.evil.example/x", False),
        ("https://evilslack.com/x", False),
        ("https://drive.example.com/x", False),
        ("file:///etc/passwd", False),
    ],
)
def test_our_token_goes_to_slack_alone(bot_settings: Settings, url: str, is_slacks: bool) -> None:
    settings = replace(bot_settings, slack_api_url="https://slack.com/api/")

    assert slack_files.is_slacks(settings.slack_api_url, url) is is_slacks


def test_a_dry_run_fetches_nothing(floor: Workspace, tiny: Fixture) -> None:
    said = send(floor, DANA, DIRECT, "model register kws 1.4.0 --dry-run", {"kws.onnx": tiny.model})

    assert "would be registered from kws.onnx" in said
    assert not floor.ctx.settings.blob_dir.exists()
