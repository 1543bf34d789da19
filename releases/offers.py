"""Offers: which variant an install is told to run, by its device, its bucket and how far the release has got.

An install is offered the candidate only if the release's segment matches it, a candidate file runs on it, its cohort
is not stopped, it is not held back, and its bucket is under the stage's share. Everybody else gets what stood before;
where no file of that runs, the app keeps the model it was built with. Pure.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

from core.device import DeviceContext
from core.segments import matches
from releases import buckets, throttles
from releases.artifacts import Artifact
from releases.compatibility import runnable
from releases.plan import Release
from releases.states import Rollout, State
from releases.throttles import UNLIMITED, Throttle

Reason = Literal["STATIC", "TARGETING_MATCH", "SPLIT", "DISABLED"]
"""Reasons of OFREP 0.3.0."""
SPLITTING = frozenset({State.PROGRESSING, State.PAUSED, State.HALTED})


@dataclass(frozen=True, slots=True, kw_only=True)
class Live:
    """A release that phones can notice, with its files. While it rolls back nobody is offered the candidate."""

    release: Release
    rollout: Rollout
    candidates: tuple[Artifact, ...]
    rivals: tuple[Artifact, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """A completed release that did not reach everybody, and what the others have instead."""

    live: Live
    baselines: tuple[Artifact, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Slot:
    """One model of one app: the baseline's files and the live release, if any.

    `standing`: the completed releases whose candidates the baseline is, the newest first, down to one that reached
    everybody; empty when the baseline is everybody's.
    """

    model: str
    baselines: tuple[Artifact, ...]
    live: Live | None = None
    standing: tuple[Standing, ...] = ()
    throttles: tuple[Throttle, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """`artifact` is None when the app keeps its built-in model. `fallback`: what to run instead, the next best first:
    other files of the same version, then those of the baseline. `arm` is "none" for installs that the comparison leaves
    out. `release_id` is what telemetry echoes; a rival reports under an id of its own."""

    model: str
    artifact: Artifact | None
    fallback: tuple[Artifact, ...] = ()
    arm: buckets.Arm = "none"
    release_id: str | None = None
    reason: Reason
    why: str
    throttle: Throttle = UNLIMITED


def offer(install: str, device: DeviceContext, slot: Slot) -> Offer:
    """Return what the install runs now. The same facts always give the same offer."""
    throttle = throttles.for_device(slot.throttles, device)
    if throttle.runs != "device":
        where = "the cloud" if throttle.runs == "cloud" else "the built-in model"
        release_id = slot.live.release.id if slot.live else None
        return Offer(model=slot.model, artifact=None, release_id=release_id, reason="TARGETING_MATCH",
                     why=f"a throttle sends this device to {where}", throttle=throttle)  # fmt: skip
    return replace(_offer_of(install, device, slot), throttle=throttle)


def rival_id(release: Release) -> str:
    """Return the id under which phones with the rival report, as its candidate arm."""
    return f"{release.id}.b"


def _offer_of(install: str, device: DeviceContext, slot: Slot) -> Offer:
    files, changed = _standing(install, device, slot)
    baselines = runnable(files, device)
    if slot.live is None:
        ruled = len(slot.baselines) > 1 or changed is not None
        return _offer(slot, baselines, reason="TARGETING_MATCH" if ruled else "STATIC",
                      why=changed or "no release is live")  # fmt: skip
    live = slot.live
    why_none = _left_out(device, live)
    candidates = runnable(live.candidates, device)
    rivals = runnable(live.rivals, device)
    if why_none is None and (not candidates or (live.rivals and not rivals)):
        why_none = "no file of the candidate runs on this device"
    if why_none is not None:
        return _offer(slot, baselines, reason="TARGETING_MATCH", why=why_none)
    release, percent = live.release, live.release.plan.stages[live.rollout.stage].percent
    if buckets.is_held_back(release.holdback_salt, install, release.plan.holdback):
        # With everybody else on the candidate, those held back are what it is compared with.
        arm: buckets.Arm = "baseline" if percent >= 100 else "none"
        return _offer(slot, baselines, reason="SPLIT", why="the install is held back", arm=_fair(arm, changed))
    if live.rivals:
        return _compare(install, device, slot, live, baselines, (candidates, rivals))
    return _split(install, device, slot, live, baselines, candidates, changed)


def _split(
    install: str,
    device: DeviceContext,
    slot: Slot,
    live: Live,
    baselines: tuple[Artifact, ...],
    candidates: tuple[Artifact, ...],
    changed: str | None,
) -> Offer:
    percent = live.release.plan.stages[live.rollout.stage].percent
    arm = buckets.arm(buckets.bucket(live.release.salt, install), percent)
    if arm != "candidate":
        why = "the bucket is outside the share"
        return _offer(slot, baselines, reason="SPLIT", why=why, arm=_fair(arm, changed))
    stopped = _stopped(device, slot, live, live.release.candidate_version)
    if stopped is not None:
        return _offer(slot, baselines, reason="TARGETING_MATCH", why=stopped)
    return _offer(slot, candidates, reason="SPLIT", why="the bucket is under the share", arm=arm, then=baselines)


def _compare(
    install: str,
    device: DeviceContext,
    slot: Slot,
    live: Live,
    baselines: tuple[Artifact, ...],
    both: tuple[tuple[Artifact, ...], tuple[Artifact, ...]],
) -> Offer:
    """Return the offer of an install while two candidates are compared."""
    release, percent = live.release, live.release.plan.stages[live.rollout.stage].percent
    arm = buckets.one_of_three(buckets.bucket(release.salt, install), percent)
    if arm in ("baseline", "none"):
        why = "the bucket is in neither candidate's share"
        return _offer(slot, baselines, reason="SPLIT", why=why, arm="baseline" if arm == "baseline" else "none")
    version = release.candidate_version if arm == "candidate" else release.rival_version
    stopped = _stopped(device, slot, live, version)
    if stopped is not None:
        return _offer(slot, baselines, reason="TARGETING_MATCH", why=stopped)
    files = both[0] if arm == "candidate" else both[1]
    found = _offer(slot, files, reason="SPLIT", why=f"the bucket is the {arm}'s", arm="candidate", then=baselines)
    return found if arm == "candidate" else replace(found, release_id=rival_id(release))


def _left_out(device: DeviceContext, live: Live) -> str | None:
    if live.rollout.state not in SPLITTING:
        return "the release was rolled back"
    return None if matches(live.release.plan.segment, device) else "the release is not for this device"


def _holds(device: DeviceContext, slot: Slot, version: str | None) -> bool:
    return device.model in (None, slot.model) and version is not None and device.model_version == version


def _stopped(device: DeviceContext, slot: Slot, live: Live, version: str | None) -> str | None:
    """Return why an install under the share does not get the version, None when it does."""
    holds = _holds(device, slot, version)
    if live.rollout.state is State.HALTED and not holds:
        return "the release is halted"
    stop = live.rollout.stop_of(device)
    if stop is None or (holds and not stop.returns):
        return None
    return "the release was rolled back for this cohort" if stop.returns else "the release is halted for this cohort"


def _standing(install: str, device: DeviceContext, slot: Slot) -> tuple[tuple[Artifact, ...], str | None]:
    """Return the files that stand for this install, and why they are not the baseline's, None when they are."""
    files, why = slot.baselines, None
    for standing in slot.standing:
        release, reason = standing.live.release, None
        if not matches(release.plan.segment, device):
            reason = "the last release was not for this device"
        elif buckets.is_held_back(release.holdback_salt, install, release.plan.holdback):
            reason = "the install is held back"
        else:
            reason = _stopped(device, slot, standing.live, release.candidate_version)
        if reason is None:
            return files, why
        files, why = standing.baselines, reason
    return files, why


def _fair(arm: buckets.Arm, changed: str | None) -> buckets.Arm:
    """Leave out of the comparison who is not on the baseline that the candidate is compared with."""
    return "none" if changed else arm


def _offer(
    slot: Slot,
    files: tuple[Artifact, ...],
    *,
    reason: Reason,
    why: str,
    arm: buckets.Arm = "none",
    then: tuple[Artifact, ...] = (),
) -> Offer:
    release_id = slot.live.release.id if slot.live else None
    if not files:
        missing = "no file of the baseline runs on this device" if slot.baselines else "the model has no baseline yet"
        return Offer(model=slot.model, artifact=None, arm=arm, release_id=release_id, reason="DISABLED", why=missing)
    fallback = (*files[1:], *(artifact for artifact in then if artifact not in files))
    return Offer(model=slot.model, artifact=files[0], fallback=fallback, arm=arm, release_id=release_id,
                 reason=reason, why=why)  # fmt: skip
