"""The GitHub workflow of docs/rollouts.md, command by command in bash, against the served application."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import requests
import yaml

from core.db import Databases
from releases import store
from releases.rollout import Advance, Approve, Complete, Reject
from tests.optimize.builders import tiny_fixture
from tests.releases.builders import digest_of, do
from tests.serving import Served

PAGE = Path(__file__).parents[2] / "docs" / "rollouts.md"
BIN = Path(sys.executable).parent


def workflow() -> dict[Any, Any]:
    (found,) = re.findall(r"```yaml\n# \.github/workflows.*?\n(.*?)```", PAGE.read_text(), re.DOTALL)
    read: dict[Any, Any] = yaml.safe_load(found)
    return read


def commands(job: str) -> list[str]:
    return [step["run"] for step in workflow()["jobs"][job]["steps"] if step.get("run", "").startswith("muster ")]


@pytest.fixture
def served(served: Served) -> Served:
    """There is a model that phones run."""
    requests.put(
        f"{served.url}/v1/artifacts/{digest_of('old')}", data=b"old",
        params={"model": "kws", "version": "1.3.2", "baseline": "1", "unread": "1"},
        headers={"Authorization": f"Bearer {served.secret}"}, timeout=30,
    ).raise_for_status()  # fmt: skip
    return served


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    tiny = tiny_fixture()
    (tmp_path / "kws.onnx").write_bytes(tiny.model)
    (tmp_path / "eval.npz").write_bytes(tiny.evaluation)
    return tmp_path


def bash(line: str, folder: Path, served: Served) -> subprocess.CompletedProcess[str]:
    env = {
        **os.environ, "PATH": f"{BIN}:{os.environ['PATH']}", "MUSTER_SERVER": served.url,
        "MUSTER_API_KEY": served.secret, "GITHUB_REF_NAME": "kws-1.4.0", "KWS_VERSION": "1.4.0",
        "GITHUB_STEP_SUMMARY": str(folder / "summary.md"),
    }  # fmt: skip
    return subprocess.run(
        ["bash", "-eo", "pipefail", "-c", line], cwd=folder, env=env, capture_output=True, text=True, timeout=120
    )


def people_let_it_through(databases: Databases) -> None:
    with databases.control.begin() as session:
        rollout = store.load_rollout(session, store.load_release(session, "R1").id)
        steps = [Advance(stage=stage, reason="on") for stage in range(3)]
        do(session, rollout, Approve(), *steps, Complete(reason="baked"))


@pytest.mark.slow
def test_the_workflow_of_the_page_ships_a_model(served: Served, folder: Path) -> None:
    *before, wait = commands("propose")

    for line in before:
        ran = bash(line, folder, served)
        assert ran.returncode == 0, (line, ran.stdout, ran.stderr)
    people_let_it_through(served.databases)
    ended = bash(wait, folder, served)

    assert ended.returncode == 0, ended.stderr
    assert "completed at 100 %" in ended.stdout
    assert "smallest visible: crash_rate" in (folder / "summary.md").read_text()
    assert "R1  kws 1.3.2 → 1.4.0" in ran.stdout


@pytest.mark.slow
def test_the_morning_look_passes_while_a_release_is_on_its_way_and_fails_when_it_failed(
    served: Served, folder: Path
) -> None:
    (look,) = commands("look")
    *before, _wait = commands("propose")
    assert bash(look, folder, served).returncode == 1
    for line in before[1:]:
        assert bash(line, folder, served).returncode == 0

    assert bash(look, folder, served).returncode == 0
    with served.databases.control.begin() as session:
        do(session, store.load_rollout(session, store.load_release(session, "R1").id), Reject(reason="not now"))
    assert bash(look, folder, served).returncode == 1


def test_the_workflow_triggers_jobs_that_exist() -> None:
    read = workflow()

    assert set(read["jobs"]) == {"propose", "look"}
    assert read[True]["push"] == {"tags": ["kws-*"]}  # YAML 1.1 reads `on` as true
