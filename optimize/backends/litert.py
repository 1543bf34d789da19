""".tflite in, .tflite out, by ai-edge-quantizer."""

from __future__ import annotations

import contextlib
import io
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from core.errors import Problem
from optimize.backends import Advice, Bench, Made
from optimize.extras import missing
from optimize.needs import Format, Needs
from optimize.recipes import Step

Array = npt.NDArray[Any]
_STEPS: Final = ("int8-dynamic", "int8-weights", "int4-weights", "int8-static", "fp16")
_LAYERS: Final = frozenset({"CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED", "BATCH_MATMUL", "TRANSPOSE_CONV"})
_CALIBRATION_ROWS: Final = 128


class LiteRt:
    name = "litert"
    takes: Format = "tflite"

    def probe(self) -> Problem | None:
        return missing("litert", "ai_edge_litert", "ai_edge_quantizer")

    def recipes(self) -> tuple[str, ...]:
        return _STEPS

    def applicable(self, step: Step, needs: Needs) -> Advice:
        if not _LAYERS.intersection(needs.ops):
            return Advice(applies=False, reason="the model has no convolution or fully connected layer to quantize")
        if {"int8", "int4"}.intersection(needs.weight_dtypes) or "QUANTIZE" in needs.ops:
            return Advice(applies=False, reason="the model is quantized already; start from the one in floating point")
        if step.name == "int8-static" and len(needs.inputs) != 1:
            return Advice(applies=False, reason=f"the model has {len(needs.inputs)} inputs; the array x feeds one")
        if step.skip:
            return Advice(applies=False, reason="leaving layers out is not offered for .tflite")
        return Advice(applies=True, reason="applies")

    def run(self, step: Step, content: bytes, bench: Bench) -> Made:
        from ai_edge_quantizer import quantizer

        worker = quantizer.Quantizer(content)
        found = None
        with contextlib.redirect_stdout(io.StringIO()):  # the quantizer prints a report
            _instruct(worker, step)
            if step.name == "int8-static":
                if bench.x is None:
                    raise ValueError(f"{step} needs inputs: send an npz with an array x")
                found = _extremes(worker, _calibration(content, bench.x))
            made = worker.quantize(found, enable_progress_report=False).quantized_model
        if made is None:
            raise ValueError("could not be quantized")
        return Made(model=bytes(made), notes=(f"by ai-edge-quantizer ({step})",))


def _instruct(worker: Any, step: Step) -> None:
    from ai_edge_quantizer import qtyping, recipe

    match step.name:
        case "int8-dynamic":
            worker.load_quantization_recipe(recipe.dynamic_wi8_afp32())
        case "int8-weights":
            worker.load_quantization_recipe(recipe.weight_only_wi8_afp32())
        case "int4-weights":
            worker.load_quantization_recipe(recipe.weight_only_wi4_afp32())
        case "int8-static":
            worker.load_quantization_recipe(recipe.static_wi8_ai8())
        case "fp16":
            worker.update_quantization_recipe(
                regex=".*", operation_name=qtyping.TFLOperationName.ALL_SUPPORTED,
                op_config=qtyping.OpQuantizationConfig(
                    weight_tensor_config=qtyping.TensorQuantizationConfig(
                        num_bits=16, symmetric=True, dtype=qtyping.TensorDataType.FLOAT
                    ),
                    compute_precision=qtyping.ComputePrecision.FLOAT, explicit_dequantize=True,
                ),
                algorithm_key="float_casting",
            )  # fmt: skip
        case _:
            raise ValueError(f"no step {step}")


def _extremes(worker: Any, data: dict[str, list[dict[str, Array]]]) -> dict[str, Any]:
    """Return the least and the greatest value of each tensor over all rows.

    The quantizer's own calibration averages the extremes of single rows, which clips a tenth of what comes.
    """
    found: dict[str, Any] = {}
    for signature, rows in data.items():
        for row in rows:
            for name, seen in worker.calibrate({signature: [row]}, num_threads=1).items():
                known = found.setdefault(name, dict(seen))
                if "min" in seen:
                    known["min"] = np.minimum(known["min"], seen["min"])
                    known["max"] = np.maximum(known["max"], seen["max"])
    return found


def _calibration(content: bytes, x: Array) -> dict[str, list[dict[str, Array]]]:
    """Return the inputs by signature and name, as the quantizer asks for them."""
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(model_content=content, num_threads=1)
    signatures = interpreter.get_signature_list()
    if not signatures:
        raise ValueError("has no signature, which calibration needs; converters of today write one")
    signature, sides = next(iter(signatures.items()))
    name, details = sides["inputs"][0], interpreter.get_input_details()[0]
    size = max(1, int(details["shape"][0])) if len(details["shape"]) else 1
    rows = x[: _CALIBRATION_ROWS * size].astype(details["dtype"])
    return {signature: [{name: rows[start : start + size]} for start in range(0, len(rows) - size + 1, size)]}
