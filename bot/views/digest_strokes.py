"""What is drawn of the digest's cohorts, as SVG on the page and as PNG in mail and Confluence. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from bot.views import charts
from bot.views.charts import Axis
from bot.views.digest_words import plain, said
from feedback.digest import CohortLine, Digest
from feedback.scores import Score

STEPS: Final = {"share": 0.1, "points": 20.0, "mean": 1.0}
ENDS: Final = {"share": (0.0, 1.0), "points": (-100.0, 100.0), "mean": (0.0, 10.0)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Stroke:
    """What is drawn of one cohort, as SVG or PNG; `tone` is good, bad or nothing, `said` what is read in its place."""

    line: CohortLine
    axis: Axis
    tone: str
    before: float | None
    was: str
    said: str


def cohort_strokes(digest: Digest) -> list[tuple[str, list[Stroke]]]:
    """Return the worst and the best cohorts, all on one axis as far as they have one unit."""
    found = []
    both = (*digest.worst, *digest.best)
    for title, lines in (("Worst", digest.worst), ("Best", digest.best)):
        if lines:
            unit = both[0].score.unit
            axis = _axis([line.score for line in both if line.score.unit == unit], unit)
            own = [axis if line.score.unit == unit else _axis([line.score], line.score.unit) for line in lines]
            found.append((title, [_stroke(line, each) for line, each in zip(lines, own, strict=True)]))
    return found


def _axis(scores: Sequence[Score], unit: str) -> Axis:
    low, high = ENDS[unit]
    marks = [mark for score in scores for mark in (score.low, score.high)]
    return charts.axis_of(marks, least=low, most=high, step=STEPS[unit])


def _stroke(line: CohortLine, axis: Axis) -> Stroke:
    """Red and green are for changes beyond chance, not for being low or high."""
    score, moved = line.score, line.change
    before = None if moved is None else score.value - moved.value
    was = "" if before is None else f"was {plain(before, score.unit)}"
    is_clear = moved is not None and moved.is_clear
    is_better = moved is not None and moved.value > 0
    return Stroke(
        line=line,
        axis=axis,
        tone=("good" if is_better else "bad") if is_clear else "",
        before=before,
        was=was,
        said=f"{line.cohort}: {said(score)}" + (f", {was}" if was else ""),
    )
