"""Where the noise of noised counts comes from: OpenDP, the extra `dp`; nothing of our own making."""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from core.settings import Settings

MISSING: Final = (
    "MUSTER_DP_EPSILON_PER_WEEK is set, but OpenDP is not installed, so digests withhold every count of people; "
    "run: pip install --require-hashes -r requirements/dp.txt"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Noised:
    """Counts with their noise, none below 0, and the scale of that noise."""

    counts: tuple[int, ...]
    scale: float


class NoiseSource(Protocol):
    def add(self, counts: Sequence[int], *, bound: int, epsilon: float) -> Noised:
        """Return the counts so noised that telling them costs `epsilon` when one install changes them by `bound`."""
        ...


class OpenDp:
    """OpenDP's discrete Laplace on a vector of counts; its scale is the least that OpenDP proves to suffice."""

    def add(self, counts: Sequence[int], *, bound: int, epsilon: float) -> Noised:
        import opendp.prelude as dp  # an extra, and slow to load: only where a count is told

        dp.enable_features("contrib")
        space = dp.vector_domain(dp.atom_domain(T=int)), dp.l1_distance(T=int)

        def with_scale(scale: float) -> dp.Measurement:
            return dp.m.make_laplace(*space, scale=scale)

        scale = dp.binary_search_param(with_scale, d_in=bound, d_out=epsilon, T=float)
        told = with_scale(scale)(list(counts))
        return Noised(counts=tuple(max(0, int(count)) for count in told), scale=float(scale))


def open_noise(settings: Settings) -> NoiseSource | None:
    """Return OpenDP, or None where counts are not noised or it is not installed."""
    wanted = settings.dp_epsilon_per_week is not None
    return OpenDp() if wanted and importlib.util.find_spec("opendp") is not None else None
