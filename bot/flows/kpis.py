"""A model's figures of the week against their goals: satisfaction, accuracy, crashes, latency, battery, size …"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final

from sqlalchemy.orm import Session

from bot import goals
from bot.goals import KpiGoal
from bot.views import figures
from feedback.digest import Kpi
from feedback.reports import CohortReport
from feedback.sketches import PER_DOUBLING
from feedback.store import Activity, Battery, Corrected
from releases import artifact_store
from releases.artifacts import Artifact


@dataclass(frozen=True, slots=True, kw_only=True)
class Goals:
    """What people want of a model, and the files that phones run now."""

    wanted: Mapping[str, KpiGoal] = field(default_factory=lambda: MappingProxyType({}))
    files: tuple[Artifact, ...] = ()


NO_GOALS: Final = Goals()
ALWAYS: Final = frozenset({"accuracy", "battery"})
"""What a model has to be known by: that nobody measures it is worth a row."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What a week showed. `latency_bucket` is the log2x4 bucket of the usual install-hour's own p95.

    `corrected` is None when nobody was asked for corrections.
    """

    report: CohortReport | None
    activity: Activity
    latency_bucket: int | None
    battery: Battery | None = None
    corrected: Corrected | None = None


def of_model(session: Session, app: str, model: str) -> Goals:
    files = artifact_store.current_baselines(session, app=app, model=model)
    return Goals(wanted=goals.of_model(session, app, model), files=tuple(files))


def told(model: str, known: Goals, seen: Seen, *, minimum: int) -> tuple[Kpi, ...]:
    """Return the rows of the table; accuracy, battery and what has a goal say so when nobody measured them.

    Nothing is told of fewer than `minimum` people.
    """
    rows: list[Kpi] = []

    def add(measure: str, name: str, value: float | None, shown: str) -> None:
        goal = known.wanted.get(measure)
        if value is not None:
            met = None if goal is None else goal.is_met(value)
            rows.append(Kpi(model=model, name=name, value=shown, goal=goal.text if goal else None, is_met=met))
        elif goal is not None or measure in ALWAYS:
            rows.append(Kpi(model=model, name=name, value="not measured", goal=goal.text if goal else None))

    overall = seen.report.overall if seen.report else None
    csat = overall.value if overall is not None and overall.unit == "share" else None
    if "csat" in known.wanted:
        add("csat", "CSAT", csat, figures.share(csat or 0.0))
    kept = _uncorrected(seen.corrected, minimum)
    now = seen.activity
    if now.inferences or kept is not None or "accuracy" in known.wanted:
        add("accuracy", "Accuracy proxy: uncorrected answers", kept, figures.share(kept or 0.0))
    rate = min(now.responses, now.impressions) / now.impressions if now.impressions >= minimum else None
    if "response_rate" in known.wanted:
        add("response_rate", "Response rate", rate, figures.share(rate or 0.0))
    enough = now.reporting >= minimum
    for measure, name, hits in (("crashes", "Installs with a crash", now.crashed),
                                ("timeouts", "Installs with a time-out", now.timed_out)):  # fmt: skip
        if measure in known.wanted:
            share = hits / now.reporting if enough else None
            add(measure, name, share, figures.share(share or 0.0))
    latency = latency_ms(seen.latency_bucket) if seen.latency_bucket is not None and enough else None
    add("latency_p95", "Latency, p95 of the usual hour", latency, f"{figures.plain(latency or 0.0)}{figures.NARROW}ms")
    used = seen.battery.share if seen.battery is not None and seen.battery.installs >= minimum else None
    if now.inferences or used is not None or "battery" in known.wanted:
        add("battery", "Battery per hour of use", used, figures.share(used or 0.0))
    for file in known.files:
        add("size", f"Size of {file.version} ({file.variant})", float(file.size_bytes), figures.size(file.size_bytes))
    if now.inferences:
        rows.append(Kpi(model=model, name="Inferences reported", value=figures.count(now.inferences)))
    return tuple(rows)


def _uncorrected(told: Corrected | None, minimum: int) -> float | None:
    return None if told is None or told.people < minimum else 1 - told.corrected / told.answered


def latency_ms(bucket: int) -> float:
    """Return the upper edge of a log2x4 bucket."""
    return float(2.0 ** ((bucket + 1) / PER_DOUBLING))
