""".mlpackage in, .mlpackage out, by coremltools; it compresses on any machine and runs on none but Apple's."""

from __future__ import annotations

import contextlib
import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

from core.errors import Problem
from optimize import mlpackage
from optimize.backends import Advice, Bench, Made
from optimize.extras import missing
from optimize.needs import Format, Needs
from optimize.recipes import Step

_STEPS: Final = ("int8-weights", "palettize4", "palettize6", "sparse50", "sparse75")
_DATE: Final = "com.github.apple.coremltools.conversion_date"
# coremltools imports whatever it could convert from when it is installed: ten CPU seconds beside [train], one without.
_NOT_NEEDED: Final = ("executorch", "tensorflow", "torch", "torchao", "transformers")
_IOS16: Final = 7  # the specification from which on weights may be compressed
NOT_VERIFIED: Final = "Core ML packages run on Apple's machines only: accuracy and latency are not verified here"


class CoreMl:
    name = "coreml"
    takes: Format = "mlpackage"

    def probe(self) -> Problem | None:
        return missing("coreml", "coremltools")

    def recipes(self) -> tuple[str, ...]:
        return _STEPS

    def applicable(self, _step: Step, needs: Needs) -> Advice:
        if not needs.weight_bytes:
            return Advice(applies=False, reason="the package has no weights to compress")
        if needs.ir_version < _IOS16:
            return Advice(applies=False, reason="compressed weights need iOS 16: convert the model with that target")
        if any(op.startswith("constexpr_") for op in needs.ops):
            return Advice(applies=False, reason="the weights are compressed already; start from the full ones")
        return Advice(applies=True, reason="applies")

    def run(self, step: Step, content: bytes, bench: Bench) -> Made:
        with _hidden(_NOT_NEEDED):
            import coremltools

        before = bench.folder / "before.mlpackage"
        unpack(content, before)
        compress = _compressor(step)
        model = coremltools.models.MLModel(str(before), skip_model_load=True)
        made = pack(compress(model), bench.folder)
        shutil.rmtree(before)
        return Made(model=made, notes=(NOT_VERIFIED,))


@contextlib.contextmanager
def _hidden(names: tuple[str, ...]) -> Iterator[None]:
    """Let imports of packages fail as if they were not installed; those that are imported already stay."""
    hidden = [name for name in names if name not in sys.modules]
    sys.modules.update(dict.fromkeys(hidden))  # type: ignore[arg-type]
    try:
        yield
    finally:
        for name in hidden:
            sys.modules.pop(name, None)


def unpack(content: bytes, folder: Path) -> None:
    """Write a package's files under the folder; their paths have been checked not to lead out of it."""
    for name, inner in mlpackage.unpacked(content).items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(inner)


def pack(model: Any, folder: Path) -> bytes:
    """Return an MLModel as a zipped package; equal models give equal bytes."""
    after = folder / "after.mlpackage"
    model.save(str(after))
    files = {str(path.relative_to(after)): path.read_bytes() for path in after.rglob("*") if path.is_file()}
    shutil.rmtree(after)
    steady = mlpackage.with_steady_names(files)
    return mlpackage.packed({name: _steady(name, content) for name, content in steady.items()})


def _steady(name: str, content: bytes) -> bytes:
    """Return a file of the package; a specification without its date and with its maps in order."""
    if not name.endswith(".mlmodel"):
        return content
    from coremltools.proto import Model_pb2

    model = Model_pb2.Model.FromString(content)
    model.description.metadata.userDefined.pop(_DATE, None)
    made: bytes = model.SerializeToString(deterministic=True)
    return made


def _compressor(step: Step) -> Callable[[Any], Any]:
    from coremltools.optimize import coreml as compression

    match step.name:
        case "int8-weights":
            config = compression.OpLinearQuantizerConfig(mode="linear_symmetric", weight_threshold=512)
            act = compression.linear_quantize_weights
        case "palettize4" | "palettize6":
            bits = int(step.name[-1])
            config = compression.OpPalettizerConfig(mode="kmeans", nbits=bits, weight_threshold=512)
            act = compression.palettize_weights
        case "sparse50" | "sparse75":
            share = int(step.name[-2:]) / 100
            config = compression.OpMagnitudePrunerConfig(target_sparsity=share, weight_threshold=512)
            act = compression.prune_weights
        case _:
            raise ValueError(f"no step {step}")
    whole = compression.OptimizationConfig(global_config=config)
    return lambda model: act(model, config=whole)
