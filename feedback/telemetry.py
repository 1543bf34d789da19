"""Roll-ups a phone makes of its inferences, and which harm an hour of an install has seen. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from msgspec import Struct

from feedback.responses import Sender

# What a guardrail of this name is fed with, and the metric's own name for one harmed install and hour.
HARMS: Final = ("crash_rate", "timeout_rate", "fallback_rate", "invalid_rate")
INSTALL_HOURS: Final = "install_hours"
LATENCY: Final = "latency"
LATENCY_P95: Final = "latency_p95"
CSAT: Final = "csat"
CONFIDENCE: Final = "confidence"
BATTERY: Final = "battery"
METRICS: Final = (*HARMS, LATENCY_P95, CSAT)
LOWER_IS_WORSE: Final = frozenset({CSAT})


class Summary(Struct, frozen=True, kw_only=True, array_like=True):
    """One install's inferences in one window; `latency` counts them by log2x4 bucket.

    Bucket i holds latencies from 2^(i/4) to 2^((i+1)/4) ms.
    """

    uuid: str
    sender: Sender
    model: str
    window_start: datetime
    window_s: int
    skew_s: int
    received_at: datetime
    count: int
    crashes: int
    timeouts: int
    invalid: int
    fell_back: bool
    latency: Mapping[int, int]
    extra: Mapping[str, Any]

    @property
    def hour(self) -> datetime:
        return hour_of(self.window_start)


def hour_of(moment: datetime) -> datetime:
    return moment.replace(minute=0, second=0, microsecond=0)


def harms(summary: Summary) -> int:
    """Return which of HARMS this window is, a bit for each in their order."""
    return (
        (summary.crashes > 0) | (summary.timeouts > 0) << 1 | bool(summary.fell_back) << 2 | (summary.invalid > 0) << 3
    )
