"""The limited child's first and last words. Started by optimize.runner as a script; limits itself before it reads."""

from __future__ import annotations

import ctypes
import json
import os
import resource
import signal
import sys
from pathlib import Path
from typing import Any

_CLONE_NEWUSER_AND_NET = 0x1000_0000 | 0x4000_0000
_PR_SET_PDEATHSIG = 1
POLITENESS = 10


def main() -> None:
    folder = Path(sys.argv[1])
    progress = open(int(os.environ.pop("MUSTER_PROGRESS_FD")), "w", buffering=1)  # noqa: SIM115, TID251
    request = json.loads((folder / "request.json").read_text())
    end_with(request["worker"])
    limit(request["limits"])
    if os.getppid() != request["worker"]:
        os._exit(1)  # the worker died before the kernel knew that this should end with it
    sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
    from optimize import landlock

    landlock.restrict(folder, landlock.interpreter())

    def say(**words: Any) -> None:
        progress.write(json.dumps({**words, "cpu_s": _cpu_s()}) + "\n")

    try:
        task = _task(request["task"])
        say(result=task(folder, request["params"], lambda sentence: say(progress=sentence)))
    except MemoryError:
        say(
            failed=f"needs more than the {request['limits']['memory_bytes'] / 1e9:.3g} GB of memory allowed",
            why="memory",
        )
    except Exception as error:  # the child's edge: every failure becomes one sentence for the parent
        sentence, is_memory = _sentence(error, request["limits"])
        say(failed=sentence, why="memory" if is_memory else "refused")
    progress.close()
    # Destructors of a hostile model's session are not worth waiting for.
    os._exit(0)


def _task(name: str) -> Any:
    """Import only what the task needs: inspecting a file takes neither onnx nor ONNX Runtime."""
    if name == "inspect":
        from optimize.inspection import inspect

        return inspect
    from optimize import tasks

    return tasks.TASKS[name]


def end_with(worker: int) -> None:
    """Be ended when the worker is, also when it was before this could be arranged."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != worker:
        os._exit(1)


def limit(limits: dict[str, Any]) -> None:
    """Give up what the child does not need, for good: phones' answers come before it, too."""
    os.nice(POLITENESS)
    for kind, value in (
        (resource.RLIMIT_AS, limits["memory_bytes"]),
        (resource.RLIMIT_FSIZE, limits["file_bytes"]),
        (resource.RLIMIT_NOFILE, limits["open_files"]),
        (resource.RLIMIT_CORE, 0),
    ):
        resource.setrlimit(kind, (value, value))
    resource.setrlimit(resource.RLIMIT_CPU, (limits["cpu_s"], limits["cpu_s"] + 2))
    if sys.platform == "linux":
        ctypes.CDLL(None).unshare(_CLONE_NEWUSER_AND_NET)  # no network, where the kernel allows to give it up


def _cpu_s() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return round(used.ru_utime + used.ru_stime, 3)


def _sentence(error: Exception, limits: dict[str, Any]) -> tuple[str, bool]:
    words = " ".join(str(error).split())
    allowed = f"needs more than the {limits['memory_bytes'] / 1e9:.3g} GB of memory allowed"
    if any(sign in words for sign in ("bad_alloc", "Failed to allocate", "Unable to allocate", "bad allocation")):
        return allowed, True
    if type(error).__module__.startswith("onnxruntime"):
        return f"is refused by ONNX Runtime: {words[:240]}", False
    if type(error).__module__.startswith("onnx"):
        return f"is refused by the ONNX checker: {words[:240]}", False
    return words[:300] or type(error).__name__, False


if __name__ == "__main__":
    main()
