"""The form "Make this a regression": what a message tells becomes a ticket. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping

from bot import grammar
from core import segments
from core.errors import InvalidInputError

METRICS: Mapping[str, str] = {
    "csat": "Satisfaction (CSAT)",
    "crash_rate": "Crash rate",
    "timeout_rate": "Time-out rate",
    "fallback_rate": "Accelerator fallback rate",
    "invalid_rate": "Invalid input rate",
    "latency_p95": "Latency p95",
}
_TARGET = re.compile(r"[Rr]\d{1,9}|[\w.-]+@[\w.+-]+")


def check(values: Mapping[str, str]) -> dict[str, str]:
    wrong: dict[str, str] = {}
    if not _TARGET.fullmatch(values.get("target", "").strip()):
        wrong["target"] = "must be a release such as R12, or a model with its version such as kws@1.4.0"
    if values.get("metric") not in METRICS:
        wrong["metric"] = "must be one of the list"
    if not values.get("reason", "").strip():
        wrong["reason"] = "is missing: say what is wrong"
    try:
        segments.parse(values.get("where", "").strip())
    except InvalidInputError as error:
        wrong["where"] = str(error.problems[0])
    return wrong


def line(values: Mapping[str, str]) -> str:
    """Return the command that opens the ticket."""
    parts = ["ticket open", grammar.quote(values["target"].strip()), f"metric={values['metric']}"]
    for key in ("where", "reason"):
        if value := " ".join(values.get(key, "").split()):
            parts.append(f"{key}={grammar.quote(value)}")
    return " ".join(parts)
