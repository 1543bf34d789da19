"""A fleet in which one chipset crashes, played over the wire: that cohort is halted, the rest gets the release."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

pytestmark = pytest.mark.slow


def test_one_chipset_is_halted_alone_and_everybody_else_gets_the_release(tmp_path: Path) -> None:
    path = tmp_path / "facts.json"
    line = ["sandbox", "run", "sandbox/scenarios/cohort_halt.yaml", "--json", str(path)]
    main = [sys.executable, "-c", "from bot.cli import main; main()"]

    done = subprocess.run([*main, *line], cwd=ROOT, capture_output=True, text=True, timeout=600, check=False)

    assert done.returncode == 0, done.stdout
    facts = json.loads(path.read_text())
    states = [each["state"] for each in facts["release"]["states"]]
    assert states[-1] == "completed"
    assert not {"halted", "rolling_back"} & set(states)
    assert len(facts["tickets"]) == 1
