"""Tables of other people's hands: harms that are no counts are read as the figure they were taken from."""

from __future__ import annotations

import numpy as np
import pytest

from feedback import leaf_csv, leaf_kinds, leaves
from feedback.leaves import Leaves
from feedback.localise import localise

SIZES = {"soc": 6, "os": 5, "acc": 4, "app": 4}
Columns = dict[str, list[str]]


def a_grid() -> Columns:
    codes = np.indices(tuple(SIZES.values())).reshape(len(SIZES), -1)
    return {name: [f"{name}{code}" for code in row] for name, row in zip(SIZES, codes, strict=True)}


def a_drop(seed: int = 0) -> tuple[Columns, np.ndarray, np.ndarray]:
    """A figure, and its forecast 3 % off, that lost half where soc=soc2 and os=os3."""
    rng = np.random.default_rng(seed)
    columns = a_grid()
    predict = rng.lognormal(5, 1, len(columns["soc"]))
    real = predict * (1 + rng.normal(0, 0.03, len(predict)))
    bad = (np.asarray(columns["soc"]) == "soc2") & (np.asarray(columns["os"]) == "os3")
    return columns, np.where(bad, real / 2, real), predict


def causes(table: Leaves) -> list[dict[str, str]]:
    return [dict(each.conditions) for each in localise(table).causes]


@pytest.mark.parametrize("told", ["lost of all", "lost, expected lost", "figure and forecast", "figure of more"])
def test_a_measured_figure_is_understood_however_it_is_told(told: str) -> None:
    columns, real, predict = a_drop()
    lost = np.clip(predict - real, 0, None)
    numbers = {
        "lost of all": {"harms": lost, "exposures": predict},
        "lost, expected lost": {"harms": lost, "exposures": predict, "expected": 0.02 * predict},
        "figure and forecast": {"harms": real, "expected": predict},
        "figure of more": {"harms": real, "exposures": predict, "expected": predict},
    }[told]

    assert causes(leaf_kinds.read(columns, numbers)) == [{"soc": "soc2", "os": "os3"}]


def test_counts_stay_counts() -> None:
    rng = np.random.default_rng(1)
    columns = a_grid()
    exposures = np.full(len(columns["soc"]), 400.0)
    chance = np.where(np.asarray(columns["soc"]) == "soc1", 0.1, 0.02)
    harms = rng.binomial(400, chance).astype(float)

    table = leaf_kinds.read(columns, {"harms": harms, "exposures": exposures})

    assert table.kind == "counts"
    assert causes(table) == [{"soc": "soc1"}]
    assert leaf_kinds.read(columns, {"harms": harms, "exposures": exposures}, kind="amounts").kind == "amounts"


def test_more_harms_than_exposures_are_harms_against_what_exposures_make_one_expect() -> None:
    rng = np.random.default_rng(2)
    columns = a_grid()
    exposures = np.full(len(columns["soc"]), 5.0)
    harms = rng.poisson(np.where(np.asarray(columns["os"]) == "os0", 9.0, 3.0)).astype(float)

    assert causes(leaf_kinds.read(columns, {"harms": harms, "exposures": exposures})) == [{"os": "os0"}]


@pytest.mark.parametrize(
    "header",
    ["SOC,Harms,Exposures", "soc;failures;n", "soc\tfailed\ttotal", "soc|Harm| Exposed ", "\ufeffsoc,bad,Trials"],
)
def test_columns_go_by_many_names_and_separators(header: str) -> None:
    sign = next(each for each in ";\t|," if each in header)
    rows = [sign.join((f"s{number % 4}", str(30 if number % 4 == 1 else 2), "100")) for number in range(12)]

    table = leaf_csv.read([f"{line}\n" for line in (header, *rows)])

    assert causes(table) == [{header.lstrip("\ufeff").split(sign)[0].strip(): "s1"}]


def as_csv(columns: Columns, **numbers: np.ndarray) -> list[str]:
    rows = zip(*columns.values(), *(map(str, each) for each in numbers.values()), strict=True)
    return [f"{','.join(row)}\n" for row in [[*columns, *numbers], *rows]]


@pytest.mark.parametrize(
    "names",
    ["actual expected", "observed predicted", "value forecast", "harms predict", "y yhat", "kpi usual", "v FCST"],
)
@pytest.mark.parametrize("swap", [False, True], ids=["fell", "rose"])
def test_a_figure_and_its_forecast_are_known_by_any_pair_of_names_and_by_none(names: str, swap: bool) -> None:
    columns, real, predict = a_drop()
    first, second = names.split()
    told = {first: predict, second: real} if swap else {first: real, second: predict}

    table = leaf_csv.read(as_csv(columns, **told))

    assert table.attributes == tuple(SIZES)
    assert causes(table) == [{"soc": "soc2", "os": "os3"}]


def test_small_figures_that_were_rounded_are_found_to_fall() -> None:
    columns, real, predict = a_drop()
    seen, usual = np.round(real / 20), np.round(predict / 20)

    for others in ({}, {"exposures": 10 * usual + 9}):
        table = leaf_csv.read(as_csv(columns, harms=seen, expected=usual, **others))

        assert causes(table) == [{"soc": "soc2", "os": "os3"}]


def test_a_fall_of_counts_is_told_unless_they_are_a_share_of_which_something_rose() -> None:
    rng = np.random.default_rng(5)
    columns = a_grid()
    expected = np.full(len(columns["soc"]), 20.0)
    fell, rose = np.asarray(columns["soc"]) == "soc2", np.asarray(columns["os"]) == "os3"

    def told(times: np.ndarray, **others: np.ndarray) -> list[dict[str, str]]:
        harms = rng.poisson(expected * times).astype(float)
        return causes(leaf_csv.read(as_csv(columns, harms=harms, expected=expected, **others)))

    only_fell, both = np.where(fell, 0.4, 1.0), np.where(fell, 0.4, np.where(rose, 2.0, 1.0))
    exposures = np.full(len(expected), 2000.0)
    assert {"soc": "soc2"} in told(both)
    assert {"os": "os3"} in told(both)
    assert told(both, exposures=exposures) == [{"os": "os3"}]
    assert told(only_fell, exposures=exposures) == [{"soc": "soc2"}]


def test_a_column_of_words_is_an_attribute_whatever_it_is_called() -> None:
    rows = [f"{('adult', 'child')[n % 2]},s{n % 5},{30 if n % 5 == 1 else 2},100" for n in range(40)]

    table = leaf_csv.read(["population,soc,harms,exposures\n", *(f"{row}\n" for row in rows)])

    assert table.attributes == ("population", "soc")
    assert causes(table) == [{"soc": "s1"}]


def test_codes_and_labels_that_happen_to_be_numbers_are_not_taken_for_figures() -> None:
    columns, real, predict = a_drop()
    coded = {name: [value[-1] for value in column] for name, column in columns.items()}

    assert causes(leaf_csv.read(as_csv(coded, v=real, f=predict))) == [{"soc": "2", "os": "3"}]


def test_a_column_that_names_rows_is_left_out() -> None:
    rows = [f"row-{n},s{n % 4},{30 if n % 4 == 1 else 2},100" for n in range(40)]

    table = leaf_csv.read(["id,soc,harms,exposures\n", *(f"{row}\n" for row in rows)])

    assert table.attributes == ("soc",)


def test_of_very_many_attributes_those_that_tell_are_combined() -> None:
    rng = np.random.default_rng(3)
    rows = 4000
    columns = {f"a{k}": [f"v{code}" for code in rng.integers(0, 5, rows)] for k in range(60)}
    bad = (np.asarray(columns["a17"]) == "v1") & (np.asarray(columns["a41"]) == "v2")
    harms = rng.binomial(50, np.where(bad, 0.2, 0.02)).astype(float)

    found = localise(leaves.table(columns, harms=harms, exposures=np.full(rows, 50.0)))

    assert [dict(each.conditions) for each in found.causes] == [{"a17": "v1", "a41": "v2"}]


@pytest.mark.parametrize(
    "rubbish",
    ["", "\0\0\0", '"', "a,b\n1", "harms\n1\n", "soc,harms,exposures\nx," + "9" * 200_000 + ",1\n",
     "soc,harms,exposures\n" + 'x,"' + "y" * 200_000 + '",1\n', "{}", "soc,harms,exposures\nx,nan,inf\n"],
)  # fmt: skip
def test_rubbish_is_told_as_such(rubbish: str) -> None:
    from core.errors import InvalidInputError

    with pytest.raises(InvalidInputError):
        leaf_csv.read(rubbish.splitlines(keepends=True))
