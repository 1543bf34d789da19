"""Forecast: a plan replayed on last week's installs, without doing anything: who gets what, when, and what can be seen.

Pure.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from core import segments
from core.device import DeviceContext
from core.errors import Problem
from core.segments import matches
from releases.artifacts import Artifact
from releases.buckets import BUCKETS, arm_sizes
from releases.compatibility import Gap, gaps, runnable
from releases.freeze import Freeze, covering
from releases.guardrails import ALPHA, Guardrail
from releases.outlook import Usual, smallest
from releases.plan import Plan
from releases.wording import count, share

DAY: Final = timedelta(days=1)
GAPS_TOLD: Final = 3
COHORTS_BY: Final = ("platform", "tier", "chipset", "accelerator")


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """A kind of device and how many installs of it were heard of last week."""

    device: DeviceContext
    installs: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Visible:
    """The smallest regression a guardrail would show by the end of a stage, in the unit of its margin; None: none.

    `usual` is what the baseline does now; None: nothing was heard of the metric, so what could be seen is not known.
    """

    guardrail: Guardrail
    usual: float | None
    smallest: float | None

    @property
    def metric(self) -> str:
        return self.guardrail.metric

    @property
    def relative(self) -> bool:
        return self.guardrail.relative


@dataclass(frozen=True, slots=True, kw_only=True)
class StageForecast:
    """`new_bytes`: what the installs that join at this stage download."""

    percent: float
    begins: datetime
    ends: datetime
    candidate_installs: int
    baseline_installs: int
    new_bytes: int
    visible: tuple[Visible, ...]

    @property
    def days(self) -> float:
        return (self.ends - self.begins) / DAY


@dataclass(frozen=True, slots=True, kw_only=True)
class CohortForecast:
    """One cohort: its installs, how many can run the candidate, and how many get it at each stage."""

    cohort: str
    installs: int
    runnable: int
    by_stage: tuple[int, ...]
    bytes_by_stage: tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Forecast:
    """`problems` keep the release from starting: it is for nobody, or a targeted kind of device can run no file.

    `left_out`: why some can run no file who are too few to keep the others from it; they are never offered one.
    `waits`: which stages would have fewer installs than they need, and so wait for a person. `unread`: files that could
    not be read, and why.
    """

    targeted: int
    eligible: int
    stages: tuple[StageForecast, ...]
    cohorts: tuple[CohortForecast, ...]
    problems: tuple[Problem, ...]
    left_out: tuple[str, ...]
    waits: tuple[str, ...]
    unread: tuple[str, ...] = ()

    @property
    def days(self) -> float:
        return (self.stages[-1].ends - self.stages[0].begins) / DAY


def forecast(
    plan: Plan,
    candidates: Sequence[Artifact],
    seen: Sequence[Seen],
    now: datetime,
    *,
    rivals: Sequence[Artifact] = (),
    usual: Mapping[str, Usual] | None = None,
    freezes: Sequence[Freeze] = (),
    minimum: int = 1,
) -> Forecast:
    """Return what the plan would do if installs stay as they were.

    `rivals`: the files of a second candidate, which gets a share as large as the first's; the installs are one's, the
    bytes both's. `usual`: what the baseline does, by metric. `minimum`: fewer installs of a kind that can run no file
    are left out, as long as the release reaches anybody.
    """
    targeted = [each for each in seen if matches(plan.segment, each.device)]
    both = (candidates, rivals) if rivals else (candidates,)
    sizes = [(each, _size(both, each.device)) for each in targeted]
    if plan.is_aa:  # both arms run what everybody has
        sizes = [(each, size if size is None else 0) for each, size in sizes]
    eligible = [(each, size) for each, size in sizes if size is not None]
    installs = round(sum(each.installs for each, _ in eligible) * (1 - plan.holdback / 100))
    n_bytes = sum(each.installs * size for each, size in eligible) * (1 - plan.holdback / 100)
    stages: list[StageForecast] = []
    begins, days_per_arm, most = max(now, plan.starts_at or now), 0.0, 0
    for i, stage in enumerate(plan.stages):
        begins = _thawed(freezes, begins)
        sizes_of_arms = [round(installs * size / BUCKETS) for size in arm_sizes(stage.percent)]
        before = plan.stages[i - 1].percent if i else 0.0
        ends = begins + stage.bake
        days_per_arm += min(sizes_of_arms) * (stage.bake / DAY)
        most = max(most, min(sizes_of_arms))
        stages.append(
            StageForecast(
                percent=stage.percent, begins=begins, ends=ends, candidate_installs=sizes_of_arms[0],
                baseline_installs=sizes_of_arms[1], new_bytes=round(n_bytes * (stage.percent - before) / 100),
                visible=_visible(plan.guardrails, usual or {}, days_per_arm, most, alpha=ALPHA / len(both)),
            )
        )  # fmt: skip
        begins = ends
    least = minimum if eligible else 1
    return Forecast(targeted=sum(each.installs for each in targeted), eligible=installs, stages=tuple(stages),
                    cohorts=_cohorts(plan, sizes, minimum), problems=_problems(plan, both, seen, targeted, least=least),
                    left_out=_left_out(both, targeted, least=least),
                    waits=_waits(plan, stages) if installs else ())  # fmt: skip


def _visible(
    guardrails: Sequence[Guardrail], usual: Mapping[str, Usual], days: float, installs: int, *, alpha: float
) -> tuple[Visible, ...]:
    """Rates gather evidence every time an install reports; a mean does once for each install."""
    found = []
    for guardrail in guardrails:
        known = usual.get(guardrail.metric)
        n = days * known.per_day if known is not None and known.kind == "rate" else installs
        least = smallest(guardrail, known, n, alpha=alpha / len(guardrails)) if known is not None else None
        found.append(Visible(guardrail=guardrail, usual=known.shown if known else None, smallest=least))
    return tuple(found)


def _thawed(freezes: Sequence[Freeze], at: datetime) -> datetime:
    found = covering(freezes, at)
    return found.until if found else at


def _size(both: Sequence[Sequence[Artifact]], device: DeviceContext) -> int | None:
    """Return the bytes of what such a device downloads, of both candidates where there are two; None: not runnable."""
    fitting = [runnable(files, device) for files in both]
    return sum(files[0].size_bytes for files in fitting) if all(fitting) else None


def _cohorts(plan: Plan, sizes: Sequence[tuple[Seen, int | None]], least: int) -> tuple[CohortForecast, ...]:
    """Return the cohorts of each attribute that is told, the most installs first; none of fewer than `least`."""
    found: dict[str, list[tuple[Seen, int | None]]] = {}
    for each, size in sizes:
        for attribute in COHORTS_BY:
            value = each.device.label(attribute)
            rule = segments.comparison(attribute, "eq", [value]) if value is not None else None
            if isinstance(rule, segments.Is):
                found.setdefault(segments.text(rule), []).append((each, size))
    cohorts = [_cohort(plan, name, members) for name, members in found.items()]
    large = [each for each in cohorts if each.installs >= least]
    return tuple(sorted(large, key=lambda cohort: (-cohort.installs, cohort.cohort)))


def _cohort(plan: Plan, name: str, members: Sequence[tuple[Seen, int | None]]) -> CohortForecast:
    kept = 1 - plan.holdback / 100
    able = sum(each.installs for each, size in members if size is not None)
    n_bytes = sum(each.installs * size for each, size in members if size is not None)
    shares = [stage.percent / 100 * kept for stage in plan.stages]
    return CohortForecast(
        cohort=name, installs=sum(each.installs for each, _ in members), runnable=able,
        by_stage=tuple(round(able * share) for share in shares),
        bytes_by_stage=tuple(round(n_bytes * share) for share in shares),
    )  # fmt: skip


def _problems(
    plan: Plan, both: Sequence[Sequence[Artifact]], seen: Sequence[Seen], targeted: Sequence[Seen], *, least: int
) -> tuple[Problem, ...]:
    if not seen:
        return ()  # Nothing was heard of yet, so nothing speaks against it either.
    if not targeted:
        rule = segments.text(plan.segment)
        return (Problem("where", f"{rule} matches none of last week's {count(sum(each.installs for each in seen))} "
                                 "installs; widen it"),)  # fmt: skip
    return tuple(
        Problem("where", f"{count(gap.installs)} of last week's installs can run no file of {_version(files)} "
                         f"({gap.reason}); leave them out or register a variant for them")
        for files in both for gap in _gaps(files, targeted)[:GAPS_TOLD] if gap.installs >= least
    )  # fmt: skip


def _left_out(both: Sequence[Sequence[Artifact]], targeted: Sequence[Seen], *, least: int) -> tuple[str, ...]:
    reasons = (gap.reason for files in both for gap in _gaps(files, targeted) if gap.installs < least)
    return tuple(dict.fromkeys(reasons))


def _waits(plan: Plan, stages: Sequence[StageForecast]) -> tuple[str, ...]:
    found = []
    for stage, ahead in zip(plan.stages, stages, strict=True):
        fewest = min(ahead.candidate_installs, ahead.baseline_installs or ahead.candidate_installs)
        if fewest < stage.min_installs:
            reaches, needed = f"{share(stage.percent)} reaches {count(fewest)} installs", count(stage.min_installs)
            found.append(f"{reaches}, {needed} of each arm are needed")
    return tuple(found)


def _gaps(files: Sequence[Artifact], targeted: Sequence[Seen]) -> tuple[Gap, ...]:
    return gaps(tuple(files), [(each.device, each.installs) for each in targeted])


def _version(files: Sequence[Artifact]) -> str:
    return files[0].version if files else "it"
