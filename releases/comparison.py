"""A/B: two candidates compared with one baseline, and with one another; what was found, and what it was decided on.

Phones with the rival report as the candidate arm of `offers.rival_id`, so both comparisons are cells like any other's.
Each candidate is judged by the release's guardrails (Bonferroni over both). Which of the two is better is estimated,
with n and a 95 % interval for one look, for everybody and in each cohort. Pure.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from typing import Any, Literal

from releases.eprocess import Effect, difference_of_means, difference_of_rates
from releases.guardrails import ALPHA, Finding, Guardrail, Verdict, judge_all
from releases.measurements import Arm, Measurement, Stratum
from releases.metrics import about
from releases.plan import Release
from releases.wording import count, percent, points, signed

NOBODY = Arm(n=0, total=0.0)
Choice = Literal["candidate", "rival", "neither"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Contrast:
    """Candidate minus rival on one metric, for everybody or one cohort, with its 95 % interval."""

    metric: str
    cohort: str
    n_candidate: int
    n_rival: int
    candidate: float
    rival: float
    effect: float
    low: float
    high: float

    @property
    def better(self) -> Choice:
        """Which of the two is better beyond the interval."""
        if self.low <= 0 <= self.high:
            return "neither"
        is_lower = self.effect < 0
        return "candidate" if is_lower == (about(self.metric).better == "lower") else "rival"

    @property
    def sentence(self) -> str:
        metric = about(self.metric)
        is_share = metric.is_share
        size, show = (points, percent) if is_share else (_plain, _plain)
        shown = [signed(size(abs(value)), value) for value in (self.effect, self.low, self.high)]
        return (f"{metric.title} of {self.cohort}: {show(self.candidate)} (n={count(self.n_candidate)}) against "
                f"{show(self.rival)} (n={count(self.n_rival)}): {shown[0]} ({shown[1]} to {shown[2]}).")  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """What is known of both candidates: each one's guardrails against the baseline, and how they differ."""

    candidate: tuple[Finding, ...]
    rival: tuple[Finding, ...]
    contrasts: tuple[Contrast, ...]

    @property
    def failed(self) -> tuple[Choice, ...]:
        """Return which candidates break a guardrail."""
        both: tuple[tuple[Choice, tuple[Finding, ...]], ...] = (("candidate", self.candidate), ("rival", self.rival))
        return tuple(name for name, found in both if any(each.verdict is Verdict.FAIL for each in found))


@dataclass(frozen=True, slots=True, kw_only=True)
class DecisionRecord:
    """What people decided and on what evidence; kept in the history and the audit log as it was then."""

    release: str
    model: str
    baseline: str
    candidate: str
    rival: str
    chosen: str
    reason: str
    by: str
    at: datetime
    evidence: tuple[str, ...]
    figures: tuple[Mapping[str, object], ...]

    def facts(self) -> dict[str, Any]:
        return asdict(self) | {"at": self.at.isoformat(), "evidence": list(self.evidence),
                               "figures": [dict(each) for each in self.figures]}  # fmt: skip


def compare(
    guardrails: Sequence[Guardrail],
    candidate: Sequence[Measurement],
    rival: Sequence[Measurement],
    *,
    cohorts: Mapping[str, tuple[Sequence[Measurement], Sequence[Measurement]]] | None = None,
) -> Comparison:
    """Compare both candidates. The rival's measurements have only its own arm; the baseline's is the candidate's.

    `cohorts`: name → the measurements of both inside it.
    """
    rival = [with_baseline(each, candidate) for each in rival]
    found = [_contrast("everybody", one, two) for one, two in _pairs(candidate, rival)]
    for name, (of_candidate, of_rival) in (cohorts or {}).items():
        found += [_contrast(name, one, two) for one, two in _pairs(of_candidate, of_rival)]
    return Comparison(
        candidate=judge_all(guardrails, candidate, alpha=ALPHA / 2),
        rival=judge_all(guardrails, rival, alpha=ALPHA / 2),
        contrasts=tuple(each for each in found if each is not None),
    )


def with_baseline(rival: Measurement, candidate: Sequence[Measurement]) -> Measurement:
    """Give the rival's measurement the baseline arm that both candidates are compared with."""
    known = {
        (stratum.hour, stratum.name): stratum.baseline
        for each in candidate if each.metric == rival.metric for stratum in each.strata
    }  # fmt: skip
    strata = (replace(each, baseline=known.get((each.hour, each.name), NOBODY)) for each in rival.strata)
    return replace(rival, strata=tuple(strata))


def record(
    release: Release, comparison: Comparison, *, chosen: Choice, reason: str, by: str, now: datetime
) -> DecisionRecord:
    """Return the decision with its evidence.

    Raises: ValueError: the release compares nothing, or what was chosen breaks a guardrail.
    """
    if release.rival_version is None:
        raise ValueError(f"{release.name} compares no two candidates")
    if chosen in comparison.failed:
        raise ValueError(f"the {chosen} breaks a guardrail and cannot be chosen")
    versions = {"candidate": release.candidate_version, "rival": release.rival_version}
    told = (
        [f"{versions['candidate']}: {each.sentence}" for each in comparison.candidate]
        + [f"{versions['rival']}: {each.sentence}" for each in comparison.rival]
        + [each.sentence for each in comparison.contrasts]
    )
    return DecisionRecord(
        release=release.name, model=release.model, baseline=release.baseline_version,
        candidate=release.candidate_version, rival=release.rival_version,
        chosen=versions.get(chosen, release.baseline_version), reason=reason, by=by, at=now, evidence=tuple(told),
        figures=tuple(asdict(each) for each in comparison.contrasts),
    )  # fmt: skip


def _pairs(candidate: Sequence[Measurement], rival: Sequence[Measurement]) -> list[tuple[Measurement, Measurement]]:
    other = {each.metric: each for each in rival}
    return [(each, other[each.metric]) for each in candidate if each.metric in other]


def _contrast(cohort: str, candidate: Measurement, rival: Measurement) -> Contrast | None:
    """Compare the two candidate arms in the hours and groups in which both were heard of."""
    other = {(stratum.hour, stratum.name): stratum.candidate for stratum in rival.strata}
    strata = [
        Stratum(hour=each.hour, name=each.name, candidate=each.candidate,
                baseline=other.get((each.hour, each.name), NOBODY))
        for each in candidate.strata
    ]  # fmt: skip
    both = replace(candidate, strata=tuple(stratum for stratum in strata if stratum.pairs))
    if not both.strata:
        return None
    effect: Effect = difference_of_rates(both.strata) if both.kind == "rate" else difference_of_means(both.strata)
    one, two = both.arm("candidate"), both.arm("baseline")
    return Contrast(metric=both.metric, cohort=cohort, n_candidate=one.n, n_rival=two.n, candidate=one.total / one.n,
                    rival=two.total / two.n, effect=effect.value, low=effect.low, high=effect.high)  # fmt: skip


def _plain(value: float) -> str:
    return f"{value:.3g}"
