"""What happens on a phone in an hour: how the model runs, whether it crashes, and what people think of it. Pure.

All chances are stated here, so that a test can compare what Muster reports with what was put in.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np

from core.device import DeviceContext
from core.segments import EVERYONE, Segment, matches
from core.versions import compare
from sandbox.population import Handset, pick

BUCKETS_PER_DOUBLING = 4
SPREAD = 0.35  # of the logarithm of latency: a p95 about 1.8 times the median
CONFIDENCE_EDGES = (0.0, 0.2, 0.4, 0.6, 0.8, 1.0)
# Share of people who use the app in each hour of their day.
DAY = (
    *(0.08, 0.05, 0.04, 0.04, 0.05, 0.12, 0.28, 0.45, 0.52, 0.48, 0.45, 0.48),
    *(0.55, 0.52, 0.47, 0.46, 0.50, 0.58, 0.66, 0.70, 0.68, 0.58, 0.38, 0.18),
)
SATISFIED = {"low": 0.80, "mid": 0.86, "high": 0.90}
WRONG = {"missed": 5, "wrong_word": 3, "slow": 2, "battery": 1}
WORDS: Mapping[str, tuple[str, ...]] = {
    "good": ("works well", "hears me even in the car", "quick and right", "much better than before", "no complaints"),
    "bad": (
        "it does not hear me in the kitchen",
        "I have to say everything twice",
        "wakes up when nobody spoke",
        "too slow to be useful",
        "phone gets warm",
    ),
    "crash": ("closes as soon as I speak", "the app crashed again", "crashes every morning since the update"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Rates:
    """Chances of one phone under one model version: per hour of use, but for `satisfied`, which is per answer."""

    crash: float = 0.001
    timeout: float = 0.010
    fallback: float = 0.020
    invalid: float = 0.006
    satisfied: float = 0.86
    latency_factor: float = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """What is wrong with one model version on the phones a rule picks out; what is None stays as it is elsewhere.

    `after_hours`: how long a phone runs the version before it shows, as a leak does.
    """

    version: str
    where: Segment = EVERYONE
    after_hours: float = 0.0
    crash: float | None = None
    timeout: float | None = None
    fallback: float | None = None
    satisfied: float | None = None
    latency_factor: float | None = None


def _is_of(version: str, release: str) -> bool:
    """Whether a version is this one or a build of it: 1.4.0+int8 has what is wrong with 1.4.0."""
    return version == release or version.startswith(f"{release}+")


def rates(
    handset: Handset,
    version: str,
    faults: tuple[Fault, ...],
    *,
    hours_running: float,
    better_since: str | None = None,
) -> Rates:
    """Return the chances of a phone under a version; from `better_since` on the model is faster and hears better."""
    satisfied, latency_factor = SATISFIED[handset.chipset.tier], 1.0
    if better_since is not None and (compare(version, better_since) or 0) >= 0:
        satisfied, latency_factor = satisfied + 0.03, 0.85
    found = {"satisfied": satisfied, "latency_factor": latency_factor}
    device = DeviceContext.from_wire(handset.context)
    for fault in faults:
        if _is_of(version, fault.version) and hours_running >= fault.after_hours and matches(fault.where, device):
            names = ("crash", "timeout", "fallback", "satisfied", "latency_factor")
            found |= {name: getattr(fault, name) for name in names if getattr(fault, name) is not None}
    return Rates(**found)


def is_used(rng: np.random.Generator, hour: datetime, keenness: float) -> bool:
    """Return whether somebody uses the app in this hour; `keenness` is 1 for the average person."""
    return bool(rng.random() < DAY[hour.hour] * keenness)


def summary(
    rng: np.random.Generator, handset: Handset, chances: Rates, window_start: datetime, *, hours: int = 1
) -> dict[str, Any]:
    """Return the roll-up of a window in which the app was used for `hours` hours, as a phone sends it.

    What goes wrong is drawn first, so with the same `rng` the same hours go wrong whatever else differs.
    """
    bad = [rng.random() for _ in range(4)]
    count = int(rng.poisson(14.0 * hours)) + 1
    errors = {
        "model_load": 0,
        "input_invalid": int(bad[0] < _in_hours(chances.invalid, hours)),
        "timeout": int(bad[1] < _in_hours(chances.timeout, hours)),
        "crash": int(bad[2] < _in_hours(chances.crash, hours)),
    }
    fell_back = handset.accelerator != "cpu" and bad[3] < _in_hours(chances.fallback, hours)
    used: dict[str, Any] = {"requested": handset.accelerator, "used": "cpu" if fell_back else handset.accelerator}
    if fell_back:
        used["fallback_reason"] = "op_unsupported"
    median_ms = handset.latency_ms * chances.latency_factor * (1.6 if fell_back else 1.0)
    return {
        "window_start": window_start.isoformat(),
        "window_s": 3600 if hours == 1 else 86_400,
        "count": count,
        "errors": errors,
        "accelerator": used,
        "latency_ms": _latencies(rng, median_ms, count),
        "confidence": {"edges": CONFIDENCE_EDGES, "counts": _confidences(rng, chances.satisfied, count)},
    }


def _in_hours(chance: float, hours: int) -> float:
    """Return the chance of at least once in some hours."""
    return 1 - (1 - chance) ** hours


def answers(rng: np.random.Generator, poll: Mapping[str, Any], chances: Rates) -> list[dict[str, Any]]:
    """Return what a person under these chances answers, question by question; unhappy people say why."""
    is_happy = bool(rng.random() < chances.satisfied)
    told: list[dict[str, Any]] = []
    for question in poll["questions"]:
        value = _value(rng, question, chances, is_happy=is_happy)
        if value is not None:
            told.append({"question": question["id"], "value": value})
    return told


def _latencies(rng: np.random.Generator, median_ms: float, count: int) -> dict[str, Any]:
    times = np.exp(rng.normal(math.log(median_ms), SPREAD, count))
    numbers, many = np.unique(np.floor(np.log2(times) * BUCKETS_PER_DOUBLING).astype(int), return_counts=True)
    return {
        "scheme": "log2x4",
        "buckets": {str(number): int(n) for number, n in zip(numbers, many, strict=True)},
        "sum": round(float(times.sum()), 1),
        "max": round(float(times.max()), 1),
    }


def _confidences(rng: np.random.Generator, satisfied: float, count: int) -> list[int]:
    shares = np.array([0.01, 0.03, 0.10, 0.30, 0.56])
    shares[:3] *= (1.0 - satisfied) / 0.14
    return [int(n) for n in rng.multinomial(count, shares / shares.sum())]


def _value(rng: np.random.Generator, question: Mapping[str, Any], chances: Rates, *, is_happy: bool) -> object:
    kind = question["type"]
    if kind in ("csat", "rating", "ces"):
        top = int(question.get("scale", 5))
        return top - int(rng.random() < 0.4) if is_happy else max(1, top - 2 - int(rng.integers(0, max(1, top - 2))))
    if kind == "nps":
        return int(rng.integers(9, 11)) if is_happy else int(rng.integers(0, 8))
    if kind == "thumbs":
        return bool(is_happy)
    if kind in ("single_choice", "multiple_choice"):
        return None if is_happy else _choice(rng, question, kind)
    if kind == "open" and rng.random() < 0.3:
        mood = "good" if is_happy else ("crash" if chances.crash > 0.1 else "bad")
        return pick(rng, WORDS[mood])
    return None


def _choice(rng: np.random.Generator, question: Mapping[str, Any], kind: str) -> object:
    names = [str(choice["id"]) for choice in question["choices"]]
    chosen = pick(rng, names, [WRONG.get(name, 1) for name in names])
    return chosen if kind == "single_choice" else [chosen]
