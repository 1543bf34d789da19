"""The core back end: ONNX in, ONNX (or ORT format) out, on onnx, ONNX Runtime, NumPy and scikit-learn."""

from __future__ import annotations

from typing import Final

import numpy as np

from core.errors import Problem
from optimize.backends import Advice, Bench, Made
from optimize.extras import missing
from optimize.needs import Format, Needs
from optimize.recipes import NEEDS_INPUTS, Step

_MIXERS: Final = ("Gemm", "MatMul")
_CONVOLUTIONS: Final = ("Conv", "ConvTranspose")
_QUANTIZED: Final = ("DequantizeLinear", "QLinearConv", "ConvInteger", "MatMulInteger")
_STEPS: Final = (
    "fix-shapes", "distil", "prune", "fp16", "int8", "int8-weights", "int4-weights", "int8-dynamic", "int8-static",
    "ort",
)  # fmt: skip
_NUMBERS: Final = frozenset({"fp16", "int8", "int8-weights", "int4-weights", "int8-dynamic", "int8-static"})


class OnnxRuntime:
    name = "onnxruntime"
    takes: Format = "onnx"

    def probe(self) -> Problem | None:
        return missing("optimize", "onnx", "onnxruntime", "sklearn")

    def recipes(self) -> tuple[str, ...]:
        return _STEPS

    def applicable(self, step: Step, needs: Needs) -> Advice:
        layers = sum(needs.ops.get(op, 0) for op in (*_MIXERS, *_CONVOLUTIONS))
        if step.name in (*_NUMBERS, "prune") and any(op in needs.ops for op in _QUANTIZED):
            return _no("the model is quantized already; start from the one in floating point")
        if step.name in _NUMBERS - {"fp16"} and not layers:
            return _no("the model has no Conv, Gemm or MatMul to quantize")
        if step.name == "int8-dynamic" and not any(op in needs.ops for op in _MIXERS):
            return _no("dynamic int8 on convolutions is 3 to 10 times slower; take int8-static")
        if step.name == "int8-dynamic" and _convolutions_dominate(needs):
            return _no("convolutions dominate, which dynamic int8 leaves alone or slows down; take int8-static")
        if step.name == "prune" and not layers:
            return _no("the model has no layers with channels to drop")
        if step.name in NEEDS_INPUTS and len(needs.inputs) != 1:
            return _no(f"the model has {len(needs.inputs)} inputs; the array x feeds one")
        if step.name == "distil" and needs.inputs[0].dtype != "float32":
            return _no("a student takes numbers (float32) only")
        return Advice(applies=True, reason="applies")

    def run(self, step: Step, content: bytes, bench: Bench) -> Made:
        from optimize import quantize
        from optimize.inspect import read_needs
        from optimize.sessions import open_session

        x = bench.x
        if step.name == "int8":
            is_static = _convolutions_dominate(read_needs(content)) and x is not None
            step = Step(name="int8-static" if is_static else "int8-dynamic")
        if step.name in NEEDS_INPUTS and x is None:
            raise ValueError(f"{step} needs inputs: send an npz with an array x")
        match step.name:
            case "fix-shapes":
                return Made(model=_fixed(content))
            case "ort":
                return Made(model=_ort(content, bench), notes=("ORT format: only ONNX Runtime reads it",))
            case "fp16":
                return Made(model=quantize.half(content), notes=("fp16 is for delivery; on a CPU it is not faster",))
            case "int8-weights" | "int4-weights":
                model = quantize.weights(content, bits=8 if step.name == "int8-weights" else 4)
                return Made(model=model, notes=("the app must set session.disable_quant_qdq=1",))
            case "int8-dynamic":
                return Made(model=quantize.dynamic(content, bench.folder))
            case "int8-static" if x is not None:
                return Made(model=quantize.static(content, x, bench.folder, run=open_session, skip=step.skip))
            case "prune" if x is not None:
                return _pruned(step, content, bench)
            case "distil" if x is not None:
                return _distilled(step, content, x)
        raise ValueError(f"no step {step}")


def _convolutions_dominate(needs: Needs) -> bool:
    """Whether there are more convolutions than Gemm and MatMul, that is whether most time goes there."""
    convolutions = sum(needs.ops.get(op, 0) for op in _CONVOLUTIONS)
    return convolutions > 0 and 2 * convolutions >= sum(needs.ops.get(op, 0) for op in _MIXERS)


def _no(reason: str) -> Advice:
    return Advice(applies=False, reason=reason)


def _fixed(content: bytes) -> bytes:
    import onnx

    from optimize import graph

    model = onnx.load_model_from_string(content)
    graph.fix_batch(model)
    return graph.serialized(model)


def _ort(content: bytes, bench: Bench) -> bytes:
    from optimize.sessions import save_as_ort

    path = bench.folder / "model.ort"
    save_as_ort(content, str(path))
    made = path.read_bytes()
    path.unlink()
    return made


def _pruned(step: Step, content: bytes, bench: Bench) -> Made:
    from optimize.prune import prune
    from optimize.sessions import open_session

    assert bench.x is not None
    pruned = prune(
        content,
        bench.x.astype(np.float32),
        run=open_session,
        error=step.error,
        share=step.share,
        on_layer=lambda done, of: bench.report(f"layer {done + 1} of {of}"),
    )
    before, after = sum(was for _, was, _ in pruned.kept), sum(left for _, _, left in pruned.kept)
    notes = [f"{after} of {before} channels kept in {len(pruned.kept)} layers"]
    notes += [f"too wide to repair, left alone: {', '.join(pruned.skipped)}"] if pruned.skipped else []
    return Made(model=pruned.model, notes=tuple(notes))


def _distilled(step: Step, content: bytes, x: np.ndarray[tuple[int, ...], np.dtype[np.float32]]) -> Made:
    from optimize.distil import distil
    from optimize.sessions import open_session

    width = step.width or 64
    model = distil(content, x.astype(np.float32), run=open_session, width=width)
    return Made(model=model, notes=(f"a student with {width} hidden units, taught by the model's own outputs",))
