"""The limited child: what it may use, how it is ended, and that nothing of it is left."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from optimize import runner
from optimize.fixtures import Fixture
from optimize.runner import Failed, Finished, Limits
from tests.optimize.builders import a_gemm, an_endless_loop

pytestmark = pytest.mark.usefixtures("nothing_left")


def test_a_task_reports_how_far_it_is_and_gives_back_its_files(tiny: Fixture) -> None:
    said: list[str] = []
    files = {"model": tiny.model, "calibration.npz": tiny.calibration}

    outcome = runner.run("make", files, {"recipe": "prune50"}, on_progress=said.append)

    assert isinstance(outcome, Finished)
    assert said[:2] == ["prune50 (1 of 1)", "prune50 (1 of 1): layer 1 of 2"]
    assert 0 < len(outcome.files["variant"]) < len(tiny.model)
    assert 0 < outcome.cpu_s < 30


def test_a_cancelled_task_ends_at_once() -> None:
    outcome = runner.run("describe", {"model": an_endless_loop()}, is_cancelled=lambda: True)

    assert isinstance(outcome, Failed)
    assert (outcome.why, outcome.sentence) == ("cancelled", "was cancelled")


def test_a_task_that_waits_longer_than_the_wall_clock_allows_is_ended() -> None:
    outcome = runner.run("describe", {"model": an_endless_loop()}, limits=Limits(wall_s=2))

    assert isinstance(outcome, Failed)
    assert (outcome.why, outcome.sentence) == ("time", "took longer than the 2 s allowed")


def test_a_child_that_writes_more_than_allowed_is_ended(cnn: Fixture) -> None:
    files = {"model": cnn.model}

    outcome = runner.run("make", files, {"recipe": "fp16"}, limits=Limits(file_bytes=100_000))

    assert isinstance(outcome, Failed)


def test_an_unknown_task_or_recipe_runs_nothing() -> None:
    outcome = runner.run("make", {"model": a_gemm()}, {"recipe": "$(touch /tmp/x)"})

    assert isinstance(outcome, Failed)
    assert "no step" in outcome.sentence
    assert isinstance(runner.run("os.system", {"model": a_gemm()}), Failed)


_PROBE = """
import json, os, resource, socket, sys
sys.argv = ["child", {folder!r}]
sys.path.insert(0, {root!r})
from optimize import child
child.limit({limits!r})
try:
    socket.create_connection(("127.0.0.1", {port}), 1)
    network = "on"
except OSError:
    network = "off"
try:
    open(os.path.join({folder!r}, "big"), "wb").write(bytes(2_000_000))
    wrote = True
except OSError:
    wrote = False
memory = resource.getrlimit(resource.RLIMIT_AS)[0]
print(json.dumps({{"network": network, "memory": memory, "wrote": wrote, "nice": os.nice(0)}}))
"""


def test_the_child_gives_up_memory_files_its_turn_and_where_possible_the_network(tmp_path: Path) -> None:
    root = str(Path(runner.__file__).parent.parent)
    limits = {"memory_bytes": 1_500_000_000, "file_bytes": 1_000_000, "open_files": 64, "cpu_s": 10}
    script = "import signal; signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
    script += _PROBE.format(folder=str(tmp_path), root=root, limits=limits, port=9)

    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)

    facts = json.loads(done.stdout)
    (tmp_path / "big").unlink()
    assert facts["memory"] == 1_500_000_000
    assert not facts["wrote"]
    assert facts["nice"] == min(19, os.nice(0) + 10)
    assert facts["network"] == "off"


def test_onnx_runtime_phones_home_unless_told_before_its_import_and_the_child_is_told(tmp_path: Path) -> None:
    """Since 1.29 importing it writes a device id under the home folder."""
    reader = Path(tempfile.mkdtemp())
    environment = runner._environment(reader, 3)
    (reader / "home").mkdir()

    done = subprocess.run(
        [sys.executable, "-I", "-c", "import onnxruntime"], env=environment, capture_output=True, check=True, cwd=reader
    )

    assert done.returncode == 0
    assert environment["ORT_DISABLE_TELEMETRY"] == "1"
    assert "CI" not in environment
    assert list((reader / "home").rglob("*")) == []
    (reader / "home").rmdir()
    reader.rmdir()


def test_the_child_sees_no_secrets_of_its_parent(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("MUSTER_SECRET_KEY", "s3cret")

    assert not any("SECRET" in name for name in runner._environment(tmp_path, 3))


def test_the_child_reads_its_own_folder_and_the_system_but_nothing_else(tmp_path: Path) -> None:
    own, other = tmp_path / "own", tmp_path / "other"
    own.mkdir()
    other.write_text("s3cret")
    script = f"""
import os, sys
sys.path.insert(0, {str(Path(runner.__file__).parent.parent)!r})
from pathlib import Path
from optimize import landlock
if not landlock.restrict(Path({str(own)!r}), landlock.interpreter()):
    print("the kernel has no Landlock")
    sys.exit()
for path in ({str(other)!r}, f"/proc/{{os.getppid()}}/environ"):
    try:
        open(path).read()
        print("read", path)
    except PermissionError:
        pass
(Path({str(own)!r}) / "a").write_text("mine")
import numpy
print("sealed")
"""

    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)

    (own / "a").unlink(missing_ok=True)
    own.rmdir()
    other.unlink()
    assert done.stdout.strip() in ("sealed", "the kernel has no Landlock")


def test_folders_of_killed_workers_are_swept_and_those_of_living_ones_kept() -> None:
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    folder = Path(tempfile.gettempdir())
    (folder / f"muster-optimize-{ended.pid}-abc").mkdir()
    mine = folder / f"muster-optimize-{os.getpid()}-abc"
    mine.mkdir()

    assert runner.sweep() == 1

    assert mine.exists()
    mine.rmdir()


def test_a_killed_worker_leaves_no_child_behind(tmp_path: Path) -> None:
    (tmp_path / "loop.onnx").write_bytes(an_endless_loop())
    script = (
        "import sys; from optimize import runner; print('up', flush=True);"
        "runner.run('describe', {'model': open(sys.argv[1], 'rb').read()})"
    )
    root = str(Path(runner.__file__).parent.parent)
    environment = {"PYTHONPATH": root, "PATH": "/usr/bin:/bin", "TMPDIR": str(tmp_path)}
    worker = subprocess.Popen(
        [sys.executable, "-c", script, str(tmp_path / "loop.onnx")], env=environment, stdout=subprocess.PIPE
    )
    assert worker.stdout is not None
    worker.stdout.readline()
    child = _wait_for_child(worker.pid)

    worker.kill()
    worker.wait()
    worker.stdout.close()

    assert _ends(child)
    assert runner.sweep() == 1
    (tmp_path / "loop.onnx").unlink()


def _wait_for_child(pid: int) -> int:
    """Return the process that has limited itself: it has left our network."""
    for _ in range(2000):
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        for child in children:
            limits = Path(f"/proc/{child}/limits").read_text()
            if "Max core file size        0 " in limits and _is_marked(child):
                return int(child)
        subprocess.run(["true"], check=True)
    raise AssertionError("the worker started no child")


def _is_marked(child: str) -> bool:
    return os.readlink(f"/proc/{child}/ns/net") != os.readlink("/proc/self/ns/net")


def _ends(pid: int) -> bool:
    for _ in range(2000):
        if not Path(f"/proc/{pid}").exists() or "\nState:\tZ" in Path(f"/proc/{pid}/status").read_text():
            return True
        subprocess.run(["true"], check=True)
    return False
