"""What needs the net itself: quantization-aware training, fine-tuning, a student, and conversions, all by torch.

The teacher is the artifact: no labels are needed. The registered training script says how the nets are built and runs
in the limited child only. torch comes first and pinned, as a CPU build: a resolver left alone takes CUDA's gigabytes.
"""

from __future__ import annotations

import contextlib
import io
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import numpy as np

from core.errors import Problem
from optimize.backends import Advice, Bench, Made
from optimize.extras import lacks
from optimize.needs import Format, Needs
from optimize.recipes import Step

_TRAINING: Final = ("student", "finetune", "qat")
_CONVERTERS: Final = {"to-tflite": "litert_torch", "to-mlpackage": "coremltools", "to-pte": "executorch"}
_OPSET: Final = 17
_MOST_WORK: Final = 60_000_000_000  # multiply-accumulates of the forward passes of one training
_FEWEST_STEPS: Final = 60
_MOST_STEPS: Final = 2000
_BATCH: Final = 64


class Train:
    name = "train"
    takes: Format = "onnx"

    def probe(self) -> Problem | None:
        if not lacks("torch"):
            return None
        sentence = "torch not installed; install its CPU build first (pip install torch), then --editable '.[train]'"
        return Problem("backend", sentence)

    def recipes(self) -> tuple[str, ...]:
        return (*_TRAINING, *_CONVERTERS)

    def applicable(self, step: Step, needs: Needs) -> Advice:
        module = _CONVERTERS.get(step.name)
        if module and lacks(module):
            reason = f"{module} is not installed here; run: pip install --editable '.[train]'"
            return Advice(applies=False, reason=reason)
        if {"QuantizeLinear", "DequantizeLinear"}.intersection(needs.ops):
            return Advice(applies=False, reason="the model is quantized already; start from the one in floating point")
        if len(needs.inputs) != 1 or needs.inputs[0].dtype != "float32":
            return Advice(applies=False, reason="nets are trained on one input of float32")
        return Advice(applies=True, reason="applies")

    def run(self, step: Step, content: bytes, bench: Bench) -> Made:
        if bench.script is None or bench.x is None:
            raise ValueError(f"{step} needs the model's training script and an npz with an array x")
        with _quiet():
            match step.name:
                case "student":
                    return _student(content, bench)
                case "finetune" | "qat":
                    return _tuned(step, content, bench)
                case _:
                    return _converted(step, content, bench)


def _tuned(step: Step, content: bytes, bench: Bench) -> Made:
    """Train the artifact's own net on: plainly, or with weights and activations rounded to int8."""
    from optimize import nets, quantize
    from optimize.sessions import open_session

    x = _inputs(bench)
    net, graph, pairs = nets.restored(bench.script or b"", content, x, run=open_session)
    teacher = bench.teacher or content
    more = nets.blends(x, 3)
    wanted = nets.scores(open_session(teacher), more)
    steps = _steps(content)
    bench.report(f"{steps} steps of training")
    end = nets.with_fake_int8(pairs) if step.name == "qat" else None
    nets.train(net, more[: len(wanted)], wanted, steps=steps, rate=3e-4 if step.name == "qat" else 1e-3)
    if end:
        end()
    made = nets.written(graph, pairs)
    if step.name == "qat":
        made = quantize.static(made, x, bench.folder, run=open_session)
    return Made(model=made, notes=(f"{step}: {steps} steps, taught by the model's own scores",))


def _student(content: bytes, bench: Bench) -> Made:
    """Train the script's student() to give the artifact's scores; export it."""
    import torch

    from optimize import nets
    from optimize.sessions import open_session

    x = _inputs(bench)
    student = nets.built(bench.script or b"", "student")
    more = nets.blends(x, 3)
    wanted = nets.scores(open_session(bench.teacher or content), more)
    steps = _MOST_STEPS if sum(one.numel() for one in student.parameters()) < 100_000 else _steps(content)
    bench.report(f"{steps} steps of training")
    student.train()
    nets.train(student, more[: len(wanted)], wanted, steps=steps, rate=3e-3)
    names = _names(content)
    axes = {name: {0: "batch"} for name in names}
    file = io.BytesIO()
    torch.onnx.export(
        student, (torch.from_numpy(x[:2]),), file, input_names=names[:1], output_names=names[1:],
        dynamic_axes=axes, opset_version=_OPSET, dynamo=False,
    )  # fmt: skip
    return Made(model=file.getvalue(), notes=(f"the registered student: {steps} steps, taught by the model's scores",))


def _converted(step: Step, content: bytes, bench: Bench) -> Made:
    from optimize import nets
    from optimize.sessions import open_session

    x = _inputs(bench)
    net, _, _ = nets.restored(bench.script or b"", content, x, run=open_session)
    bench.report("converting")
    match step.name:
        case "to-tflite":
            return Made(model=_tflite(net, x, bench.folder), notes=("converted by litert-torch",))
        case "to-pte":
            return Made(model=_pte(net, x), notes=("converted by ExecuTorch for XNNPACK",))
        case _:
            from optimize.backends.coreml import NOT_VERIFIED

            return Made(model=_mlpackage(net, x, bench.folder), notes=("converted by coremltools", NOT_VERIFIED))


def _tflite(net: Any, x: Any, folder: Path) -> bytes:
    import litert_torch
    import torch

    path = folder / "made.tflite"
    litert_torch.convert(net, (torch.from_numpy(x[:1]),)).export(str(path))
    made = path.read_bytes()
    path.unlink()
    return made


def _pte(net: Any, x: Any) -> bytes:
    import torch
    from executorch.backends.xnnpack.partition.xnnpack_partitioner import XnnpackPartitioner
    from executorch.exir import to_edge_transform_and_lower

    exported = torch.export.export(net, (torch.from_numpy(x[:1]),))
    lowered = to_edge_transform_and_lower(exported, partitioner=[XnnpackPartitioner()])
    return bytes(lowered.to_executorch().buffer)


def _mlpackage(net: Any, x: Any, folder: Path) -> bytes:
    import coremltools
    import torch

    from optimize.backends.coreml import pack

    row = torch.from_numpy(x[:1])
    with torch.no_grad():
        traced = torch.jit.trace(net, row)
    port = coremltools.TensorType(name="input", shape=tuple(row.shape))
    model = coremltools.convert(
        traced, inputs=[port], minimum_deployment_target=coremltools.target.iOS16, skip_model_load=True,
        compute_precision=coremltools.precision.FLOAT16,
    )  # fmt: skip
    return pack(model, folder)


def _inputs(bench: Bench) -> Any:
    assert bench.x is not None
    return np.ascontiguousarray(bench.x.astype(np.float32))


def _names(content: bytes) -> list[str]:
    from optimize.inspect import read_needs

    needs = read_needs(content)
    if len(needs.outputs) != 1:
        raise ValueError("has several outputs; a student gives one")
    return [needs.inputs[0].name, needs.outputs[0].name]


def _steps(content: bytes) -> int:
    """Return how many steps a training takes: by the model's work, not by a clock, so that equal orders agree."""
    from optimize.graph import macs

    return max(_FEWEST_STEPS, min(_MOST_STEPS, _MOST_WORK // (max(1, macs(content)) * _BATCH)))


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Keep the converters' reports and warnings out of the child's words."""
    with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
        warnings.simplefilter("ignore")
        yield
