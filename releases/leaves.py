"""Leaves: what phones told, by kind of device and event hour, as arrays that any cohort is a sum of. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np
import numpy.typing as npt

from core.arms import ARMS, ArmName
from core.device import DeviceContext
from core.segments import EVERYONE, Segment, matches
from releases.measurements import Arm, Kind, Measurement, Stratum

__all__ = ["Flags", "Leaf", "Numbers", "Table", "tabulate"]

Numbers = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]
N, TOTAL, SQUARES = range(3)


@dataclass(frozen=True, slots=True, kw_only=True)
class Leaf:
    """One arm's sums in one event hour on devices that are alike in all they tell."""

    hour: datetime
    device: DeviceContext
    arm: ArmName
    metric: str
    n: int
    total: float
    total_sq: float = 0.0
    kind: Kind = "rate"
    stratum: str = "all"


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """`sums[metric]` has the axes arm, sum (n, total, squares), device and hour."""

    devices: tuple[DeviceContext, ...]
    strata: tuple[str, ...]
    hours: tuple[datetime, ...]
    kinds: Mapping[str, Kind]
    sums: Mapping[str, Numbers]

    def rows(self, *, where: Segment = EVERYONE, without: Iterable[Segment] = ()) -> Flags:
        """Return which devices are in the segment and in none of those left out."""
        left_out = tuple(without)
        return np.array(
            [
                matches(where, device) and not any(matches(segment, device) for segment in left_out)
                for device in self.devices
            ],
            dtype=bool,
        )

    def measure(self, rows: Flags) -> tuple[Measurement, ...]:
        """Return one measurement for each metric, over the devices that `rows` picks."""
        names = sorted(set(self.strata))
        of = np.array([[rows[i] and stratum == name for i, stratum in enumerate(self.strata)] for name in names])
        return tuple(self._measure(metric, of, names) for metric in self.sums)

    def _measure(self, metric: str, of: Flags, names: list[str]) -> Measurement:
        summed: Any = np.einsum("sd,axdh->axsh", of.astype(float), self.sums[metric], optimize=True)
        heard = summed[:, N].sum(axis=0) > 0
        strata = tuple(
            Stratum(hour=self.hours[h], name=names[s], baseline=_arm(summed[0, :, s, h]),
                    candidate=_arm(summed[1, :, s, h]))
            for h in range(len(self.hours)) for s in range(len(names)) if heard[s, h]
        )  # fmt: skip
        return Measurement(metric=metric, kind=self.kinds[metric], strata=strata)


def tabulate(leaves: Iterable[Leaf]) -> Table:
    """Return the leaves as arrays; leaves of the same place are added up."""
    known = tuple(leaves)
    devices: dict[tuple[DeviceContext, str], int] = {}
    for leaf in known:
        devices.setdefault((leaf.device, leaf.stratum), len(devices))
    hours = {hour: i for i, hour in enumerate(sorted({leaf.hour for leaf in known}))}
    kinds: dict[str, Kind] = {leaf.metric: leaf.kind for leaf in known}
    shape = (len(ARMS), 3, max(1, len(devices)), max(1, len(hours)))
    sums = {metric: np.zeros(shape) for metric in kinds}
    for leaf in known:
        place = sums[leaf.metric][ARMS.index(leaf.arm), :, devices[leaf.device, leaf.stratum], hours[leaf.hour]]
        place += (leaf.n, leaf.total, leaf.total_sq)
    return Table(devices=tuple(device for device, _ in devices), strata=tuple(name for _, name in devices),
                 hours=tuple(hours), kinds=kinds, sums=sums)  # fmt: skip


def _arm(sums: Numbers) -> Arm:
    return Arm(n=round(sums[N]), total=float(sums[TOTAL]), total_sq=float(sums[SQUARES]))
