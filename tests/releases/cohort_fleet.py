"""A fleet of a few kinds of phones, each with its own rate of harm in either arm."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from core.arms import ARMS, ArmName
from core.device import DeviceContext
from releases.leaves import Leaf
from tests.builders import at

CHIPS = ("Helio G35", "Exynos 850", "Tensor G2", "Snapdragon 8")
PHONES = tuple(
    DeviceContext(platform="android", chipset=chip, os=os, accelerator=accelerator)
    for chip in CHIPS for os in ("12", "13", "14") for accelerator in ("nnapi", "gpu", "cpu")
)  # fmt: skip


def a_fleet(
    harm: Callable[[DeviceContext, ArmName], float],
    *,
    seed: int,
    hours: int = 12,
    installs: int = 15,
    metrics: tuple[str, ...] = ("crash_rate", "timeout_rate"),
    phones: Sequence[DeviceContext] = PHONES,
) -> list[Leaf]:
    """Return the cells of so many hours; `installs` of each kind of phone in each arm."""
    random = np.random.default_rng(seed)
    return [
        Leaf(hour=at(hour), device=device, arm=arm, metric=metric, n=installs, total=total, total_sq=total)
        for hour in range(hours)
        for device in phones
        for arm in ARMS
        for metric in metrics
        for total in [float(random.binomial(installs, harm(device, arm)))]
    ]
