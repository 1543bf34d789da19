"""Corrections as tasks for Label Studio: what the model should have said, as people on phones told it. Pure.

https://labelstud.io/guide/task_format: `data` is shown, `annotations` hold the label as a choice.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from typing import Any, Final

FROM_NAME: Final = "label"
TO_NAME: Final = "inference"


@dataclass(frozen=True, slots=True, kw_only=True)
class Correction:
    """What somebody said an inference should have been. `inference` is the phone's own id of it; no person is named."""

    label: str
    inference: str | None
    model: str
    version: str | None
    day: date


def tasks(corrections: Iterable[Correction]) -> list[dict[str, Any]]:
    """Return one task for each correction, with all labels that were given as choices, sorted."""
    found = list(corrections)
    labels = sorted({each.label for each in found})
    return [_task(each, labels) for each in found]


def _task(correction: Correction, labels: list[str]) -> dict[str, Any]:
    result = {
        "from_name": FROM_NAME,
        "to_name": TO_NAME,
        "type": "choices",
        "value": {"choices": [correction.label]},
    }
    data = {
        "inference": correction.inference or "",
        "model": correction.model,
        "version": correction.version,
        "day": correction.day.isoformat(),
        "labels": [{"value": label} for label in labels],
    }
    return {"data": data, "annotations": [{"result": [result], "was_cancelled": False, "ground_truth": False}]}
