"""Compatibility: which artifacts run on a device, and which of several it should run.

An install is never offered an artifact outside its limits. A limit that cannot be checked because the phone did not
tell the fact counts as not met; only the runtime is taken on trust, since an app is built with one. Pure.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from core.device import DeviceContext
from core.versions import compare
from releases.artifacts import Artifact, os_limit


def why_not(artifact: Artifact, device: DeviceContext) -> tuple[str, ...]:
    """Return every reason why the artifact does not run on the device; nothing means it runs."""
    checks = (_quarantine(artifact), _runtime(artifact, device), _app(artifact, device), _os(artifact, device),
              _ram(artifact, device), _accelerator(artifact, device))  # fmt: skip
    return tuple(reason for reason in checks if reason)


def runnable(artifacts: Iterable[Artifact], device: DeviceContext) -> tuple[Artifact, ...]:
    """Return the artifacts that run on the device, the most demanding one first: it is the one made for such devices.

    Made for the device's accelerator before made for any; then by memory needed, size, and digest.
    """
    fitting = [artifact for artifact in artifacts if not why_not(artifact, device)]
    return tuple(sorted(fitting, key=_demands, reverse=True))


@dataclass(frozen=True, slots=True, kw_only=True)
class Gap:
    """Devices of a kind on which no artifact runs, and why."""

    reason: str
    installs: int


def gaps(artifacts: tuple[Artifact, ...], devices: Iterable[tuple[DeviceContext, int]]) -> tuple[Gap, ...]:
    """Return what leaves devices (each with its installs) without a runnable artifact, most installs first."""
    lost: dict[str, int] = {}
    for device, installs in devices:
        if not runnable(artifacts, device):
            reasons = sorted({"; ".join(why_not(artifact, device)) for artifact in artifacts}) or ["no artifact"]
            key = " / ".join(reasons)
            lost[key] = lost.get(key, 0) + installs
    found = (Gap(reason=reason, installs=installs) for reason, installs in lost.items())
    return tuple(sorted(found, key=lambda gap: (-gap.installs, gap.reason)))


def _demands(artifact: Artifact) -> tuple[bool, float, int, str]:
    return bool(artifact.accelerators), artifact.min_ram_gb or 0.0, artifact.size_bytes, artifact.sha256


def _quarantine(artifact: Artifact) -> str | None:
    return f"{artifact.name} was rolled back and is quarantined" if artifact.quarantined else None


def _runtime(artifact: Artifact, device: DeviceContext) -> str | None:
    if artifact.runtime is None or device.runtime is None:
        return None
    needed, needed_version = _split(artifact.runtime)
    has, has_version = _split(device.runtime.lower())
    if needed == has and (needed_version is None or _at_least(has_version, needed_version)):
        return None
    return f"needs runtime {artifact.runtime}"


def _app(artifact: Artifact, device: DeviceContext) -> str | None:
    if artifact.min_app is None or _at_least(device.app_version, artifact.min_app):
        return None
    return f"needs app {artifact.min_app}"


def _os(artifact: Artifact, device: DeviceContext) -> str | None:
    limit = os_limit(artifact.min_os) if artifact.min_os else None
    if limit is None:
        return None
    platform, version = limit
    if platform in (None, device.platform) and _at_least(device.os, version):
        return None
    return f"needs {artifact.min_os if platform else 'OS ' + version}"


def _ram(artifact: Artifact, device: DeviceContext) -> str | None:
    if artifact.min_ram_gb is None or (device.ram_gb is not None and device.ram_gb >= artifact.min_ram_gb):
        return None
    return f"needs {artifact.min_ram_gb:g} GB of memory"


def _accelerator(artifact: Artifact, device: DeviceContext) -> str | None:
    if not artifact.accelerators or (device.accelerator or "").lower() in artifact.accelerators:
        return None
    return "needs accelerator " + " or ".join(artifact.accelerators)


def _at_least(has: str | None, needed: str) -> bool:
    order = compare(has, needed) if has is not None else None
    return order is not None and order >= 0


def _split(runtime: str) -> tuple[str, str | None]:
    """Split "tflite-2.16" into ("tflite", "2.16")."""
    name, dash, version = runtime.rpartition("-")
    return (name, version) if dash and version[:1].isdigit() else (runtime, None)
