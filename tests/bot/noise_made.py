"""Noise that a test knows beforehand: what is noised differs from what was counted by exactly so much."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from bot.noise import Noised


@dataclass(slots=True)
class KnownNoise:
    """Adds `shift` to each cell; `asked` are the bounds and epsilons it was asked with."""

    shift: int = 7
    asked: list[tuple[int, float]] = field(default_factory=list)

    def add(self, counts: Sequence[int], *, bound: int, epsilon: float) -> Noised:
        self.asked.append((bound, epsilon))
        return Noised(counts=tuple(max(0, count + self.shift) for count in counts), scale=bound / epsilon)
