"""The corpus of hostile files: each is refused in one sentence, the parent is unharmed and nothing is left behind."""

from __future__ import annotations

import os
from collections.abc import Callable

import numpy as np
import pytest
from onnx import helper

from core.errors import InvalidInputError
from optimize import runner
from optimize.fixtures import Fixture, npz
from optimize.inspect import read_needs
from optimize.runner import Failed, Limits
from optimize.samples import check_fits, read_samples
from tests.optimize import builders
from tests.optimize.builders import a_gemm, a_model, a_zip

pytestmark = pytest.mark.usefixtures("nothing_left")

NAN = np.full((4, 4), np.nan, np.float32)


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        pytest.param(lambda: b"", "is empty (0 bytes)", id="0 bytes"),
        pytest.param(lambda: a_gemm()[:-7], "is no ONNX file, or a damaged one", id="truncated"),
        pytest.param(lambda: b"\xff" * 64, "is no ONNX file, or a damaged one", id="noise"),
        pytest.param(lambda: b"<html><body>404</body></html>", "is no ONNX file, or a damaged one", id="a web page"),
        pytest.param(builders.a_pickle, "is a Python pickle, which can run code", id="a pickle"),
        pytest.param(lambda: a_zip(archive__pkl=b"\x80\x04N."), "is a zip archive", id="a PyTorch checkpoint"),
        pytest.param(lambda: b"\x1c\x00\x00\x00TFL3" + b"\0" * 40, "has no operators", id="a .tflite head"),
        pytest.param(lambda: b"\x1c\x00\x00\x00ET12" + b"\0" * 40, "is an ExecuTorch program", id="pte"),
        pytest.param(lambda: b"\x1c\x00\x00\x00ORTM" + b"\0" * 40, "is in ORT format", id="ORT format"),
        pytest.param(lambda: b"\x7fELF" + b"\0" * 40, "is a program", id="a program"),
        pytest.param(lambda: b"GGUF" + b"\0" * 40, "is a GGUF file", id="GGUF"),
        pytest.param(builders.with_external_data, "outside of the file (external data)", id="external data"),
        pytest.param(builders.with_functions, "brings functions of its own", id="functions"),
        pytest.param(
            lambda: a_model([helper.make_node("Run", ["x"], ["y"], domain="evil.corp")], {}),
            "uses 'Run' of the domain 'evil.corp', which phones do not have",
            id="a custom domain",
        ),
        pytest.param(builders.a_bomb_of_zeros, "asks ConstantOfShape for 10,000,000,000 elements", id="a bomb"),
        pytest.param(lambda: builders.with_claimed_size([1 << 40]), "at most 268,435,456", id="a tensor of 4 TB"),
        pytest.param(
            lambda: builders.with_claimed_size([4, 4], b"\0" * 8), "declares 64 bytes for 'w' and brings 8", id="short"
        ),
        pytest.param(lambda: builders.with_claimed_size([-4, 4]), "an impossible shape", id="a negative shape"),
        pytest.param(lambda: a_gemm(NAN), "not numbers (NaN) in 'w'", id="NaN weights"),
        pytest.param(lambda: builders.a_nest(12), "nests graphs deeper than 6", id="nested graphs"),
        pytest.param(lambda: a_model([], {}), "has no operators", id="no operators"),
        pytest.param(
            lambda: a_model([helper.make_node("Relu", ["x"], ["y"])], {}, takes=(1, 1 << 20, 1 << 20)),
            "declares 'x' with more than",
            id="an input of a terabyte",
        ),
        pytest.param(
            lambda: a_model([helper.make_node("Relu", ["x"], ["y"])], {}, opset=99), "operator set", id="opset 99"
        ),
    ],
)  # fmt: skip
def test_a_hostile_model_is_refused_in_one_sentence(make: Callable[[], bytes], sentence: str) -> None:
    builders.assert_refused(lambda: read_needs(make()), sentence)


def test_a_file_above_the_limit_is_refused_by_its_size_alone() -> None:
    with pytest.raises(InvalidInputError, match="at most 0 MB"):
        read_needs(a_gemm(), largest_bytes=100)


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        pytest.param(lambda: b"", "is empty (0 bytes)", id="0 bytes"),
        pytest.param(builders.a_pickle, "is a Python pickle", id="a pickle"),
        pytest.param(builders.an_npz_with_objects, "holds pickled objects", id="pickled arrays"),
        pytest.param(lambda: b"\x93NUMPY" + b"\0" * 50, "is no .npz file", id="a .npy"),
        pytest.param(lambda: npz(x=np.zeros((20, 4)))[:-30], "is a damaged .npz", id="truncated"),
        pytest.param(lambda: a_zip(x__npy=b"no array"), "is a damaged .npz", id="no array inside"),
        pytest.param(lambda: npz(z=np.zeros((20, 4))), "holds no array x", id="no x"),
        pytest.param(lambda: npz(x=np.zeros((3, 4))), "at least 8", id="three rows"),
        pytest.param(lambda: npz(x=np.full((20, 4), np.nan)), "not finite numbers (NaN)", id="NaN inputs"),
        pytest.param(lambda: npz(x=np.zeros((20, 4)), y=np.zeros(19, int)), "one label for each input", id="short y"),
        pytest.param(lambda: npz(x=np.zeros((20, 4)), y=np.full(20, 0.5)), "not whole numbers", id="half labels"),
        pytest.param(lambda: npz(x=np.zeros((20, 4)), y=np.full(20, -1)), "labels count from 0", id="label −1"),
        pytest.param(lambda: npz(x=np.array([["a"]] * 20)), "not rows of numbers", id="words"),
    ],
)
def test_a_hostile_npz_is_refused_in_one_sentence(make: Callable[[], bytes], sentence: str) -> None:
    builders.assert_refused(lambda: read_samples(make()), sentence)


def test_a_zip_bomb_is_refused_before_it_is_unpacked() -> None:
    bomb = npz(x=np.zeros((500_000, 4)))
    assert len(bomb) < 100_000

    with pytest.raises(InvalidInputError, match="unpacks to more than 1 MB"):
        read_samples(bomb, largest_bytes=1_000_000)


def test_an_array_whose_header_claims_terabytes_is_refused_before_numpy_allocates() -> None:
    header = b"{'descr': '<f8', 'fortran_order': False, 'shape': (1000000000000, 4), }"
    header += b" " * (118 - len(header) - 1) + b"\n"
    claims = b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header + b"\0" * 64

    with pytest.raises(InvalidInputError, match="another size than it brings"):
        read_samples(a_zip(x__npy=claims))


def test_samples_of_another_shape_and_labels_out_of_range_are_both_told() -> None:
    rows = read_samples(npz(x=np.zeros((20, 3)), y=np.full(20, 7)))

    problems = [str(problem) for problem in check_fits(rows, ("batch", 4), classes=4)]

    assert problems == [
        "x: has rows of 3; the model takes 4",
        "y: holds the label 7; the model knows 0 to 3",
    ]


def test_labels_that_the_model_does_not_know_end_the_child_with_a_sentence() -> None:
    files = {"model": a_gemm(), "eval.npz": npz(x=np.zeros((20, 4), np.float32), y=np.full(20, 9))}

    outcome = runner.run("describe", files)

    assert isinstance(outcome, Failed)
    assert outcome.sentence == "y: holds the label 9; the model knows 0 to 3"


def test_a_model_that_asks_for_40_gigabytes_while_running_is_ended_by_the_memory_limit() -> None:
    outcome = runner.run("describe", {"model": builders.a_hidden_bomb()}, limits=Limits(memory_bytes=2_000_000_000))

    assert isinstance(outcome, Failed)
    assert (outcome.why, outcome.sentence) == ("memory", "needs more than the 2 GB of memory allowed")


def test_a_model_that_loops_for_ever_is_ended_by_the_cpu_limit() -> None:
    outcome = runner.run("describe", {"model": builders.an_endless_loop()}, limits=Limits(cpu_s=2, wall_s=60))

    assert isinstance(outcome, Failed)
    assert (outcome.why, outcome.sentence) == ("time", "used more than the 2 s of CPU time allowed")


def test_what_onnx_runtime_refuses_becomes_a_sentence() -> None:
    broken = a_model([helper.make_node("Gemm", ["x", "w"], ["y"])], {"w": np.zeros((3, 5), np.float32)})

    outcome = runner.run("describe", {"model": broken})

    assert isinstance(outcome, Failed)
    assert outcome.why == "refused"
    assert "is refused by" in outcome.sentence
    assert "Traceback" not in outcome.sentence


def test_a_model_that_reads_the_disk_by_a_path_finds_none(tiny: Fixture) -> None:
    outcome = runner.run("describe", {"model": builders.with_external_data()})

    assert isinstance(outcome, Failed)
    assert "external data" in outcome.sentence
    assert os.getpgid(0) == os.getpgrp()
