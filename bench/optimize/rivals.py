"""Other people's optimizers, each in a virtual environment of its own that is made here, under our process limits.

They get the same model, the same calibration inputs and, to control accuracy by, the same selecting inputs with labels.
Nothing of this project is imported where they run; home is a throw-away folder, because some write device ids there.
"""

from __future__ import annotations

import io
import resource
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from bench.optimize.fixtures import Case
from optimize.runner import Limits
from optimize.samples import read_samples

ROOT: Final = Path(__file__).resolve().parent.parent.parent
TORCH: Final = "torch==2.13.0"
# olive-ai imports requests without asking for it.
PACKAGES: Final = {
    "nncf": ("nncf==3.4.0", "onnx", "onnxruntime"),
    "olive": ("olive-ai==0.13.0", "requests", "onnx", "onnxruntime"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Made:
    """`variant`: the model it made; without one, `sentence` says why."""

    variant: bytes | None
    cpu_s: float
    sentence: str = ""


def python(name: str) -> Path | str:
    """Return the interpreter of a rival's environment, made when it is not there yet; a sentence when it cannot be."""
    folder = ROOT / f".venv-bench-{name}"
    interpreter = folder / "bin" / "python"
    if (folder / "done").exists():
        return interpreter
    print(f"installing {name} …", file=sys.stderr)
    subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
    for packages in ((TORCH,), (TORCH, *PACKAGES[name])):  # torch first: a CPU build, not the newest with CUDA
        pip = [str(interpreter), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *packages]
        done = subprocess.run(pip, capture_output=True, text=True, check=False)
        if done.returncode:
            return f"{name} cannot be installed here: {done.stderr.strip().splitlines()[-1][:160]}"
    (folder / "done").touch()
    return interpreter


def run(name: str, case: Case) -> Made:
    """Have a rival make its variant of a model."""
    interpreter = python(name)
    if isinstance(interpreter, str):
        return Made(variant=None, cpu_s=0.0, sentence=interpreter)
    select, _ = read_samples(case.evaluation).parts()
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        (folder / "model.onnx").write_bytes(case.model)
        (folder / "calib.npz").write_bytes(case.calibration)
        rows = io.BytesIO()
        np.savez(rows, x=select.x, y=np.asarray(select.y))
        (folder / "select.npz").write_bytes(rows.getvalue())
        (folder / "home").mkdir()
        script = Path(__file__).with_name(f"rival_{name}.py")
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        done = subprocess.run(
            [str(interpreter), str(script), str(folder)], env=_environment(folder), preexec_fn=_limit,
            capture_output=True, text=True, check=False, cwd=folder,
        )  # fmt: skip
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        cpu_s = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
        out = folder / "out.onnx"
        if done.returncode or not out.exists():
            words = (done.stderr.strip().splitlines() or [f"ended with {done.returncode}"])[-1]
            return Made(variant=None, cpu_s=cpu_s, sentence=f"{name}: {words[:160]}")
        return Made(variant=out.read_bytes(), cpu_s=cpu_s)


def _environment(folder: Path) -> dict[str, str]:
    home = str(folder / "home")
    return {
        "PATH": "/usr/bin:/bin", "HOME": home, "TMPDIR": home, "LANG": "C.UTF-8", "OMP_NUM_THREADS": "1",
        "OPENBLAS_NUM_THREADS": "1", "ORT_DISABLE_TELEMETRY": "1", "OLIVE_DISABLE_TELEMETRY": "1",
    }  # fmt: skip


def _limit() -> None:
    limits = Limits()
    resource.setrlimit(resource.RLIMIT_CPU, (limits.cpu_s, limits.cpu_s))
    resource.setrlimit(resource.RLIMIT_AS, (limits.memory_bytes, limits.memory_bytes))
