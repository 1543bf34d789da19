"""Guardrails: metrics that the candidate may not worsen beyond a margin, judged at every look.

FAIL is always valid: looking every minute for weeks does not raise the share of false alarms above α. INCONCLUSIVE is
worse than allowed so far, with evidence still too thin to say so; a rollout holds on it. PASS says that nothing speaks
against the candidate. Too little in either arm is NO_DATA, which never advances anything. Pure.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final, Literal

from releases.eprocess import (
    Effect,
    difference_of_means,
    difference_of_rates,
    log_e_of_means,
    log_e_of_rates,
    ratio_of_rates,
    standardized,
)
from releases.measurements import Arm, Kind, Measurement, Stratum
from releases.metrics import Better, Metric, about
from releases.wording import count, percent, points, signed

__all__ = ["Arm", "Finding", "Guardrail", "Measurement", "Stratum", "Verdict", "judge", "judge_all", "worst"]

ALPHA: Final = 0.05
LEAST_PER_ARM: Final = 30
OnFail = Literal["rollback", "halt", "pause"]


class Verdict(StrEnum):
    PASS = "pass"  # noqa: S105
    NO_DATA = "no_data"
    INCONCLUSIVE = "inconclusive"
    FAIL = "fail"


@dataclass(frozen=True, slots=True, kw_only=True)
class Guardrail:
    """`margin` is a fraction of the baseline when relative (0.10 is 10 %), else of one (0.002 is 0.2 pt)."""

    metric: str
    margin: float
    relative: bool
    on_fail: OnFail = "rollback"

    @property
    def better(self) -> Better:
        return self.about.better

    @property
    def about(self) -> Metric:
        return about(self.metric)

    @property
    def allowed(self) -> str:
        """The margin in words: "+0.2 pt", "-5 %"."""
        size = self.margin if self.better == "lower" else -self.margin
        return signed(percent(abs(size)) if self.relative else points(abs(size)), size)

    def allowed_ratio(self, rate: float) -> float:
        """Return how many times the baseline's `rate` of harm the candidate may have."""
        if self.better == "lower" and self.relative:
            return 1 + self.margin
        extra = self.margin * (1 - rate) if self.relative else self.margin
        return 1 + extra / rate

    def allowed_gap(self, kind: Kind, mean: float) -> float:
        """Return how far the candidate's mean may be on the worse side of the baseline's `mean`."""
        if not self.relative:
            return self.margin
        if kind == "log_mean":
            return math.log1p(self.margin) if self.better == "lower" else -math.log1p(-min(self.margin, 0.99))
        return self.margin * abs(mean)


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """A guardrail, its verdict and why. `baseline` and `candidate` are the arms' values; `effect` with its 95 %
    interval is a fraction: of the baseline when `relative`, else of one. `e_value` is the evidence of harm. `unseen`:
    what so little cannot show yet (releases.outlook). `version`: whose it is, where two candidates are compared."""

    guardrail: Guardrail
    verdict: Verdict
    sentence: str
    n_baseline: int
    n_candidate: int
    baseline: float | None = None
    candidate: float | None = None
    effect: float | None = None
    low: float | None = None
    high: float | None = None
    relative: bool = False
    e_value: float = 1.0
    unseen: str | None = None
    version: str | None = None


def judge(guardrail: Guardrail, measurement: Measurement, *, alpha: float = ALPHA) -> Finding:
    """Judge one guardrail on everything measured since the release began; `alpha` is its share of false alarms."""
    strata = _harms(guardrail, measurement)
    arms = measurement.arm("baseline"), measurement.arm("candidate")
    enough = min(arm.n for arm in arms) >= LEAST_PER_ARM
    if not any(stratum.pairs for stratum in strata):
        return _no_data(guardrail, *arms)
    if measurement.kind == "rate":
        log_e = log_e_of_rates(_with_allowed_ratio(guardrail, strata))
    elif enough:
        mean = arms[0].total / arms[0].n
        log_e = log_e_of_means(strata, allowed=guardrail.allowed_gap(measurement.kind, mean))
    else:
        log_e = 0.0
    failed = log_e >= -math.log(alpha)
    if not enough and not failed:
        return _no_data(guardrail, *arms)
    effect, relative = _effect(guardrail, measurement)
    verdict = Verdict.FAIL if failed else Verdict.PASS
    if not failed and log_e >= 0 and _is_beyond(guardrail, measurement, effect, relative=relative):
        verdict = Verdict.INCONCLUSIVE
    return _finding(guardrail, measurement, verdict, effect, relative=relative, log_e=log_e)


def judge_all(
    guardrails: Sequence[Guardrail], measurements: Iterable[Measurement], *, alpha: float = ALPHA
) -> tuple[Finding, ...]:
    """Judge each guardrail on its metric; together they raise a false alarm with probability `alpha` (Bonferroni)."""
    by_metric = {measurement.metric: measurement for measurement in measurements}
    findings = []
    for guardrail in guardrails:
        nothing = Measurement(metric=guardrail.metric, kind="rate", strata=())
        measurement = by_metric.get(guardrail.metric, nothing)
        findings.append(judge(guardrail, measurement, alpha=alpha / len(guardrails)))
    return tuple(findings)


def worst(findings: Iterable[Finding]) -> Finding | None:
    """Return the finding that matters most: FAIL, INCONCLUSIVE, NO_DATA, PASS; a roll back before a halt or a pause."""
    acts = ("pause", "halt", "rollback")
    verdicts = (Verdict.PASS, Verdict.NO_DATA, Verdict.INCONCLUSIVE, Verdict.FAIL)
    return max(
        findings, default=None,
        key=lambda found: (verdicts.index(found.verdict), acts.index(found.guardrail.on_fail), found.e_value),
    )  # fmt: skip


def _harms(guardrail: Guardrail, measurement: Measurement) -> tuple[Stratum, ...]:
    """Return the strata in order of time, turned so that more is worse."""
    ordered = sorted(measurement.strata, key=lambda stratum: (stratum.hour, stratum.name))
    if guardrail.better == "lower":
        return tuple(ordered)
    return tuple(
        Stratum(hour=stratum.hour, name=stratum.name, baseline=_turned(stratum.baseline, measurement.kind),
                candidate=_turned(stratum.candidate, measurement.kind))
        for stratum in ordered
    )  # fmt: skip


def _turned(arm: Arm, kind: Kind) -> Arm:
    total = arm.n - arm.total if kind == "rate" else -arm.total
    return Arm(n=arm.n, total=total, total_sq=arm.total_sq)


def _with_allowed_ratio(guardrail: Guardrail, strata: Sequence[Stratum]) -> Iterator[tuple[Stratum, float]]:
    """Give each stratum the ratio of harm rates that the margin still allows.

    A margin in points is turned into a ratio by the baseline's rate in *earlier* hours, because what a stratum's own
    harms decide may not also set its bar. With a half harm in one install added it is never 0.
    """
    harms = installs = 0.0
    waiting: list[Arm] = []
    hour: datetime | None = None
    for stratum in strata:
        if stratum.hour != hour:
            harms += sum(arm.total for arm in waiting)
            installs += sum(arm.n for arm in waiting)
            hour, waiting = stratum.hour, []
        waiting.append(stratum.baseline)
        yield stratum, guardrail.allowed_ratio((harms + 0.5) / (installs + 1))


def _effect(guardrail: Guardrail, measurement: Measurement) -> tuple[Effect, bool]:
    """Return the effect and whether it is a fraction of the baseline."""
    if measurement.kind == "rate":
        ratio = ratio_of_rates(measurement.strata) if guardrail.relative else None
        return (ratio, True) if ratio else (difference_of_rates(measurement.strata), False)
    effect = difference_of_means(measurement.strata)
    if measurement.kind == "log_mean":
        return Effect(value=math.expm1(effect.value), low=math.expm1(effect.low), high=math.expm1(effect.high)), True
    mean = abs(standardized(measurement.strata)[0])
    if not guardrail.relative or not mean:
        return effect, False
    return Effect(value=effect.value / mean, low=effect.low / mean, high=effect.high / mean), True


def _is_beyond(guardrail: Guardrail, measurement: Measurement, effect: Effect, *, relative: bool) -> bool:
    harm = effect.value if guardrail.better == "lower" else -effect.value
    margin = guardrail.margin
    if guardrail.relative and not relative:
        baseline = measurement.arm("baseline")
        margin *= abs(baseline.total / baseline.n)
    return harm > margin


def _no_data(guardrail: Guardrail, baseline: Arm, candidate: Arm) -> Finding:
    title = guardrail.about.title
    sentence = (f"{title}: too little to judge, {count(candidate.n)} on the candidate and {count(baseline.n)} on the "
                f"baseline; {LEAST_PER_ARM} of each are needed.")  # fmt: skip
    return Finding(guardrail=guardrail, verdict=Verdict.NO_DATA, sentence=sentence, n_baseline=baseline.n,
                   n_candidate=candidate.n)  # fmt: skip


def _finding(
    guardrail: Guardrail, measurement: Measurement, verdict: Verdict, effect: Effect, *, relative: bool, log_e: float
) -> Finding:
    baseline, candidate = measurement.arm("baseline"), measurement.arm("candidate")
    means = standardized(measurement.strata)
    values = tuple(math.exp(mean) if measurement.kind == "log_mean" else mean for mean in means)
    return Finding(
        guardrail=guardrail, verdict=verdict,
        sentence=_sentence(guardrail, measurement.kind, verdict, values, effect, relative=relative),
        n_baseline=baseline.n, n_candidate=candidate.n, baseline=values[0], candidate=values[1],
        effect=effect.value, low=effect.low, high=effect.high, relative=relative,
        e_value=math.exp(min(log_e, 700.0)),
    )  # fmt: skip


_ENDINGS: Final = {
    Verdict.FAIL: "worse than the {} allowed, and not by chance",
    Verdict.INCONCLUSIVE: "worse than the {} allowed so far, but it may be chance",
    Verdict.PASS: "nothing against the {} allowed",
}


def _sentence(
    guardrail: Guardrail, kind: Kind, verdict: Verdict, values: tuple[float, ...], effect: Effect, *, relative: bool
) -> str:
    metric = guardrail.about
    in_percent = kind == "rate" or (metric.is_share and kind == "mean")
    baseline, candidate = (percent(value) if in_percent else f"{value:.3g}{metric.unit}" for value in values)
    size = percent if relative else points
    shown = [signed(size(abs(value)), value) for value in (effect.value, effect.low, effect.high)]
    ending = _ENDINGS[verdict].format(guardrail.allowed)
    return f"{metric.title} {candidate} against {baseline}: {shown[0]} ({shown[1]} to {shown[2]}), {ending}."
