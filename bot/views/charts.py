"""Inline SVG with a text alternative: positions in percent, so a chart fits a phone and a desk alike. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

INSET = 1.5  # percent left free at both ends, so that a dot at the edge is whole


@dataclass(frozen=True, slots=True, kw_only=True)
class Axis:
    """From `low` to `high`; charts under one another share one, so that they can be compared by eye."""

    low: float
    high: float

    def at(self, value: float) -> float:
        """Return where `value` lies, in percent of the width; outside values stick to the edge."""
        part = (value - self.low) / (self.high - self.low)
        return round(INSET + (100 - 2 * INSET) * min(1.0, max(0.0, part)), 2)


def axis_of(values: Sequence[float], *, least: float, most: float, step: float) -> Axis:
    """Return the axis on whole steps that holds all values, within least..most."""
    low = max(least, step * (min(values, default=least) // step))
    high = min(most, -step * (-max(values, default=most) // step))
    return Axis(low=low, high=high) if high > low else Axis(low=least, high=most)


def interval(
    axis: Axis, *, value: float, low: float, high: float, said: str, tone: str = "", before: float | None = None
) -> Markup:
    """Draw a value with its interval; a thin line is where it stood before. `said` is what a screen reader hears."""
    shapes = [_line("track", axis.at(axis.low), axis.at(axis.high), 2)]
    if before is not None:
        x = axis.at(before)
        shapes.append(
            Markup('<line class="before" x1="{x}%" x2="{x}%" y1="15%" y2="85%" stroke-width="2"/>').format(x=x)
        )
    shapes.append(_line(f"{tone} span".strip(), axis.at(low), axis.at(high), 5))
    dot = Markup('<circle class="{c}" cx="{x}%" cy="50%" r="5.5"/>')
    shapes.append(dot.format(c=f"{tone} dot".strip(), x=axis.at(value)))
    return Markup('<svg role="img" aria-label="{said}" height="24">{shapes}</svg>').format(
        said=said, shapes=Markup("").join(shapes)
    )


def _line(kind: str, start: float, end: float, width: int) -> Markup:
    return Markup(
        '<line class="{k}" x1="{a}%" x2="{b}%" y1="50%" y2="50%" stroke-width="{w}" stroke-linecap="round"/>'
    ).format(k=kind, a=start, b=end, w=width)
