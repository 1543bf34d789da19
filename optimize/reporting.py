"""Progress and results of a job as plain JSON, for whoever keeps or shows them. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from optimize.benchmark import Ratio
from optimize.evaluate import Comparison
from optimize.job import Progress, Result
from optimize.report_card import ReportCard, to_json
from optimize.search import Tried


def progress_facts(progress: Progress, *, parent_bytes: int) -> dict[str, Any]:
    """Return step, of, seconds, sentence and the table so far."""
    return {
        "step": progress.step, "of": progress.of, "seconds": round(progress.seconds, 1),
        "sentence": progress.sentence, "tried": tried_facts(progress.tried, parent_bytes=parent_bytes),
    }  # fmt: skip


def result_facts(result: Result, *, parent_bytes: int) -> dict[str, Any]:
    """Return sentence, card, variant (its SHA-256), recipe, the table of all that was tried, and CPU seconds."""
    return {
        "sentence": result.sentence,
        "card": card_facts(result.card),
        "variant": result.variant,
        "recipe": result.recipe,
        "tried": tried_facts(result.tried, parent_bytes=parent_bytes),
        "cpu_s": result.cpu_s,
    }


def card_facts(card: ReportCard | None) -> dict[str, Any] | None:
    return to_json(card) if card else None


def tried_facts(tried: Sequence[Tried], *, parent_bytes: int) -> list[dict[str, Any]]:
    """Return a line for each candidate, as it did on the selecting half."""
    return [_tried(each, parent_bytes) for each in tried]


def _tried(each: Tried, parent_bytes: int) -> dict[str, Any]:
    return {
        "recipe": each.recipe,
        "size_bytes": each.size_bytes,
        "size_x": round(parent_bytes / each.size_bytes, 3) if each.size_bytes else None,
        "ratio": _ratio(each.ratio),
        "accuracy": _accuracy(each.select),
        "refused": each.sentence,
    }


def _ratio(ratio: Ratio | None) -> dict[str, float] | None:
    return {"value": ratio.value, "low": ratio.low, "high": ratio.high} if ratio else None


def _accuracy(found: Comparison | None) -> dict[str, Any] | None:
    if found is None:
        return None
    return {
        "n": found.n, "difference": found.difference, "low": found.low, "high": found.high, "flips": found.flips,
    }  # fmt: skip
