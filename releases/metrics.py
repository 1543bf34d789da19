"""The metrics that can be guarded: what each is called, and which way is better. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final, Literal

Better = Literal["lower", "higher"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Metric:
    """What a metric is called, which way is better, and whether a margin in points makes sense."""

    title: str
    better: Better
    is_share: bool = True
    unit: str = ""


METRICS: Final[Mapping[str, Metric]] = MappingProxyType(
    {
        "crash_rate": Metric(title="Crash rate", better="lower"),
        "timeout_rate": Metric(title="Timeout rate", better="lower"),
        "fallback_rate": Metric(title="Fallback rate", better="lower"),
        "invalid_rate": Metric(title="Invalid input rate", better="lower"),
        "latency_p95": Metric(title="p95 latency", better="lower", is_share=False, unit=" ms"),
        "csat": Metric(title="CSAT", better="higher"),
        "low_rating_rate": Metric(title="Low ratings", better="lower"),
        "confidence": Metric(title="Mean confidence", better="higher"),
        "battery": Metric(title="Battery use per hour", better="lower"),
        "lost_rate": Metric(title="Lost installs", better="lower"),
    }
)
"""Besides these there is `over_100ms`: the share of install-hours whose p95 latency is over so many milliseconds."""
_OVER: Final = re.compile(r"over_([1-9]\d{0,4})ms")


def over_ms(metric: str) -> int | None:
    """Return the limit of `over_100ms`, None of any other metric."""
    found = _OVER.fullmatch(metric)
    return int(found[1]) if found else None


def metric_of(name: str) -> Metric | None:
    """Return the metric called so, None if there is none."""
    limit = over_ms(name)
    return METRICS.get(name) if limit is None else Metric(title=f"p95 over {limit} ms", better="lower")


def about(metric: str) -> Metric:
    """Return the metric of a guardrail. Raises: KeyError: there is none."""
    found = metric_of(metric)
    if found is None:
        raise KeyError(metric)
    return found
