"""Runs a task on hostile bytes in a limited child process, and outlives whatever the child does.

The child has a process group, a folder and an environment of its own, limits on memory, CPU time, file size and open
files, no network where the system allows that, and a wall clock. When it ends, or is ended, nothing of it is left.
"""

from __future__ import annotations

import contextlib
import json
import os
import selectors
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final, Literal

Why = Literal["refused", "memory", "time", "crash", "cancelled"]
_CHILD: Final = Path(__file__).with_name("child.py")
_PREFIX: Final = "muster-optimize-"
_LONGEST_LINE: Final = 4_000_000
_POLL_S: Final = 0.1
_PROGRESS_FD_NAME: Final = "MUSTER_PROGRESS_FD"


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    memory_bytes: int = 4_000_000_000
    cpu_s: int = 120
    wall_s: float = 300.0
    file_bytes: int = 1_000_000_000
    open_files: int = 256


@dataclass(frozen=True, slots=True, kw_only=True)
class Finished:
    """`files`: what the child made, by name."""

    result: Mapping[str, Any]
    files: Mapping[str, bytes]
    cpu_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Failed:
    """One sentence, without a subject: "used more than the 30 s of CPU time allowed"."""

    why: Why
    sentence: str
    cpu_s: float = 0.0


Outcome = Finished | Failed


@dataclass(slots=True)
class _Heard:
    """What the child has said so far."""

    result: Mapping[str, Any] | None = None
    failed: Failed | None = None
    buffer: bytearray = field(default_factory=bytearray)
    cpu_s: float = 0.0


def run(
    task: str,
    files: Mapping[str, bytes],
    params: Mapping[str, Any] | None = None,
    *,
    limits: Limits | None = None,
    on_progress: Callable[[str], None] = lambda _sentence: None,
    is_cancelled: Callable[[], bool] = lambda: False,
) -> Outcome:
    """Run `task` (see optimize.tasks) on the files and wait for its outcome. Never raises for what the child does."""
    limits = limits or Limits()
    with _folder() as folder:
        for name, content in files.items():
            (folder / "in" / name).write_bytes(content)
        request = {"task": task, "params": dict(params or {}), "limits": asdict(limits), "worker": os.getpid()}
        (folder / "request.json").write_text(json.dumps(request))
        heard = _Heard()
        status = _supervise(folder, limits, heard, on_progress, is_cancelled)
        failed = heard.failed or _failure(status, heard, limits, folder)
        if failed:
            return Failed(why=failed.why, sentence=failed.sentence, cpu_s=heard.cpu_s)
        return Finished(result=heard.result or {}, files=dict(_made(folder / "out", limits)), cpu_s=heard.cpu_s)


def sweep() -> int:
    """Remove folders that workers left which were killed themselves; return how many."""
    swept = 0
    for folder in Path(tempfile.gettempdir()).glob(f"{_PREFIX}*"):
        owner = folder.name.removeprefix(_PREFIX).split("-")[0]
        if owner.isdecimal() and not Path(f"/proc/{owner}").exists() and _is_gone(int(owner)):
            shutil.rmtree(folder, ignore_errors=True)
            swept += 1
    return swept


@contextlib.contextmanager
def _folder() -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix=f"{_PREFIX}{os.getpid()}-"))
    try:
        for name in ("in", "out", "home"):
            (folder / name).mkdir()
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _environment(folder: Path, progress: int) -> dict[str, str]:
    """Return the child's whole environment. ONNX Runtime 1.29 and newer phones home unless told before its import."""
    home = str(folder / "home")
    return {
        "PATH": "/usr/bin:/bin", "HOME": home, "TMPDIR": home, "XDG_CACHE_HOME": home, "LANG": "C.UTF-8",
        "ORT_DISABLE_TELEMETRY": "1", "PYTHONHASHSEED": "0", "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1",
        "MKL_NUM_THREADS": "1", _PROGRESS_FD_NAME: str(progress),
    }  # fmt: skip


def _supervise(
    folder: Path,
    limits: Limits,
    heard: _Heard,
    on_progress: Callable[[str], None],
    is_cancelled: Callable[[], bool],
) -> int | None:
    """Start the child, listen until it ends, breaks a limit or is cancelled; return its status, None when ended."""
    reader, writer = os.pipe()
    os.set_blocking(reader, False)
    with open(folder / "words", "wb") as words:
        child = subprocess.Popen(
            [sys.executable, "-s", "-P", str(_CHILD), str(folder)],  # not -I: the hash seed comes from the environment
            stdin=subprocess.DEVNULL,
            stdout=words,
            stderr=words,
            cwd=folder / "home",
            env=_environment(folder, writer),
            pass_fds=(writer,),
            start_new_session=True,
        )
    os.close(writer)
    try:
        return _listen(child, reader, limits, heard, on_progress, is_cancelled)
    finally:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(child.pid, signal.SIGKILL)
        child.wait()
        os.close(reader)


def _listen(
    child: subprocess.Popen[bytes],
    reader: int,
    limits: Limits,
    heard: _Heard,
    on_progress: Callable[[str], None],
    is_cancelled: Callable[[], bool],
) -> int | None:
    ends = time.monotonic() + limits.wall_s
    with selectors.DefaultSelector() as selector:
        selector.register(reader, selectors.EVENT_READ)
        while child.poll() is None:
            if is_cancelled():
                heard.failed = Failed(why="cancelled", sentence="was cancelled")
                return None
            if time.monotonic() > ends:
                heard.failed = Failed(why="time", sentence=f"took longer than the {limits.wall_s:g} s allowed")
                return None
            if selector.select(_POLL_S) and not _read(reader, heard, on_progress):
                break
    status = _wait(child)
    while _read(reader, heard, on_progress):
        pass
    return status


def _wait(child: subprocess.Popen[bytes]) -> int:
    """Wait for a child that has closed its pipe; one that goes on regardless is ended."""
    try:
        return child.wait(5)
    except subprocess.TimeoutExpired:
        child.kill()
        return child.wait()


def _read(reader: int, heard: _Heard, on_progress: Callable[[str], None]) -> bool:
    """Take what is in the pipe; return whether there may be more."""
    try:
        chunk = os.read(reader, 65_536)
    except BlockingIOError:
        return False
    heard.buffer += chunk
    if len(heard.buffer) > _LONGEST_LINE:
        heard.buffer.clear()
    while (end := heard.buffer.find(b"\n")) >= 0:
        line = bytes(heard.buffer[:end])
        del heard.buffer[: end + 1]
        _take(line, heard, on_progress)
    return bool(chunk)


def _take(line: bytes, heard: _Heard, on_progress: Callable[[str], None]) -> None:
    """Take one line of the child; it may have been taken over, so nothing in it is trusted to have a shape."""
    try:
        said = json.loads(line)
    except ValueError:
        return
    if not isinstance(said, dict):
        return
    heard.cpu_s = float(said["cpu_s"]) if isinstance(said.get("cpu_s"), int | float) else heard.cpu_s
    if isinstance(said.get("progress"), str):
        on_progress(said["progress"][:300])
    elif isinstance(said.get("result"), dict):
        heard.result = said["result"]
    elif isinstance(said.get("failed"), str):
        why: Why = "memory" if said.get("why") == "memory" else "refused"
        heard.failed = Failed(why=why, sentence=said["failed"][:500])


def _failure(status: int | None, heard: _Heard, limits: Limits, folder: Path) -> Failed | None:
    """Return what went wrong with a child that did not say so itself."""
    if status == 0 and heard.result is not None:
        return None
    if status == -signal.SIGXCPU or (status == -signal.SIGKILL and heard.cpu_s >= limits.cpu_s):
        return Failed(why="time", sentence=f"used more than the {limits.cpu_s} s of CPU time allowed")
    if status == -signal.SIGXFSZ:
        return Failed(why="memory", sentence=f"wrote more than the {limits.file_bytes / 1e6:.0f} MB allowed")
    words = _last_words(folder)
    if "bad_alloc" in words or "MemoryError" in words or "Cannot allocate memory" in words:
        return Failed(
            why="memory", sentence=f"needs more than the {limits.memory_bytes / 1e9:.3g} GB of memory allowed"
        )
    if status is not None and status < 0:
        return Failed(why="crash", sentence=f"crashed the process that runs it ({signal.Signals(-status).name})")
    return Failed(why="crash", sentence=f"ended without a result: {words or 'no words'}")


def _last_words(folder: Path) -> str:
    with open(folder / "words", "rb") as words:
        words.seek(max(0, os.fstat(words.fileno()).st_size - 2000))
        lines = [line for line in words.read().decode("utf-8", "replace").splitlines() if line.strip()]
    return lines[-1][:300] if lines else ""


def _made(folder: Path, limits: Limits) -> Iterator[tuple[str, bytes]]:
    """Yield the regular files that the child made; a link could point anywhere."""
    for entry in sorted(os.scandir(folder), key=lambda entry: entry.name)[:16]:
        handle = os.open(entry.path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
        with open(handle, "rb") as file:
            status = os.fstat(handle)
            if stat.S_ISREG(status.st_mode) and status.st_nlink == 1 and status.st_size <= limits.file_bytes:
                yield entry.name, file.read(limits.file_bytes)


def _is_gone(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    except PermissionError:
        return False
    return False
