"""Inline SVG with a text alternative: positions in percent, so a chart fits a phone and a desk alike. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

SPARK_WIDTH, SPARK_HEIGHT, SPARK_INSET = 88, 26, 4  # pixels
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """Where a line passes: `x` and `value` with the ends of its interval, in units of their own."""

    x: float
    value: float
    low: float
    high: float


def spark(points: Sequence[Point], *, said: str, tone: str = "") -> Markup:
    """Draw a small line with its interval as a band, the last point as a dot; two points or more, in order of `x`.

    The band sets the scale, so that what is only chance looks flat.
    """
    first, last = points[0].x, points[-1].x
    floor, ceiling = min(each.low for each in points), max(each.high for each in points)

    def at(x: float, value: float) -> str:
        across = SPARK_INSET + (SPARK_WIDTH - 2 * SPARK_INSET) * (x - first) / (last - first)
        part = (value - floor) / (ceiling - floor) if ceiling > floor else 0.5
        return f"{across:.1f},{SPARK_HEIGHT - SPARK_INSET - (SPARK_HEIGHT - 2 * SPARK_INSET) * part:.1f}"

    band = [at(each.x, each.high) for each in points] + [at(each.x, each.low) for each in reversed(points)]
    line = [at(each.x, each.value) for each in points]
    x, _, y = line[-1].partition(",")
    return Markup(
        '<svg class="spark" role="img" aria-label="{said}" width="{w}" height="{h}" viewBox="0 0 {w} {h}">'
        '<polygon class="band" points="{band}"/><polyline points="{line}"/>'
        '<circle class="{dot}" cx="{x}" cy="{y}" r="3.5"/></svg>'
    ).format(
        said=said, w=SPARK_WIDTH, h=SPARK_HEIGHT, band=" ".join(band), line=" ".join(line), x=x, y=y,
        dot=f"{tone} dot".strip(),
    )  # fmt: skip


def _line(kind: str, start: float, end: float, width: int) -> Markup:
    return Markup(
        '<line class="{k}" x1="{a}%" x2="{b}%" y1="50%" y2="50%" stroke-width="{w}" stroke-linecap="round"/>'
    ).format(k=kind, a=start, b=end, w=width)
