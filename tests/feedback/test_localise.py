from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest

from bench.localise_cases import FAMILIES as OWN
from bench.localise_cases import Case
from bench.localise_outside import OUTSIDE
from core.errors import InvalidInputError
from feedback import leaves
from feedback.lattice import Lattice, Values
from feedback.leaves import Leaves
from feedback.localise import Localisation, localise
from feedback.scan import Scan

FAMILIES = OWN | OUTSIDE
G2 = (("soc", "Tensor G2"), ("accelerator", "nnapi"), ("os", "14"))
Columns = dict[str, npt.NDArray[np.str_]]


def a_fleet(rows: int = 6000, seed: int = 0) -> Columns:
    rng = np.random.default_rng(seed)
    values = {
        "soc": ["Tensor G2", "A16", "Helio G35", "Exynos", "Kirin"],
        "accelerator": ["nnapi", "gpu", "cpu"],
        "os": ["12", "13", "14", "15"],
        "region": ["EU", "US", "IN", "BR"],
    }
    return {name: rng.choice(choices, rows) for name, choices in values.items()}


def inside(columns: Columns, cause: Values) -> npt.NDArray[np.bool_]:
    found: npt.NDArray[np.bool_] = np.logical_and.reduce([columns[name] == value for name, value in cause])
    return found


def harmed(columns: Columns, *causes: Values, seed: int = 1, rate: float = 0.02, times: float = 4.0) -> Leaves:
    rng = np.random.default_rng(seed)
    rows = len(columns["soc"])
    chance = np.full(rows, rate)
    for cause in causes:
        chance[inside(columns, cause)] *= times
    exposures = rng.integers(20, 60, rows)
    harms = rng.binomial(exposures, chance)
    return leaves.table(columns, harms=harms, exposures=exposures, expected=exposures * rate)


def rules(found: Localisation) -> set[frozenset[tuple[str, str]]]:
    return {frozenset(each.conditions) for each in found.causes}


@pytest.mark.parametrize(
    "cause",
    [
        pytest.param((("soc", "A16"),), id="one condition"),
        pytest.param((("soc", "Kirin"), ("region", "IN")), id="two conditions"),
        pytest.param(G2, id="three conditions"),
        pytest.param((), id="everyone"),
    ],
)
def test_the_smallest_rule_that_explains_the_harm_is_the_only_cause(cause: Values) -> None:
    columns = a_fleet()
    table = harmed(columns, cause) if cause else harmed(columns, (), rate=0.02)
    if not cause:
        table = leaves.table(
            columns, harms=table.observed, exposures=table.exposures, expected=np.asarray(table.expected) / 2
        )

    found = localise(table)

    assert rules(found) == {frozenset(cause)}
    assert found.causes[0].confidence > 0.9
    assert found.causes[0].observed > 1.5 * found.causes[0].expected


def test_two_causes_at_once_are_told_apart() -> None:
    other: Values = (("soc", "Kirin"), ("region", "IN"))

    assert rules(localise(harmed(a_fleet(), G2, other))) == {frozenset(G2), frozenset(other)}


def test_two_values_of_one_attribute_are_not_told_as_all_of_it() -> None:
    causes: list[Values] = [(("soc", "A16"), ("os", version)) for version in ("12", "13", "14")]

    assert rules(localise(harmed(a_fleet(), *causes))) == {frozenset(cause) for cause in causes}


def test_without_expected_numbers_a_part_is_compared_with_the_rest() -> None:
    table = harmed(a_fleet(), G2)
    plain = leaves.table(
        {name: np.asarray(table.labels[k])[table.codes[:, k]] for k, name in enumerate(table.attributes)},
        harms=table.observed,
        exposures=table.exposures,
    )

    assert rules(localise(plain)) == {frozenset(G2)}


def test_rules_for_the_same_leaves_are_told_as_twins_and_the_shortest_first() -> None:
    columns = a_fleet()
    columns["phone"] = np.where(columns["soc"] == "Helio G35", "Redmi 9C", "other")

    (cause,) = localise(harmed(columns, (("soc", "Helio G35"),))).causes

    assert cause.conditions == (("soc", "Helio G35"),)
    assert (("phone", "Redmi 9C"),) in cause.twins


def test_at_least_five_explanations_are_ranked_causes_first_each_with_a_confidence() -> None:
    for table in (harmed(a_fleet(), G2), harmed(a_fleet())):
        found = localise(table).explanations

        assert len(found) >= 5
        assert [each.is_cause for each in found] == sorted((each.is_cause for each in found), reverse=True)
        assert all(0 <= each.confidence <= 1 for each in found)
        assert len({each.conditions for each in found}) == len(found)


@pytest.mark.parametrize("family", FAMILIES)
def test_when_nothing_is_wrong_nothing_is_blamed(family: str) -> None:
    alarms = [bool(localise(FAMILIES[family](np.random.default_rng(seed), causes=0).table).causes) for seed in range(8)]

    assert sum(alarms) <= 2  # of 8 with a chance of at most .05, more than 2 come 0.6 % of the time


@pytest.mark.parametrize("family", FAMILIES)
def test_causes_are_found_in_tables_of_every_family(family: str) -> None:
    right = wrong = missed = 0
    for seed in range(6):
        case: Case = FAMILIES[family](np.random.default_rng(seed), causes=1 + seed % 3)
        told = [{frozenset(each.conditions), *map(frozenset, each.twins)} for each in localise(case.table).causes]
        truth = {frozenset(cause) for cause in case.causes}
        right += sum(bool(each & truth) for each in told)
        wrong += sum(not each & truth for each in told)
        missed += len(truth - set().union(*told))

    assert right / (right + wrong) >= 0.9
    assert 2 * right / (2 * right + wrong + missed) >= 0.85


def test_counts_that_come_in_clumps_raise_no_false_alarm() -> None:
    columns = a_fleet()
    rng = np.random.default_rng(3)
    for seed in range(5):
        calm = harmed(columns, seed=seed, rate=0.1)
        clumps = rng.poisson(calm.observed * rng.gamma(2.0, 0.5, len(calm)))
        table = leaves.table(columns, harms=clumps, expected=np.asarray(calm.expected))

        assert localise(table, alpha=0.01).causes == ()


def test_a_forecast_that_is_off_for_all_alike_is_no_cause() -> None:
    columns = a_fleet(4000)
    rng = np.random.default_rng(5)
    predict = rng.lognormal(3, 1, 4000)
    real = predict * (0.95 + rng.normal(0, 0.03, 4000))
    real[inside(columns, G2)] *= 0.7

    assert rules(localise(leaves.forecast_table(columns, real=real, predict=predict))) == {frozenset(G2)}


def test_a_figure_may_rise_or_fall_but_only_the_side_asked_for_is_told() -> None:
    columns = a_fleet(4000)
    rng = np.random.default_rng(6)
    predict = rng.lognormal(3, 1, 4000)
    real = predict * (1 + rng.normal(0, 0.03, 4000))
    rise: Values = (("region", "BR"), ("os", "12"))
    real[inside(columns, G2)] *= 0.6
    real[inside(columns, rise)] *= 1.5
    table = leaves.forecast_table(columns, real=real, predict=predict)

    assert rules(localise(table)) == {frozenset(G2), frozenset(rise)}
    assert rules(localise(table, direction="rise")) == {frozenset(rise)}
    assert rules(localise(table, direction="fall")) == {frozenset(G2)}


def test_a_name_given_before_is_kept_while_it_explains_nearly_as_much() -> None:
    columns = a_fleet()
    columns["phone"] = np.where(columns["soc"] == "Helio G35", "Redmi 9C", "other")
    columns["phone"][:40] = "Redmi 9C"
    table = harmed(columns, (("soc", "Helio G35"),))
    old: Values = (("phone", "Redmi 9C"),)

    assert localise(table).causes[0].conditions == (("soc", "Helio G35"),)
    assert localise(table, known=[old]).causes[0].conditions == old
    assert rules(localise(table, known=[(("soc", "A16"),), (("soc", "gone"),)])) == {frozenset([("soc", "Helio G35")])}


def test_the_order_of_rows_makes_no_difference() -> None:
    columns = a_fleet()
    table = harmed(columns, G2)
    order = np.random.default_rng(1).permutation(len(table))
    turned = leaves.table(
        {name: column[order] for name, column in columns.items()},
        harms=table.observed[order], exposures=np.asarray(table.exposures)[order],
        expected=np.asarray(table.expected)[order],
    )  # fmt: skip

    assert rules(localise(table)) == rules(localise(turned))


def test_the_lattice_counts_every_rule_that_some_leaf_fulfils() -> None:
    table = leaves.table({"a": ["x", "x", "y"], "b": ["u", "v", "u"]}, harms=[1, 2, 3], exposures=[9, 9, 9])
    lattice = Lattice(table)

    assert [cuboid.attributes for cuboid in lattice] == [(), (0,), (1,), (0, 1)]
    place = lattice.find((("a", "x"), ("b", "v")))
    assert place is not None
    assert lattice.values(*place) == (("a", "x"), ("b", "v"))
    assert (place[0].numbers == place[1]).tolist() == [False, True, False]
    assert lattice.find((("a", "y"), ("b", "v"))) is None
    assert lattice.find((("c", "y"),)) is None


@pytest.mark.parametrize(
    ("numbers", "message"),
    [
        ({"harms": [1.0]}, "exposures: give exposures, expected or both"),
        ({"harms": [3.0], "exposures": [2.0]}, "exposures: must not be fewer"),
        ({"harms": [1.0], "expected": [-2.0]}, "expected: must not be below 0"),
        ({"harms": [float("nan")], "expected": [2.0]}, "observed: must be numbers"),
        ({"harms": [1.0], "expected": [2.0, 3.0]}, "expected: has 2 rows, the observed have 1"),
    ],
)
def test_a_table_that_cannot_be_is_refused_with_the_reason(numbers: dict[str, list[float]], message: str) -> None:
    with pytest.raises(InvalidInputError, match=message):
        leaves.table({"a": ["x"]}, **numbers)


@pytest.mark.parametrize("value", [0.0, 5.0])
def test_tables_of_one_row_or_one_value_are_fine(value: float) -> None:
    assert localise(leaves.table({"a": ["x"]}, harms=[value], exposures=[50])).causes == ()
    assert localise(leaves.forecast_table({"a": ["x", "y"]}, real=[value, 0], predict=[value, 0])).causes == ()


class Means:
    """Evidence that is a mean's square over its variance: what sums of floats leave behind looks strong to it."""

    is_fixed = True

    def __init__(self, numbers: npt.NDArray[np.float64]) -> None:
        self._columns = np.stack([numbers, numbers**2 / 1000])

    def columns(self, mask: npt.NDArray[np.bool_]) -> npt.NDArray[np.float64]:
        found: npt.NDArray[np.float64] = self._columns * mask
        return found

    def open(self, rest: npt.NDArray[np.bool_]) -> None: ...

    def score(self, sums: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        total, spread = np.abs(sums)
        found: npt.NDArray[np.float64] = np.divide(total, spread, out=np.zeros_like(total), where=spread > 0)
        return found

    def surprise(self, sums: npt.NDArray[np.float64], scores: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        return scores

    def parts(self, whole: npt.NDArray[np.float64], parts: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        return self.score(parts)

    def p_value(self, score: float, slices: int) -> float:
        return 0.0


def test_slices_of_which_no_leaf_is_left_are_no_answer_whatever_rounding_says() -> None:
    columns = a_fleet(400)
    table = leaves.combinations({name: [str(value) for value in column] for name, column in columns.items()})
    scan = Scan(Lattice(table), Means(np.random.default_rng(0).uniform(0.1, 0.9, 400)))
    everything = np.ones(400, dtype=bool)

    for left in (400, 233, 71, 12):
        assert scan.best(everything & (np.arange(400) < left)) is not None
    assert scan.best(~everything) is None
