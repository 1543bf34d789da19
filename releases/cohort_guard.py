"""Guardrails of cohorts: which one breaks a margin while the others are sound, with errors controlled over all pairs of
cohort and guardrail.

Every pair has its own e-process, so it may be looked at every minute; e-BH says which are alarms, whatever the
dependence between overlapping cohorts (Wang and Ramdas 2022, doi:10.1111/rssb.12489). When nothing is wrong anywhere,
an alarm ever is as rare as ALPHA. The strongest alarm is stopped alone only if everybody outside it is sound.

Harm in a cohort is harm in the release, and the release as a whole is often the first to fail: it is one test, not
hundreds. Then something is wrong for certain, and only where is asked (`whole_fails`): of the cohorts that anything
speaks against, the strongest without which hardly anything speaks against everybody else. Pure.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from core.segments import Is, Segment, all_of, comparison
from releases.breach import CohortBreach
from releases.cohort_evidence import evidence_of
from releases.guardrails import LEAST_PER_ARM, Finding, Guardrail, Verdict, judge, judge_all
from releases.leaves import Flags, Leaf, N, Table, tabulate
from releases.measurements import Measurement
from releases.states import CohortStop

ALPHA: Final = 0.01
BY: Final = (("chipset",), ("accelerator",), ("tier",), ("device",), ("platform", "os"), ("app_version",),
             ("chipset", "accelerator"), ("chipset", "os"))  # fmt: skip
COHORTS_AT_MOST: Final = 200
LEAST_WHEN_WHOLE_FAILS: Final = 5
CALM: Final = 1.5
"""So much evidence, hardly any, may speak against everybody else when the whole has failed."""
AS_MUCH: Final = float(np.log(3))
"""Two cohorts say about the same when the evidence of one is at most three times that of the other."""
AT_ONCE: Final = 3
"""So many cohorts may be bad at the same time before the release itself is the matter."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Alarm:
    cohort: Segment
    rows: Flags
    guardrail: Guardrail
    log_e: float


def find_breach(
    guardrails: Sequence[Guardrail],
    leaves: Iterable[Leaf] | Table,
    *,
    stopped: Sequence[CohortStop] = (),
    left_out: Sequence[Segment] = (),
    may_name: Callable[[Segment], bool] = lambda _: True,
    whole_fails: bool = False,
) -> CohortBreach | None:
    """Return the cohort to stop now, None when none breaks a guardrail or the matter is not one cohort's.

    A cohort that was halted is judged on, because a guardrail may want its holders back; one that was rolled back is
    left out, as are both of them from everybody else's numbers, and the segments `left_out`. A cohort that `may_name`
    refuses (it is too few people) is never stopped.
    """
    table = leaves if isinstance(leaves, Table) else tabulate(leaves)
    sound = table.rows(without=[*(stop.segment for stop in stopped), *left_out])
    halted = [(stop.segment, table.rows(where=stop.segment)) for stop in stopped
              if not stop.returns and stop.segment not in left_out]  # fmt: skip
    least = LEAST_WHEN_WHOLE_FAILS if whole_fails else LEAST_PER_ARM
    cohorts = [each for each in (*cohorts_of(table, sound, least=least), *halted) if may_name(each[0])]
    alarms, hypotheses, threshold = _alarms(guardrails, table, cohorts, whole_fails=whole_fails)
    already = {stop.segment for stop in stopped}
    for loudest in alarms:
        alarm = _narrowed(loudest, alarms, table)
        if alarm.cohort in already and alarm.guardrail.on_fail != "rollback":
            continue
        rest = _rest(guardrails, table, sound, alarm, alarms)
        if rest is None or (whole_fails and not all(map(_is_calm, rest))):
            continue
        measurement = _of(table.measure(alarm.rows), alarm.guardrail.metric)
        found = judge(alarm.guardrail, measurement, alpha=min(1.0, 1 / threshold))
        if found.verdict is Verdict.FAIL:
            return CohortBreach(cohort=alarm.cohort, finding=found, rest=rest, hypotheses=hypotheses)
    return None


def findings_without(
    guardrails: Sequence[Guardrail], table: Table, stopped: Sequence[CohortStop]
) -> tuple[tuple[Finding, ...], tuple[Measurement, ...]]:
    """Judge the release on everybody but the cohorts that are stopped; return what was measured as well."""
    measured = table.measure(table.rows(without=[stop.segment for stop in stopped]))
    return judge_all(guardrails, measured), measured


def cohorts_of(
    table: Table, rows: Flags, *, by: Sequence[tuple[str, ...]] = BY, least: int = LEAST_PER_ARM
) -> list[tuple[Segment, Flags]]:
    """Return the cohorts that the attributes pick out among the devices, the most installs first, with their rows.

    Those too small to be judged are left out, and so is what makes up more than half: that is no cohort of its own.
    """
    heard = _heard(table)
    members: dict[Segment, list[int]] = {}
    for attributes in by:
        alike: dict[tuple[str | None, ...], list[int]] = {}
        for i in np.flatnonzero(rows).tolist():
            alike.setdefault(tuple(table.devices[i].label(name) for name in attributes), []).append(i)
        for labels, indices in alike.items():
            segment = _cohort(attributes, labels)
            if segment is not None:
                members.setdefault(segment, []).extend(indices)
    whole = heard[:, rows].sum()
    found: list[tuple[float, Segment, Flags]] = []
    for segment, indices in members.items():
        sizes = heard[:, indices].sum(axis=1)
        if sizes.min() >= least and sizes.sum() <= whole / 2:
            flags = np.zeros(len(rows), dtype=bool)
            flags[indices] = True
            found.append((float(sizes.sum()), segment, flags))
    found.sort(key=lambda each: -each[0])
    return [(segment, flags) for _, segment, flags in found[:COHORTS_AT_MOST]]


def _alarms(
    guardrails: Sequence[Guardrail],
    table: Table,
    cohorts: Sequence[tuple[Segment, Flags]],
    *,
    whole_fails: bool,
) -> tuple[list[_Alarm], int, float]:
    """Return the alarms of e-BH, the strongest first, how many pairs were looked at, and the e-value it took.

    When the whole has failed, all that speaks against a cohort is an alarm.
    """
    judged = [guardrail for guardrail in guardrails if guardrail.metric in table.sums]
    if not cohorts or not judged:
        return [], 0, 1 / ALPHA
    matrix = np.array([flags for _, flags in cohorts], dtype=float)
    found = [
        _Alarm(cohort=segment, rows=flags, guardrail=guardrail, log_e=float(log_e))
        for guardrail in judged
        for (segment, flags), log_e in zip(cohorts, evidence_of(guardrail, table, matrix), strict=True)
    ]
    found.sort(key=lambda alarm: (-alarm.log_e, _conditions(alarm.cohort)))
    hypotheses = len(found)
    if whole_fails:
        return [alarm for alarm in found if alarm.log_e > 0], hypotheses, 1.0
    needed = [np.log(hypotheses / (ALPHA * k)) for k in range(1, hypotheses + 1)]
    rejected = max((k for k, alarm in enumerate(found, start=1) if alarm.log_e >= needed[k - 1]), default=0)
    threshold = hypotheses / (ALPHA * max(1, rejected))
    return found[:rejected], hypotheses, threshold


def _rest(
    guardrails: Sequence[Guardrail], table: Table, sound: Flags, alarm: _Alarm, alarms: Sequence[_Alarm]
) -> tuple[Finding, ...] | None:
    """Return what is found of everybody else if that is sound, leaving out a few more bad cohorts where it must be."""
    left_out = alarm.rows.copy()
    others = [other for other in alarms if other is not alarm]
    for _ in range(AT_ONCE):
        rest = sound & ~left_out
        if _heard(table)[:, rest].sum() * 2 < _heard(table)[:, sound].sum():
            return None
        found = judge_all(guardrails, table.measure(rest))
        if not any(finding.verdict is Verdict.FAIL for finding in found):
            judged = next(finding for finding in found if finding.guardrail == alarm.guardrail)
            return None if judged.verdict is Verdict.NO_DATA else found
        following = next((other for other in others if (other.rows & ~left_out).any()), None)
        if following is None:
            return None
        left_out |= following.rows
    return None


def _narrowed(alarm: _Alarm, alarms: Sequence[_Alarm], table: Table) -> _Alarm:
    """Return the part of a cohort to which its harm comes down: it says about the same, or nothing speaks against the
    others. Only if enough was heard of those: were the harm theirs too, it would have shown.
    """
    heard = _heard(table).sum(axis=0)
    for part in alarms:
        others = alarm.rows & ~part.rows
        is_part = part.guardrail == alarm.guardrail and not (part.rows & ~alarm.rows).any()
        if not is_part or heard[others].sum() < heard[part.rows].sum() / 2:
            continue
        against_others = evidence_of(alarm.guardrail, table, others[np.newaxis].astype(float))[0]
        if part.log_e >= alarm.log_e - AS_MUCH or against_others < np.log(CALM):
            return _narrowed(part, alarms, table)
    return alarm


def _is_calm(finding: Finding) -> bool:
    is_beyond = finding.verdict in (Verdict.FAIL, Verdict.INCONCLUSIVE)
    return not is_beyond or (finding.verdict is Verdict.INCONCLUSIVE and finding.e_value < CALM)


def _heard(table: Table) -> np.ndarray:
    """Return how much was heard of each arm and device, by the metric of which most was."""
    sums = [each[:, N].sum(axis=2) for each in table.sums.values()]
    return np.max(sums, axis=0) if sums else np.zeros((2, len(table.devices)))


def _cohort(attributes: Sequence[str], values: Sequence[str | None]) -> Segment | None:
    parts: list[Segment] = []
    for attribute, value in zip(attributes, values, strict=True):
        rule = comparison(attribute, "eq", [value]) if value is not None else None
        if not isinstance(rule, Is):
            return None
        parts.append(rule)
    return all_of(parts)


def _conditions(cohort: Segment) -> int:
    return 1 if isinstance(cohort, Is) else 2


def _of(measured: Sequence[Measurement], metric: str) -> Measurement:
    return next(measurement for measurement in measured if measurement.metric == metric)
