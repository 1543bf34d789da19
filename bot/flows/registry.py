"""Reading a file in a limited child; and what happens after it was registered: its needs are kept."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Final

import msgspec

from bot.context import Context
from core.db import reading
from optimize import runner
from optimize.inspect import LARGEST_BYTES
from optimize.runner import Failed, Limits, Outcome
from releases import registry
from releases.blobs import Blobs
from releases.registry import MODEL, Inspection

log = logging.getLogger(__name__)

LIMITS: Final = Limits(memory_bytes=3_000_000_000, cpu_s=60, wall_s=120.0, file_bytes=1_000_000)
TOO_LARGE: Final = f"is larger than the {LARGEST_BYTES / 1e6:.0f} MB that are read"


def inspect_artifact(ctx: Context, app: str, sha256: str) -> None:
    """Read an artifact and what came beside it; keep the facts, or the sentence why a file is refused. A job."""
    blobs = Blobs(ctx.settings.blob_dir)
    with reading(ctx.databases.control) as session:
        companions = registry.companions_of(session, app=app, artifact=sha256)
    named = {MODEL: sha256} | {role: each.sha256 for role, each in companions.items()}
    found = read(blobs, named)
    with ctx.databases.control.begin() as session:
        for role, each in named.items():
            kept = found[role]
            registry.save_inspection(session, kept, app=app, artifact=sha256, role=role, sha256=each, now=ctx.clock())
        registry.note_read(session, app=app, artifact=sha256)
    log.info(
        "artifact.inspected", extra={"sha256": sha256, "read": sorted(each for each in found if found[each].facts)}
    )


def read(blobs: Blobs, named: Mapping[str, str]) -> dict[str, Inspection]:
    """Read files, which are named by role and digest, in the limited child; every role gets its inspection."""
    too_large = [role for role, each in named.items() if _bytes(blobs, each) > LARGEST_BYTES]
    files = {role: blobs.read(each) for role, each in named.items() if role not in too_large}
    outcome = runner.run("inspect", files, limits=LIMITS)
    why = outcome.sentence if isinstance(outcome, Failed) else "could not be read"
    refused = {role: Inspection(facts=None, refused=why) for role in named}
    refused |= {role: Inspection(facts=None, refused=TOO_LARGE) for role in too_large}
    return refused | {role: each for role, each in _found(outcome).items() if role in named}


def _found(outcome: Outcome) -> dict[str, Inspection]:
    """Return what the child found; it may have been taken over, so nothing that it says is trusted to have a shape."""
    if isinstance(outcome, Failed):
        return {}
    try:
        found = msgspec.convert(dict(outcome.result), dict[str, Inspection])
    except msgspec.ValidationError:
        return {}
    return {role: each for role, each in found.items() if (each.facts is None) != (each.refused is None)}


def _bytes(blobs: Blobs, sha256: str) -> int:
    path = blobs.path(sha256)
    return path.stat().st_size if path else 0
