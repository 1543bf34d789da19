"""The demo as people start it: real processes, real protocols, and nothing left behind."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

ROOT = Path(__file__).parents[2]
MUSTER = [sys.executable, "-c", "from bot.cli import main; main()"]

pytestmark = pytest.mark.slow


def start(*arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [*MUSTER, "demo", *arguments], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )


def wait_for(path: Path, process: subprocess.Popen[str], *, seconds: float) -> dict[str, Any]:
    deadline = time.monotonic() + seconds
    while not path.exists():
        assert process.poll() is None, process.communicate()[0]
        assert time.monotonic() < deadline, "the demo is not ready"
        time.sleep(0.1)
    facts: dict[str, Any] = json.loads(path.read_text())
    return facts


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> tuple[int, str, dict[str, Any]]:
    path = tmp_path_factory.mktemp("tour") / "facts.json"
    process = start("--once", "--json", str(path))
    out, _ = process.communicate(timeout=240)
    return process.returncode, out, json.loads(path.read_text()) if path.exists() else {}


def test_the_tour_holds_every_expectation(played: tuple[int, str, dict[str, Any]]) -> None:
    status, out, facts = played

    assert status == 0, out
    assert facts["failures"] == []
    assert "Every expectation held." in out


def test_every_answer_is_stored_exactly_once(played: tuple[int, str, dict[str, Any]]) -> None:
    answers = played[2]["answers"]

    assert answers["stored"] == answers["accepted"] > 1000
    assert answers["sent"] == answers["accepted"] + answers["duplicate"]
    assert answers["duplicate"] > 0


def test_the_release_was_stopped_before_everybody_had_it(played: tuple[int, str, dict[str, Any]]) -> None:
    states = [each["state"] for each in played[2]["release"]["states"]]

    assert states[0] == "awaiting_approval"
    assert states[-1] == "rolled_back"
    assert "completed" not in states
    moments = [each["at"] for each in played[2]["release"]["states"]]
    assert moments == sorted(moments)


def test_there_is_one_ticket_and_one_digest(played: tuple[int, str, dict[str, Any]]) -> None:
    facts = played[2]

    made = facts["optimize"]
    assert made["recipe"]
    assert made["size_x"] >= 2
    assert made["ratio_low"] <= made["ratio"] <= made["ratio_high"] < 1
    assert (made["accuracy_delta"] >= -0.01, made["verdict"]) == (True, "fits")
    assert len(facts["tickets"]) == 1
    assert len(facts["tickets"][0]["fingerprint"]) == 16
    assert (facts["digest"]["week"], facts["digest"]["posts"]) == ("2026-W47", 1)
    assert (facts["digest"]["confluence"]["pages"], facts["digest"]["mail"]["mails"]) == (1, 1)


def test_no_cohort_is_smaller_than_the_minimum_and_each_has_its_interval(
    played: tuple[int, str, dict[str, Any]],
) -> None:
    cohorts = played[2]["cohorts"]

    assert len(cohorts) > 5
    assert min(each["n"] for each in cohorts) >= 20
    for each in cohorts:
        assert each["low"] - 0.006 <= each["score"] <= each["high"] + 0.006


@pytest.fixture
def served(tmp_path: Path) -> Iterator[tuple[subprocess.Popen[str], dict[str, Any]]]:
    path = tmp_path / "facts.json"
    process = start("--serve", "--json", str(path))
    yield process, wait_for(path, process, seconds=90)
    if process.poll() is None:
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=30)


def test_an_outside_client_finds_everything_in_the_facts(
    served: tuple[subprocess.Popen[str], dict[str, Any]],
) -> None:
    _, facts = served
    web, public = facts["urls"]["web"], {"Authorization": f"Bearer {facts['keys']['public']}"}

    polls = requests.get(f"{web}/v1/polls", headers=public, timeout=10).json()["polls"]
    assert [poll["id"] for poll in polls] == [facts["poll"]]
    asked = {"context": {"targetingKey": "an-outside-install"}}
    flag = requests.post(f"{web}/ofrep/v1/evaluate/flags/{facts['flag']}", json=asked, headers=public, timeout=10)
    assert flag.json()["value"]["version"] == "1.3.2"
    told = requests.post(
        facts["urls"]["slack_api"] + "auth.test",
        headers={"Authorization": f"Bearer {facts['slack']['bot_token']}"},
        timeout=10,
    ).json()
    assert (told["ok"], told["team_id"]) == (True, facts["slack"]["team"])
    assert requests.get(facts["urls"]["jira"] + "/rest/api/3/serverInfo", timeout=10).status_code in (200, 401)
    assert requests.get(facts["urls"]["sandbox"], timeout=10).ok


def test_a_signal_ends_every_process(served: tuple[subprocess.Popen[str], dict[str, Any]]) -> None:
    process, facts = served
    children = subprocess.run(
        ["ps", "-o", "pid=", "--ppid", str(process.pid)], capture_output=True, text=True, check=True
    ).stdout.split()
    assert len(children) == 3

    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=30)

    assert process.returncode == 0
    for child in children:
        with pytest.raises(ProcessLookupError):
            os.kill(int(child), 0)
    with pytest.raises(requests.ConnectionError):
        requests.get(facts["urls"]["web"], timeout=2)
