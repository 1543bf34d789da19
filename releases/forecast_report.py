"""A forecast as pipelines read it. Pure."""

from __future__ import annotations

from datetime import datetime

import msgspec
from msgspec import Struct

from releases.forecast import Forecast


class SmallestReport(Struct, kw_only=True):
    """The smallest regression that a guardrail would show four times out of five by the end of a stage: a fraction, of
    the baseline when `relative`; null when it would show none. `usual` is what the baseline does now; null when nothing
    was heard of it."""

    metric: str
    usual: float | None
    smallest: float | None
    relative: bool


class StageReport(Struct, kw_only=True):
    """`new_bytes`: what the installs that join at this stage download."""

    percent: float
    begins: datetime
    ends: datetime
    candidate_installs: int
    baseline_installs: int
    new_bytes: int
    visible: list[SmallestReport]


class CohortReport(Struct, kw_only=True):
    """Last week's installs of one cohort, how many can run the candidate, and how many get it at each stage."""

    cohort: str
    installs: int
    runnable: int
    by_stage: list[int]
    bytes_by_stage: list[int]


class ForecastReport(Struct, kw_only=True):
    """The plan replayed on last week's installs: whom it is for and reaches, and how many days it takes at least.

    `left_out`: why a few of them can run no file of the candidate; they are never offered one. `waits`: which
    stages would have too few installs to go on by themselves. `unread`: files of the candidate that could not be read,
    and why: nobody has seen that a phone can run them."""

    targeted: int
    eligible: int
    days: float
    stages: list[StageReport]
    cohorts: list[CohortReport]
    left_out: list[str]
    waits: list[str]
    unread: list[str]


def report(ahead: Forecast) -> ForecastReport:
    return msgspec.convert(ahead, ForecastReport, from_attributes=True)
