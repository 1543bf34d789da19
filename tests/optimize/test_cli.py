"""`muster model check` and `optimize-local`, as CI calls them."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result

from optimize.cli import check, optimize_local
from optimize.fixtures import Fixture, npz
from tests.optimize.builders import a_pickle


@pytest.fixture
def files(tiny: Fixture, tmp_path: Path) -> Path:
    (tmp_path / "model.onnx").write_bytes(tiny.model)
    (tmp_path / "eval.npz").write_bytes(tiny.evaluation)
    (tmp_path / "calib.npz").write_bytes(tiny.calibration)
    return tmp_path


def checked(files: Path, *arguments: str) -> Result:
    return CliRunner().invoke(check, [str(files / "model.onnx"), "--eval", str(files / "eval.npz"), *arguments])


def test_a_model_that_fits_passes(files: Path) -> None:
    result = checked(files, "--budget", "size<1MB accuracy>95% latency<1s")

    assert result.exit_code == 0
    assert "fits: size" in result.output.splitlines()[-1]
    assert "parent" not in result.output


def test_a_model_that_does_not_fit_fails_with_the_reason(files: Path) -> None:
    result = checked(files, "--budget", "size<1KB accuracy>95%")

    assert result.exit_code == 1
    assert result.output.splitlines()[-1].startswith("breaks: size 8")


def test_a_variant_is_compared_with_what_it_shall_replace(files: Path, tiny: Fixture) -> None:
    (files / "old.onnx").write_bytes(tiny.model)

    result = checked(files, "--budget", "size<-50% accuracy>-2pt", "--against", str(files / "old.onnx"), "--json")

    facts = json.loads(result.output)
    assert result.exit_code == 1
    assert facts["card"]["verdict"] == "breaks"
    assert facts["card"]["evidence"]["device"]["flips"] == 0
    assert facts["card"]["evidence"]["ratio"]["high"] >= 1


def test_every_mistake_is_told_and_nothing_runs(files: Path) -> None:
    (files / "model.onnx").write_bytes(a_pickle())

    result = checked(files, "--budget", "size<-50% accuracy>-1pt")

    assert result.exit_code == 2
    assert result.output.splitlines() == [
        "muster: model: is a Python pickle, which can run code when opened; export the model to ONNX",
        "muster: budget: size<-50% compares with another file; give it with --against",
        "muster: budget: accuracy>-1pt compares with another file; give it with --against",
    ]


def test_labels_that_the_model_does_not_know_are_refused_and_nothing_runs(files: Path) -> None:
    (files / "eval.npz").write_bytes(npz(x=np.zeros((9, 1, 6, 6), np.float32), y=np.full(9, 7)))

    result = checked(files, "--budget", "accuracy>95%")

    assert (result.exit_code, result.output) == (2, "muster: y: holds the label 7; the model knows 0 to 4\n")


def test_a_place_where_nothing_can_be_written_is_refused_before_any_work(files: Path) -> None:
    out = files / "not made" / "x.onnx"

    result = CliRunner().invoke(optimize_local, [str(files / "model.onnx"), "--out", str(out)])

    assert result.exit_code == 2
    assert f"{out.parent} is no folder that can be written" in " ".join(result.output.split())
    assert "1/" not in result.output


def test_optimize_local_writes_the_variant_and_says_what_it_did(files: Path, tiny: Fixture) -> None:
    out = files / "small.onnx"
    arguments = [str(files / "model.onnx"), "--eval", str(files / "eval.npz"), "--calib", str(files / "calib.npz")]

    result = CliRunner().invoke(
        optimize_local, [*arguments, "--recipe", "int8-weights", "--budget", "size<-40%", "--out", str(out)]
    )

    assert result.exit_code == 0, result.output
    assert out.stat().st_size < 0.6 * len(tiny.model)
    assert "fits:" in result.output.splitlines()[-1]


def test_a_recipe_with_a_mistake_is_answered_with_a_guess(files: Path) -> None:
    result = CliRunner().invoke(optimize_local, [str(files / "model.onnx"), "--recipe", "int8-dynamik"])

    assert result.exit_code == 2
    assert "did you mean int8-dynamic?" in result.output
