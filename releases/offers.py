"""Offers: which variant an install is told to run, by its device, its bucket and how far the release has got.

An install is offered the candidate only if the release's segment matches it, a candidate file runs on it, and its
bucket is under the stage's share. Everybody else gets the baseline; where no file of it runs, the app keeps the model
it was built with. Pure.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from core.device import DeviceContext
from core.segments import matches
from releases import buckets
from releases.artifacts import Artifact
from releases.compatibility import runnable
from releases.plan import Release
from releases.states import Rollout, State

Reason = Literal["STATIC", "TARGETING_MATCH", "SPLIT", "DISABLED"]
"""Reasons of OFREP 0.3.0."""
SPLITTING = frozenset({State.PROGRESSING, State.PAUSED, State.HALTED})


@dataclass(frozen=True, slots=True, kw_only=True)
class Live:
    """A release that phones can notice, with its files. While it rolls back nobody is offered the candidate."""

    release: Release
    rollout: Rollout
    candidates: tuple[Artifact, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Slot:
    """One model of one app: the baseline's files and the live release, if any."""

    model: str
    baselines: tuple[Artifact, ...]
    live: Live | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """`artifact` is None when the app keeps its built-in model. `fallback`: other files of the same version that run
    on the device, the next best first. `arm` is "none" for installs that the comparison leaves out."""

    model: str
    artifact: Artifact | None
    fallback: tuple[Artifact, ...] = ()
    arm: buckets.Arm = "none"
    release_id: str | None = None
    reason: Reason
    why: str


def offer(install: str, device: DeviceContext, slot: Slot) -> Offer:
    """Return what the install runs now. The same facts always give the same offer."""
    baselines = runnable(slot.baselines, device)
    if slot.live is None:
        ruled = len(slot.baselines) > 1
        return _offer(slot, baselines, reason="TARGETING_MATCH" if ruled else "STATIC", why="no release is live")
    live = slot.live
    if live.rollout.state not in SPLITTING:
        return _offer(slot, baselines, reason="TARGETING_MATCH", why="the release was rolled back")
    if not matches(live.release.plan.segment, device):
        return _offer(slot, baselines, reason="TARGETING_MATCH", why="the release is not for this device")
    candidates = runnable(live.candidates, device)
    if not candidates:
        return _offer(slot, baselines, reason="TARGETING_MATCH", why="no file of the candidate runs on this device")
    percent = live.release.plan.stages[live.rollout.stage].percent
    arm = buckets.arm(buckets.bucket(live.release.salt, install), percent)
    if arm == "candidate" and live.rollout.state is State.HALTED and not holds_candidate(device, slot, live.release):
        return _offer(slot, baselines, reason="TARGETING_MATCH", why="the release is halted")
    if arm == "candidate":
        return _offer(slot, candidates, reason="SPLIT", why="the bucket is under the share", arm=arm)
    return _offer(slot, baselines, reason="SPLIT", why="the bucket is outside the share", arm=arm)


def holds_candidate(device: DeviceContext, slot: Slot, release: Release) -> bool:
    """Return whether the phone says that it runs the candidate already (`model.version` in its context)."""
    return device.model in (None, slot.model) and device.model_version == release.candidate_version


def _offer(slot: Slot, files: tuple[Artifact, ...], *, reason: Reason, why: str, arm: buckets.Arm = "none") -> Offer:
    release_id = slot.live.release.id if slot.live else None
    if not files:
        missing = "no file of the baseline runs on this device" if slot.baselines else "the model has no baseline yet"
        return Offer(model=slot.model, artifact=None, arm=arm, release_id=release_id, reason="DISABLED", why=missing)
    return Offer(model=slot.model, artifact=files[0], fallback=files[1:], arm=arm, release_id=release_id,
                 reason=reason, why=why)  # fmt: skip
