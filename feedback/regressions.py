"""Regressions: which cohort got worse under the candidate, how sure that is, and the fingerprint it is known by.

Every conjunction of at most three values of device attributes, and everyone, is compared between two arms: those of a
release, or the last days and the weeks before. The scan of feedback/scan.py takes the slice whose evidence
(feedback/arm_evidence.py) exceeds what it takes to name it by most, sets its devices aside and looks again, while
anything is beyond chance over all that was looked at. Pure.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from core.arms import ARMS, ArmName
from core.device import DeviceContext
from core.segments import EVERYONE, All, Is, Segment, parse, text
from feedback import cohorts
from feedback.arm_evidence import ArmEvidence
from feedback.evidence import Mask
from feedback.lattice import Lattice, Values
from feedback.leaves import Floats, combinations
from feedback.scan import Found, Scan, Slice, search
from feedback.scores import Z95
from feedback.telemetry import LOWER_IS_WORSE

# In order of preference where two describe the same phones. What differs between the arms by intent (version, variant,
# runtime of the model) cannot be a cohort.
ATTRIBUTES: Final = (
    "chipset", "accelerator", "device", "tier", "os", "platform", "ram_gb", "manufacturer", "app_version", "country",
    "locale", "cohort",
)  # fmt: skip
ALPHA: Final = 0.05
DEPTH: Final = 3
MOST_FOUND: Final = 3
MOST_RIVALS: Final = 4
MOST_TWINS: Final = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Leaf:
    """All installs of one arm on devices that agree in everything: sums over installs of n, total, their products."""

    device: DeviceContext
    arm: ArmName
    installs: int
    n: float
    total: float
    n_sq: float
    total_sq: float
    n_total: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Rival:
    """Another rule that may be what is wrong; `weight` (0..1) is its share in all that vie for the same devices."""

    cohort: str
    baseline: float
    candidate: float
    installs: int
    weight: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Regression:
    """A metric that is worse for a cohort under the candidate, beyond chance.

    `cohort` is the rule as people type it, "" for everyone; `twins` are rules that pick out the same devices, `rivals`
    others that it might be, the likeliest first. `baseline` and `candidate` are total / n; `effect` their difference
    with its 95 % interval; `p` is one-sided, of this cohort alone; `confidence` (0..1) is that anything is wrong, over
    all that was looked at, times the weight of this rule among its rivals.
    """

    metric: str
    cohort: str
    segment: Segment
    twins: tuple[str, ...]
    baseline: float
    candidate: float
    effect: float
    low: float
    high: float
    installs_baseline: int
    installs_candidate: int
    n_baseline: float
    n_candidate: float
    p: float
    confidence: float = 1.0
    rivals: tuple[Rival, ...] = ()


def fingerprint(app: str, model: str, metric: str, cohort: str, first_bad_version: str) -> str:
    """Return a regression's name: the first 16 hex digits of sha256 over its five parts, each ended by a zero byte."""
    parts = (app, model, metric, cohort, first_bad_version)
    return hashlib.sha256("".join(f"{part}\0" for part in parts).encode()).hexdigest()[:16]


def tally(rows: Iterable[tuple[DeviceContext, ArmName, float, float]]) -> tuple[Leaf, ...]:
    """Return the leaves of rows (device, arm, n, total), one row for each install."""
    leaves: dict[tuple[DeviceContext, ArmName], Leaf] = {}
    for device, arm, n, total in rows:
        one = Leaf(
            device=device, arm=arm, installs=1, n=n, total=total, n_sq=n * n, total_sq=total * total, n_total=n * total
        )
        before = leaves.get((device, arm))
        leaves[device, arm] = one if before is None else _add_leaf(before, one)
    return tuple(leaves.values())


def find_regressions(
    leaves: Sequence[Leaf],
    *,
    metric: str,
    minimum: int = 20,
    alpha: float = ALPHA,
    highest: float = 5.0,
    known: Collection[str] = (),
) -> tuple[Regression, ...]:
    """Return at most three regressions of `metric`, the surest first; none if all may be chance.

    `alpha`: the chance that anything is told when nothing is wrong. A cohort needs `minimum` installs, at least 5 in
    each arm, and harm of at least 5 installs' worth. `highest` is the top of the scale of ratings, from which a low
    mean is counted down as harm. `known` are cohorts told before, as people type them: they keep their names as long as
    they explain nearly as much as the best.
    """
    lower_is_worse = metric in LOWER_IS_WORSE
    arms = _Arms([_count_down(leaf, highest) for leaf in leaves] if lower_is_worse else leaves)
    if not arms.devices:
        return ()
    lattice = Lattice(combinations(arms.columns()), depth=DEPTH)
    evidence = ArmEvidence(arms.sums(), lattice, minimum=minimum)
    names = [values for cohort in known if (values := _values_of(cohort)) is not None]
    scan = Scan(lattice, evidence, known=names, looked_at=evidence.looked_at, only_told=True, alpha=alpha)
    found = sorted(search(scan, most=MOST_FOUND, alpha=alpha), key=lambda each: -each.best.score)
    told = [_regression(metric, scan, each, arms) for each in found]
    return tuple(_count_up(each, highest) for each in told) if lower_is_worse else tuple(told)


class _Arms:
    """Leaves as arrays: for each arm the sums of the installs on devices that are alike in all attributes."""

    def __init__(self, leaves: Iterable[Leaf]) -> None:
        places: dict[tuple[str | None, ...], int] = {}
        rows: dict[ArmName, dict[int, list[float]]] = {"baseline": {}, "candidate": {}}
        for leaf in leaves:
            key = tuple(leaf.device.label(name) for name in ATTRIBUTES)
            place = places.setdefault(key, len(places))
            mine = (leaf.installs, leaf.n, leaf.total, leaf.n_sq, leaf.total_sq, leaf.n_total)
            before = rows[leaf.arm].get(place, [0.0] * 6)
            rows[leaf.arm][place] = [had + more for had, more in zip(before, mine, strict=True)]
        self.devices = list(places)
        self.baseline, self.candidate = (self._array(rows[arm]) for arm in ARMS)

    def _array(self, rows: dict[int, list[float]]) -> Floats:
        found = np.zeros((6, len(self.devices)))
        for place, sums in rows.items():
            found[:, place] = sums
        return found

    def columns(self) -> dict[str, list[str]]:
        return {name: [device[k] or "" for device in self.devices] for k, name in enumerate(ATTRIBUTES)}

    def sums(self) -> Floats:
        """Return the columns that the evidence takes."""
        b, c = self.baseline, self.candidate
        return np.stack([b[0], c[0], b[1], c[1], b[2], c[2], b[3] + c[3], b[4] + c[4], b[5] + c[5]])


def _regression(metric: str, scan: Scan, found: Found, arms: _Arms) -> Regression:
    name, twins = scan.named(found.best)
    baseline, candidate = (arm[:, found.best.mask].sum(axis=1) for arm in (arms.baseline, arms.candidate))
    rates = [_rate(arm) for arm in (baseline, candidate)]
    effect = rates[1] - rates[0]
    half = Z95 * math.sqrt(sum(_squares(arm, _rate(arm)) / arm[1] ** 2 for arm in (baseline, candidate) if arm[1]))
    weights = found.weights()
    values = scan.lattice.values(name.cuboid, name.number)
    return Regression(
        metric=metric,
        cohort=_words(values),
        segment=cohorts.of(**dict(values)) if values else EVERYONE,
        twins=_twins(scan, name, twins),
        baseline=rates[0],
        candidate=rates[1],
        effect=effect,
        low=effect - half,
        high=effect + half,
        installs_baseline=round(baseline[0]),
        installs_candidate=round(candidate[0]),
        n_baseline=float(baseline[1]),
        n_candidate=float(candidate[1]),
        p=scan.evidence.p_value(found.best.surprise, 1),
        confidence=(1 - scan.chance(found.best)) * weights[0],
        rivals=tuple(
            _rival(scan, rival, weight, arms)
            for rival, weight in sorted(zip(found.rivals, weights[1:], strict=True), key=lambda pair: -pair[1])
        )[:MOST_RIVALS],
    )


def _rival(scan: Scan, rival: Slice, weight: float, arms: _Arms) -> Rival:
    mask: Mask = rival.mask
    baseline, candidate = (arm[:, mask].sum(axis=1) for arm in (arms.baseline, arms.candidate))
    return Rival(
        cohort=_words(scan.lattice.values(rival.cuboid, rival.number)),
        baseline=_rate(baseline),
        candidate=_rate(candidate),
        installs=round(baseline[0] + candidate[0]),
        weight=weight,
    )


def _twins(scan: Scan, name: Slice, twins: Sequence[Slice]) -> tuple[str, ...]:
    """Return the rules for the same devices that are as short, or shorter if the name is one from before."""
    short = [twin for twin in twins if len(twin.cuboid.attributes) <= len(name.cuboid.attributes)]
    return tuple(_words(scan.lattice.values(twin.cuboid, twin.number)) for twin in short[:MOST_TWINS])


def _rate(arm: Floats) -> float:
    return float(arm[2] / arm[1]) if arm[1] else 0.0


def _squares(arm: Floats, rate: float) -> float:
    return max(0.0, float(arm[4] - 2 * rate * arm[5] + rate * rate * arm[3]))


def _words(values: Values) -> str:
    return text(cohorts.of(**dict(values))) if values else ""


def _values_of(cohort: str) -> Values | None:
    """Return the values of a cohort as people type it, "" for everyone; None if it is no conjunction of values."""
    rule = parse(cohort) if cohort else EVERYONE
    parts = rule.parts if isinstance(rule, All) else (rule,)
    values = [(each.field, each.values[0]) for each in parts if isinstance(each, Is) and each.operator == "eq"]
    return tuple(values) if len(values) == len(parts) else None


def _count_down(leaf: Leaf, highest: float) -> Leaf:
    """Return the leaf with highest * n - total in place of total."""
    return replace(
        leaf,
        total=highest * leaf.n - leaf.total,
        total_sq=highest**2 * leaf.n_sq - 2 * highest * leaf.n_total + leaf.total_sq,
        n_total=highest * leaf.n_sq - leaf.n_total,
    )


def _count_up(regression: Regression, highest: float) -> Regression:
    return replace(
        regression,
        baseline=highest - regression.baseline,
        candidate=highest - regression.candidate,
        effect=-regression.effect,
        low=-regression.high,
        high=-regression.low,
    )


def _add_leaf(left: Leaf, right: Leaf) -> Leaf:
    def both(of: Callable[[Leaf], float]) -> float:
        return of(left) + of(right)

    return replace(
        left,
        installs=left.installs + right.installs,
        n=both(lambda leaf: leaf.n),
        total=both(lambda leaf: leaf.total),
        n_sq=both(lambda leaf: leaf.n_sq),
        total_sq=both(lambda leaf: leaf.total_sq),
        n_total=both(lambda leaf: leaf.n_total),
    )
