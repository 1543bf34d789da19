"""Corrections as tasks for Label Studio: what the model should have said, as people on phones told it. Pure.

https://labelstud.io/guide/task_format: `data` is shown, `annotations` hold the label as a choice. The choices stand in
the labeling config, once: https://labelstud.io/tags/choices.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any, Final
from xml.sax.saxutils import quoteattr

from feedback.corrections import Correction

FROM_NAME: Final = "label"
TO_NAME: Final = "inference"
# What XML 1.0 has no place for.
_UNWRITABLE: Final = re.compile(r"[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def tasks(corrections: Iterable[Correction]) -> list[dict[str, Any]]:
    """Return one task for each correction."""
    return [_task(each) for each in corrections]


def config(corrections: Iterable[Correction]) -> str:
    """Return the labeling config with all labels that were given as choices, sorted."""
    choices = "".join(f"<Choice value={quoteattr(label)}/>" for label in sorted({*map(_label, corrections)}))
    shown = f'<Text name="{TO_NAME}" value="${TO_NAME}"/>'
    return f'<View>{shown}<Choices name="{FROM_NAME}" toName="{TO_NAME}">{choices}</Choices></View>'


def _task(correction: Correction) -> dict[str, Any]:
    result = {
        "from_name": FROM_NAME,
        "to_name": TO_NAME,
        "type": "choices",
        "value": {"choices": [_label(correction)]},
    }
    data = {
        "inference": correction.inference or "",
        "model": correction.model,
        "version": correction.version,
        "day": correction.day and correction.day.isoformat(),
    }
    return {"data": data, "annotations": [{"result": [result], "was_cancelled": False, "ground_truth": False}]}


def _label(correction: Correction) -> str:
    return _UNWRITABLE.sub(" ", correction.label)
