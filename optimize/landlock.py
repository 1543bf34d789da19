"""Leaves a process the few places of the disk that it needs, for good, by Landlock; where the kernel has it.

What a hostile model or a training script does then cannot read the worker's databases, keys or environment: Landlock
also keeps it from looking into processes outside. https://docs.kernel.org/userspace-api/landlock.html
"""

from __future__ import annotations

import ctypes
import os
import struct
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Final

_CREATE, _ADD, _RESTRICT = 444, 445, 446
_ADD_PATH: Final = 1
_NO_NEW_PRIVILEGES: Final = 38
_EXECUTE, _WRITE_FILE, _READ_FILE, _READ_DIR = 1, 2, 4, 8
_READ: Final = _EXECUTE | _READ_FILE | _READ_DIR
_ALL_OF_FIRST_VERSION: Final = (1 << 13) - 1
_OF_FILES: Final = _EXECUTE | _WRITE_FILE | _READ_FILE
# The system, and what numeric libraries read about the processor and themselves.
_SYSTEM: Final = (
    "/usr", "/lib", "/lib64", "/bin", "/etc", "/opt", "/sys/devices/system", "/proc/self", "/proc/cpuinfo",
    "/proc/meminfo", "/proc/stat", "/proc/sys", "/dev/null", "/dev/zero", "/dev/urandom",
)  # fmt: skip


def restrict(own: Path, readable: Iterable[str]) -> bool:
    """Leave this process its own folder, and the system and `readable` to read; return whether that was possible."""
    if sys.platform != "linux":
        return False
    system = ctypes.CDLL(None, use_errno=True)
    ruleset = system.syscall(_CREATE, ctypes.byref(ctypes.c_uint64(_ALL_OF_FIRST_VERSION)), 8, 0)
    if ruleset < 0:
        return False
    for path in (*_SYSTEM, *readable):
        _allow(system, ruleset, path, _READ)
    _allow(system, ruleset, "/dev/null", _READ | _WRITE_FILE)
    _allow(system, ruleset, "/proc/self", _READ | _WRITE_FILE)
    _allow(system, ruleset, str(own), _ALL_OF_FIRST_VERSION)
    system.prctl(_NO_NEW_PRIVILEGES, 1, 0, 0, 0)
    done = bool(system.syscall(_RESTRICT, ruleset, 0) == 0)
    os.close(ruleset)
    return done


def interpreter() -> set[str]:
    """Return where this Python and its packages lie."""
    return {str(Path(path).resolve()) for path in (sys.prefix, sys.base_prefix, *sys.path) if path}


def _allow(system: ctypes.CDLL, ruleset: int, path: str, access: int) -> None:
    try:
        handle = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except OSError:
        return
    allowed = access if os.path.isdir(path) else access & _OF_FILES
    system.syscall(_ADD, ruleset, _ADD_PATH, ctypes.c_char_p(struct.pack("<Qi", allowed, handle)), 0)
    os.close(handle)
