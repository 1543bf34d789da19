"""Artifact: one immutable model file, named by its SHA-256, and the limits within which it runs. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from core.errors import InvalidInputError, Problem
from core.values import MODEL_NAME, NO_MODEL_NAME
from core.versions import version_key

VARIANT_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
WORD: Final = re.compile(r"[a-z0-9][a-z0-9._+-]{0,63}")
SHA256: Final = re.compile(r"[0-9a-f]{64}")
MIN_OS: Final = re.compile(r"(?:([a-z]+)\s*(?:>=)?\s*)?(\d[0-9A-Za-z.+-]*)")
FIELDS: Final = frozenset(
    {"model", "version", "variant", "runtime", "min_app", "min_os", "min_ram_gb", "accelerators", "baseline", "unread"}
)
BESIDE: Final = frozenset({"trained", "eval", "calib", "train_script"})  # stated with it, and no part of it
TRUE_WORDS: Final = frozenset({"1", "true", "yes"})
FALSE_WORDS: Final = frozenset({"", "0", "false", "no"})
MAX_RAM_GB: Final = 4096.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Artifact:
    """One file of one model version for one runtime.

    `min_os` is a version ("12") or a platform and a version ("android 12": then it runs on that platform only).
    No `accelerators` means any. `is_baseline`: what phones run before the first release of the model completes.
    `made_from`: the parent's digest of a variant, `made_by` the recipe. `awaits_reading`: it is not offered as baseline
    before it was read.
    """

    sha256: str
    model: str
    version: str
    variant: str = "default"
    size_bytes: int = 0
    runtime: str | None = None
    min_app: str | None = None
    min_os: str | None = None
    min_ram_gb: float | None = None
    accelerators: tuple[str, ...] = ()
    is_baseline: bool = False
    quarantined: bool = False
    made_from: str | None = None
    made_by: str | None = None
    awaits_reading: bool = False

    @property
    def name(self) -> str:
        return f"{self.model}@{self.version} ({self.variant})"


def read_artifact(sha256: str, told: Mapping[str, str]) -> Artifact:
    """Read what a registration states about a file, all values as text.

    Raises: InvalidInputError: with every mistake.
    """
    problems = [Problem(name, "is not known; known are " + ", ".join(sorted(FIELDS | BESIDE))) for name in sorted(told)
                if name not in FIELDS]  # fmt: skip
    if not SHA256.fullmatch(sha256):
        problems.append(Problem("sha256", "must be 64 lower-case hexadecimal digits"))
    model, version = told.get("model", ""), told.get("version", "")
    variant = told.get("variant", "default")
    if not MODEL_NAME.fullmatch(model):
        problems.append(Problem("model", NO_MODEL_NAME))
    if len(version) > 64 or version_key(version) is None:
        problems.append(Problem("version", "must be a version such as 1.4.0"))
    if not VARIANT_NAME.fullmatch(variant):
        problems.append(Problem("variant", "must be letters, digits, dots and dashes, such as int8"))
    limits = _limits(told, problems)
    if problems:
        raise InvalidInputError(*problems)
    return Artifact(sha256=sha256, model=model, version=version, variant=variant, **limits)  # type: ignore[arg-type]


def _limits(told: Mapping[str, str], problems: list[Problem]) -> dict[str, object]:
    min_app, min_os = told.get("min_app") or None, (told.get("min_os") or "").lower() or None
    if min_app is not None and version_key(min_app) is None:
        problems.append(Problem("min_app", "must be a version such as 5.4"))
    if min_os is not None and os_limit(min_os) is None:
        problems.append(Problem("min_os", 'must be a version or a platform and a version, such as "android 12"'))
    runtime = told.get("runtime", "").lower() or None
    words = {word.strip().lower() for word in told.get("accelerators", "").split(",")} - {""}
    for path, named in (("runtime", {runtime} - {None}), ("accelerators", words)):
        if not all(WORD.fullmatch(str(word)) for word in named):
            problems.append(Problem(path, "must be letters, digits, dots and dashes, such as tflite-2.16 or nnapi"))
    return {
        "runtime": runtime,
        "min_app": min_app,
        "min_os": min_os,
        "min_ram_gb": _gigabytes(told.get("min_ram_gb"), problems),
        "accelerators": tuple(sorted(words)),
        "is_baseline": _flag(told, "baseline", problems),
        "awaits_reading": not _flag(told, "unread", problems),
    }


def _flag(told: Mapping[str, str], name: str, problems: list[Problem]) -> bool:
    word = told.get(name, "").lower()
    if word not in TRUE_WORDS | FALSE_WORDS:
        problems.append(Problem(name, "must be true or false"))
    return word in TRUE_WORDS


def _gigabytes(text: str | None, problems: list[Problem]) -> float | None:
    if not text:
        return None
    try:
        number = float(text)
    except ValueError:
        number = -1.0
    if not 0 < number <= MAX_RAM_GB:
        problems.append(Problem("min_ram_gb", "must be a number of gigabytes, such as 3 or 1.5"))
        return None
    return number


def os_limit(min_os: str) -> tuple[str | None, str] | None:
    """Return (platform or None, least version) of a `min_os`, or None if it cannot be read."""
    found = MIN_OS.fullmatch(min_os.strip().lower())
    if found is None or version_key(found[2]) is None:
        return None
    return found[1], found[2]
