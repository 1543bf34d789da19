from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from bot.cli_localise import localise


@pytest.fixture
def case(tmp_path: Path) -> Path:
    rng = np.random.default_rng(0)
    lines = ["soc,accelerator,os,harms,exposures,expected"]
    for soc in ("A16", "Tensor G2", "Kirin", "G35"):
        for accelerator in ("nnapi", "gpu", "cpu"):
            for version in ("12", "13", "14"):
                bad = soc == "Tensor G2" and accelerator == "nnapi"
                lines.append(f"{soc},{accelerator},{version},{rng.binomial(2000, 0.08 if bad else 0.02)},2000,40")
    path = tmp_path / "case.csv"
    path.write_text("\n".join(lines))
    return path


def test_the_cause_is_shown_first_with_its_numbers(case: Path) -> None:
    shown = CliRunner().invoke(localise, [str(case)])

    assert shown.exit_code == 0
    assert "accelerator=nnapi" in shown.output.splitlines()[2]
    assert 'soc="Tensor G2"' in shown.output.splitlines()[2]


def test_json_ranks_at_least_five_explanations_of_each_case(case: Path) -> None:
    shown = CliRunner().invoke(localise, [str(case), str(case), "--json"])
    told = json.loads(shown.stdout)["cases"]

    assert [each["file"] for each in told] == [str(case)] * 2
    assert told[0]["causes"] == ['soc="Tensor G2" and accelerator=nnapi']
    assert [each["rank"] for each in told[0]["explanations"]] == list(range(1, len(told[0]["explanations"]) + 1))
    assert len(told[0]["explanations"]) >= 5
    assert told[0]["explanations"][0]["conditions"] == {"soc": "Tensor G2", "accelerator": "nnapi"}


def test_a_bad_file_is_told_with_its_lines_and_the_others_are_still_judged(case: Path, tmp_path: Path) -> None:
    bad = tmp_path / "bad.csv"
    bad.write_text("soc,harms,expected\nA16,x,1\nA16,1,y\n")

    shown = CliRunner().invoke(localise, [str(bad), str(tmp_path / "none.csv"), str(case)])

    assert shown.exit_code == 2
    assert f"{bad}: line 2: harms: must be a number, is 'x'" in shown.stderr
    assert f"{bad}: line 3: expected: must be a number, is 'y'" in shown.stderr
    assert "none.csv: cannot be read" in shown.stderr
    assert "cause" in shown.stdout


def test_a_table_in_which_nothing_is_wrong_says_so(tmp_path: Path) -> None:
    calm = tmp_path / "calm.csv"
    calm.write_text("soc,harms,expected\n" + "".join(f"s{n},20,20\n" for n in range(9)))

    assert "nothing beyond chance" in CliRunner().invoke(localise, [str(calm)]).output
