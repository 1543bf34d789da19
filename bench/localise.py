"""Localization on cases of our own: precision, recall, F1, ranks, false alarms and time, against two usual ways.

`python -m bench.localise` runs every family of cases (see bench/localise_cases.py) with one to three causes and with
none, judges ours, a decision tree of scikit-learn and the list of all significant slices (Benjamini-Hochberg) on the
same cases, then times ours on 10^4 and 10^6 leaves. A cause counts as found when a rule that picks out the same leaves
is told; every other rule told is a false one.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.stats import norm
from sklearn.tree import DecisionTreeRegressor

from bench.localise_cases import FAMILIES as OWN
from bench.localise_cases import Case, phones
from bench.localise_outside import OUTSIDE
from feedback.evidence import slice_sums
from feedback.lattice import Lattice, Values
from feedback.leaves import Floats, Leaves
from feedback.localise import localise
from feedback.scores import discoveries

Ways = dict[str, Callable[[Case], tuple["Told", "Told"]]]
FAMILIES = OWN | OUTSIDE
Told = Sequence[frozenset[Values]]
"""For each rule told, best first, itself and its twins."""


@dataclass(slots=True)
class Tally:
    cases: int = 0
    right: int = 0
    wrong: int = 0
    missed: int = 0
    exact: int = 0
    first: int = 0
    in_five: float = 0.0
    nulls: int = 0
    alarms: int = 0
    spent_ms: float = 0.0
    slowest_ms: float = 0.0

    def add(self, told: Told, truth: frozenset[Values], ranked: Told, spent_ms: float) -> None:
        self.spent_ms += spent_ms
        self.slowest_ms = max(self.slowest_ms, spent_ms)
        if not truth:
            self.nulls += 1
            self.alarms += bool(told)
            return
        hits = {cause for each in told for cause in each & truth}
        false = sum(not each & truth for each in told)
        self.cases += 1
        self.right, self.wrong, self.missed = (
            self.right + len(hits), self.wrong + false, self.missed + len(truth - hits),
        )  # fmt: skip
        self.exact += hits == truth and not false
        self.first += bool(ranked and ranked[0] & truth)
        self.in_five += len({cause for each in ranked[:5] for cause in each & truth}) / len(truth)

    def line(self) -> str:
        precision = self.right / max(1, self.right + self.wrong)
        recall = self.right / max(1, self.right + self.missed)
        f1 = 2 * precision * recall / max(1e-9, precision + recall)
        n = max(1, self.cases)
        return (
            f"{precision:6.2f} {recall:6.2f} {f1:6.2f} {self.exact / n:6.2f} {self.first / n:6.2f}"
            f" {self.in_five / n:6.2f} {self.alarms:>5}/{self.nulls:<3}"
            f" {self.spent_ms / (self.cases + self.nulls):7.0f} {self.slowest_ms:7.0f}"
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--cases", type=int, default=20, help="of each family, and as many with nothing wrong")
    parser.add_argument("--family", choices=sorted(FAMILIES), action="append")
    parser.add_argument("--ours", action="store_true", help="leave out the usual ways")
    parser.add_argument("--no-large", action="store_true", help="leave out 10^6 leaves")
    options = parser.parse_args()
    print(f"{'family':12} {'way':12}  prec.  recall     F1  exact  top-1  in 5   alarms   CPU ms  slowest")
    for family in options.family or FAMILIES:
        for way, tally in _family(family, options.cases, {"ours": _ours} if options.ours else WAYS).items():
            print(f"{family:12} {way:12} {tally.line()}", flush=True)
    for leaves in (10_000,) if options.no_large else (10_000, 1_000_000):
        case = phones(np.random.default_rng(1), causes=2, rows=leaves)
        started = time.process_time()
        found = localise(case.table)
        spent = time.process_time() - started
        print(f"{leaves:>9} leaves, {found.slices} slices: {spent:.2f} CPU s, {len(found.causes)} causes told of 2")


def _family(family: str, cases: int, ways: Ways) -> dict[str, Tally]:
    tallies = {way: Tally() for way in ways}
    for seed in range(cases):
        rng = np.random.default_rng([seed, *family.encode()])
        for case in (FAMILIES[family](rng, causes=int(rng.integers(1, 4))), FAMILIES[family](rng, causes=0)):
            truth = frozenset(_sorted(cause) for cause in case.causes)
            for way, judge in ways.items():
                started = time.process_time()
                told, ranked = judge(case)
                tallies[way].add(told, truth, ranked, 1000 * (time.process_time() - started))
    return tallies


def _sorted(values: Values) -> Values:
    return tuple(sorted((str(name), str(value)) for name, value in values))


def _ours(case: Case) -> tuple[Told, Told]:
    found = localise(case.table)
    ranked = [
        frozenset({_sorted(each.conditions), *(_sorted(twin) for twin in each.twins)}) for each in found.explanations
    ]
    return ranked[: len(found.causes)], ranked


def _excess(table: Leaves) -> tuple[Floats, Floats]:
    """Return each leaf's excess over what is expected, and its variance: counted, or learned from the table."""
    if table.kind == "counts":
        usual = table.expected
        if usual is None:
            assert table.exposures is not None
            usual = table.exposures * table.observed.sum() / table.exposures.sum()
        return table.observed - usual, usual
    assert table.expected is not None
    size = (np.abs(table.observed) + np.abs(table.expected)) / 2
    away = np.divide(table.observed - table.expected, size, out=np.zeros(len(table)), where=size > 0)
    error = max(0.01, 1.48 * float(np.median(np.abs(away[size > 0]))))
    return away, np.where(size > 0, error**2, 0.0)


def _all_significant(case: Case) -> tuple[Told, Told]:
    """Tell every slice to depth 3 that stands under Benjamini-Hochberg at 5 %, the surest first."""
    excess, variance = _excess(case.table)
    lattice = Lattice(case.table)
    scores, places = [], []
    for cuboid in lattice:
        total, spread = slice_sums(cuboid, np.stack([excess, variance]))
        z = np.divide(total, np.sqrt(spread), out=np.zeros(cuboid.size), where=spread > 0)
        scores.append(z if case.table.kind == "counts" else np.abs(z))
        places += [(cuboid, number) for number in range(cuboid.size)]
    z = np.concatenate(scores)
    sides = 1 if case.table.kind == "counts" else 2
    standing = discoveries((sides * norm.sf(z)).tolist(), 0.05)
    in_order = sorted(standing, key=lambda place: -z[place])
    ranked = [frozenset({_sorted(lattice.values(*places[place]))}) for place in in_order[:200]]
    return ranked + [frozenset()] * (len(standing) - len(ranked)), ranked


def _tree(case: Case) -> tuple[Told, Told]:
    """Tell the leaves of a tree (one-hot attributes, at most 12 leaves) whose excess stands under Bonferroni.

    The tree has chosen among all pairs of values, so the bound is over those.
    """
    table = case.table
    excess, variance = _excess(table)
    features = [(k, code) for k, labels in enumerate(table.labels) for code in range(len(labels))]
    one_hot = np.stack([table.codes[:, k] == code for k, code in features], axis=1)
    weight = np.maximum(variance, 1e-9)
    target = excess / weight if table.kind == "counts" else excess
    tree = DecisionTreeRegressor(max_leaf_nodes=12, min_samples_leaf=4, random_state=0)
    tree.fit(one_hot, target, sample_weight=weight if table.kind == "counts" else None)
    nodes = tree.apply(one_hot)
    told = []
    for node in np.unique(nodes):
        inside = nodes == node
        spread = float(variance[inside].sum())
        z = float(excess[inside].sum()) / np.sqrt(spread) if spread > 0 else 0.0
        if (z if table.kind == "counts" else abs(z)) > norm.isf(0.05 / len(features) ** 2):
            path = tree.decision_path(one_hot[inside][:1]).indices
            yes = [n for n in path[:-1] if one_hot[inside][0, tree.tree_.feature[n]]]
            conditions = [features[tree.tree_.feature[n]] for n in yes]
            rule = tuple((table.attributes[k], table.labels[k][code]) for k, code in conditions)
            told.append((abs(z), frozenset({_sorted(rule)})))
    ranked = [rule for _, rule in sorted(told, key=lambda pair: -pair[0])]
    return ranked, ranked


WAYS: Ways = {
    "ours": _ours,
    "tree": _tree,
    "all slices": _all_significant,
}


if __name__ == "__main__":
    main()
