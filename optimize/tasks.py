"""What the limited child can be asked to do. Imported only there; the parent sees JSON and bytes."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from core.errors import Problem
from optimize import coverage, graph, samples, tensors
from optimize.backends import Bench, find
from optimize.evaluate import compare
from optimize.forecast import expect
from optimize.inspect import read_needs
from optimize.needs import Needs, format_of
from optimize.recipes import parse_recipe
from optimize.samples import Samples
from optimize.sessions import open_session, runs_here

Array = npt.NDArray[Any]
Report = Callable[[str], None]
Task = Callable[[Path, Mapping[str, Any], Report], dict[str, Any]]
FINAL: Final = frozenset({"ort", "pte"})
_ROWS_AT_ONCE: Final = 256
_FEWEST_ROWS: Final = 8
_LONGEST_TIMING_NS: Final = 12_000_000_000


def describe(folder: Path, _params: Mapping[str, Any], _report: Report) -> dict[str, Any]:
    """Hold the parent against the ONNX checker, ONNX Runtime and the samples; count its work."""
    content = _content(folder, "model")
    needs = read_needs(content)
    if needs.runtime == "onnx":
        import onnx

        onnx.checker.check_model(onnx.load_model_from_string(content), full_check=True)
    if not runs_here(content):
        return {**_work(content), "classes": None}
    rows = _rows(folder, needs)
    scores = _scores(open_session(content, hints=needs.hints), rows.x[:_FEWEST_ROWS])
    classes = scores.shape[1] if scores.shape[1] > 1 else 2
    _refuse(samples.check_fits(rows, needs.inputs[0].shape, classes))
    return {**_work(content), "classes": classes}


def make(folder: Path, params: Mapping[str, Any], report: Report) -> dict[str, Any]:
    """Carry out a recipe on the parent; the variant is `out/variant`."""
    recipe = parse_recipe(params["recipe"])
    content = parent = _content(folder, "model")
    given = folder / "in" / "calibration.npz"
    x = samples.read_samples(given.read_bytes(), name="calibration").x if given.exists() else None
    script = folder / "in" / "train.py"
    text = script.read_bytes() if script.exists() else None
    notes: list[str] = []
    started = time.thread_time_ns()
    for place, step in enumerate(recipe.steps):
        needs = read_needs(content)
        backend = find(step, needs)
        if isinstance(backend, Problem):
            raise tensors.RefusedError(backend.message)
        verdict = backend.applicable(step, needs)
        if not verdict.applies:
            raise tensors.RefusedError(f"{step} does not apply: {verdict.reason}")
        say = partial(_say, report, f"{step} ({place + 1} of {len(recipe.steps)})")
        say("")
        made = backend.run(step, content, Bench(folder=folder / "home", x=x, script=text, teacher=parent, report=say))
        content = made.model
        notes += made.notes
    if format_of(content) not in FINAL:
        read_needs(content)
    (folder / "out" / "variant").write_bytes(content)
    return {"notes": notes, "make_s": (time.thread_time_ns() - started) / 1e9}


def judge(folder: Path, _params: Mapping[str, Any], report: Report) -> dict[str, Any]:
    """Compare the variant's answers with the parent's, on the whole and on both parts of the samples."""
    before, after = _content(folder, "model"), _content(folder, "variant")
    whole = _rows(folder, read_needs(before))
    first, second = whole.parts_places()
    places = {"whole": np.arange(len(whole)), "select": first, "confirm": second}
    report("judging")
    judged: dict[str, Any] = {}
    for kind in ("native", "device"):
        was = _scores(_open(before, device_like=kind == "device"), whole.x)
        now = _scores(_open(after, device_like=kind == "device"), whole.x)
        judged[kind] = {
            part: asdict(compare(was[rows], now[rows], whole.part(rows).y)) for part, rows in places.items()
        }
        if kind == "device":
            judged["expected"] = asdict(expect(was[first], now[first], whole.part(first).y))
    return judged


def clock(folder: Path, params: Mapping[str, Any], report: Report) -> dict[str, Any]:
    """Time single inferences of the parent, the variant and a copy of the parent, interleaved and shuffled."""
    before, after = _content(folder, "model"), _content(folder, "variant")
    needs = read_needs(before)
    rows, name = _rows(folder, needs).x, needs.inputs[0].name
    random = np.random.default_rng(0)
    order = ["before", "after", "copy"]
    times: dict[str, list[list[int]]] = {which: [] for which in order}
    ends = time.thread_time_ns() + _LONGEST_TIMING_NS
    sittings, rounds = int(params.get("sittings", 8)), int(params.get("rounds", 30))
    gc.disable()
    for sitting in range(sittings):
        report(f"timing {sitting + 1} of {sittings}")
        random.shuffle(order)
        opened = {which: _open(after if which == "after" else before) for which in order}
        for which, nanoseconds in _sitting(opened, name, rows, random, rounds).items():
            times[which].append(nanoseconds)
        if sitting >= 2 and time.thread_time_ns() > ends:
            break
    gc.enable()
    return {"times": times}


def candidate(folder: Path, params: Mapping[str, Any], report: Report) -> dict[str, Any]:
    """Make a variant, judge it when there are samples, and time it: all that the search asks of one recipe."""
    made = make(folder, params, report)
    has_samples = (folder / "in" / "eval.npz").exists()
    if not (runs_here(_content(folder, "model")) and runs_here(_content(folder, "variant"))):
        return {**made, "judged": None, "times": None}
    judged = judge(folder, params, report) if has_samples else None
    return {**made, "judged": judged, **clock(folder, params, report)}


def weigh(folder: Path, params: Mapping[str, Any], _report: Report) -> dict[str, Any]:
    """Measure how long a file takes to load, by how much this fresh process grows at most, and its work."""
    content, parent = _content(folder, params["which"]), read_needs(_content(folder, "model"))
    if not runs_here(content):
        return {"load_ms": None, "memory_bytes": None, **_work(content)}
    rows = _rows(folder, parent).x
    before = _reset_peak()
    started = time.perf_counter_ns()
    session = _open(content)
    loads = [(time.perf_counter_ns() - started) / 1e6]
    for _ in range(5):
        session.run(None, {parent.inputs[0].name: rows[: _fixed_batch(session) or 1]})
    peak = max(0, _resident("VmHWM") - before)
    for _ in range(4):
        started = time.perf_counter_ns()
        _open(content)
        loads.append((time.perf_counter_ns() - started) / 1e6)
    return {"load_ms": float(np.median(loads)), "memory_bytes": peak, **_work(content)}


TASKS: Final[Mapping[str, Task]] = {
    "describe": describe,
    "make": make,
    "judge": judge,
    "clock": clock,
    "candidate": candidate,
    "weigh": weigh,
}


def _content(folder: Path, name: str) -> bytes:
    """Return the parent (`model`) or the variant, sent along or made here."""
    made = folder / "out" / name
    return made.read_bytes() if made.exists() else (folder / "in" / name).read_bytes()


def _say(report: Report, name: str, words: str) -> None:
    report(f"{name}: {words}" if words else name)


def _refuse(problems: Iterable[Problem]) -> None:
    sentence = "; ".join(str(problem) for problem in problems)
    if sentence:
        raise tensors.RefusedError(sentence)


def _work(content: bytes) -> dict[str, Any]:
    if format_of(content) != "onnx":
        return {"macs": None, "coverage": {}}
    return {"macs": graph.macs(content), "coverage": coverage.measure(content)}


def _open(content: bytes, *, device_like: bool = False) -> Any:
    hints = read_needs(content).hints if format_of(content) == "onnx" else {}
    return open_session(content, device_like=device_like, hints=hints)


def _rows(folder: Path, needs: Needs) -> Samples:
    """Return the samples that were sent; without any, numbers of the right shape, good for timing only."""
    if len(needs.inputs) != 1:
        raise tensors.RefusedError(f"takes {len(needs.inputs)} inputs; models with one input x can be measured")
    port = needs.inputs[0]
    for name in ("eval.npz", "calibration.npz"):
        if (folder / "in" / name).exists():
            read = samples.read_samples((folder / "in" / name).read_bytes())
            _refuse(samples.check_fits(read, port.shape, None))
            return Samples(x=_cast(read.x, port.dtype), y=read.y, sha256=read.sha256)
    shape = [size if isinstance(size, int) and size > 0 else 1 for size in port.shape]
    numbers = np.random.default_rng(0).standard_normal([16 * shape[0] if shape else 16, *shape[1:]])
    return Samples(x=_cast(numbers if port.dtype.startswith("float") else np.zeros_like(numbers), port.dtype), y=None,
                   sha256="0" * 64)  # fmt: skip


def _cast(x: Array, dtype: str) -> Array:
    if dtype not in ("float32", "float16", "float64", "int8", "uint8", "int32", "int64", "bool"):
        raise tensors.RefusedError(f"takes {dtype}, which an npz cannot feed")
    return np.ascontiguousarray(x.astype(dtype))


def _scores(session: Any, x: Array) -> Array:
    """Return the first output that holds numbers for each row, in batches that this session takes."""
    fixed = _fixed_batch(session)
    size = fixed or _ROWS_AT_ONCE
    outputs = [out.name for out in session.get_outputs() if "float" in out.type] or [session.get_outputs()[0].name]
    parts = []
    for start in range(0, len(x), size):
        rows = x[start : start + size]
        short = size - len(rows) if fixed else 0
        if short:
            rows = np.concatenate([rows, np.repeat(rows[-1:], short, axis=0)])
        out = np.asarray(session.run(outputs[:1], {session.get_inputs()[0].name: rows})[0])
        parts.append(out[: len(out) - short] if short else out)
    scores = np.concatenate(parts)
    if len(scores) != len(x):
        raise tensors.RefusedError(f"gives {len(scores)} rows of scores for {len(x)} inputs")
    return scores.reshape(len(scores), -1).astype(np.float64)


def _fixed_batch(session: Any) -> int:
    """Return how many rows a session takes at once, 0 for any number."""
    shape = session.get_inputs()[0].shape
    return shape[0] if shape and isinstance(shape[0], int) and shape[0] > 0 else 0


def _sitting(
    opened: Mapping[str, Any], name: str, rows: Array, random: np.random.Generator, rounds: int
) -> dict[str, list[int]]:
    """Time `rounds` single inferences of each session, in a new order each round."""
    taken: dict[str, list[int]] = {which: [] for which in opened}
    names = list(opened)
    size = max(1, *(_fixed_batch(session) for session in opened.values()))
    for which in names:
        for _ in range(3):
            opened[which].run(None, {name: rows[:size]})
    for _ in range(rounds):
        random.shuffle(names)
        row = int(random.integers(len(rows) - size + 1))
        feed = {name: rows[row : row + size]}
        for which in names:
            session = opened[which]
            started = time.thread_time_ns()
            session.run(None, feed)
            taken[which].append(max(1, time.thread_time_ns() - started))
    return taken


def _reset_peak() -> int:
    """Forget the peak so far where Linux allows it; return the resident bytes now."""
    try:
        Path("/proc/self/clear_refs").write_text("5")
    except OSError:
        return _resident("VmHWM")
    return _resident("VmRSS")


def _resident(field: str) -> int:
    try:
        lines = Path("/proc/self/status").read_text().splitlines()
    except OSError:
        import resource

        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(f"{field}:"))
