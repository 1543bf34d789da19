"""Which part of a model the accelerators run, offline."""

from __future__ import annotations

from pathlib import Path

from optimize import coverage, quantize
from optimize.fixtures import Fixture
from optimize.samples import read_samples
from optimize.sessions import open_session


def test_a_dynamic_batch_covers_nothing_and_a_fixed_one_all(tiny: Fixture) -> None:
    found = coverage.measure(tiny.model)

    assert found["as is"]["coreml"]["covered"] == 0
    assert found["fixed"]["nnapi"] == {"nodes": 7, "covered": 7, "partitions": 1, "left_out": []}
    assert found["fixed"]["coreml"] == {"nodes": 7, "covered": 6, "partitions": 2, "left_out": ["Flatten"]}


def test_int8_in_qdq_format_tears_core_ml_apart(tiny: Fixture, tmp_path: Path) -> None:
    small = quantize.static(tiny.model, read_samples(tiny.calibration).x, tmp_path, run=open_session)

    found = coverage.measure(small)["fixed"]["coreml"]

    assert found["covered"] < found["nodes"]
    assert found["partitions"] > 1
    assert "QuantizeLinear" in found["left_out"]
