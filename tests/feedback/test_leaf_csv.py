from __future__ import annotations

import pytest

from core.errors import InvalidInputError
from feedback import leaf_csv


def mistakes(text: str) -> list[str]:
    with pytest.raises(InvalidInputError) as raised:
        leaf_csv.read(text.splitlines(keepends=True))
    return [str(problem) for problem in raised.value.problems]


def test_every_column_that_is_no_number_is_an_attribute() -> None:
    found = leaf_csv.read(["soc,os,Harms,exposures\n", "A16,14,3,40\n", "G35,,0,20\n"])

    assert found.attributes == ("soc", "os")
    assert found.kind == "counts"
    assert found.observed.tolist() == [3, 0]
    assert found.labels[1] == ("14", "")


def test_a_figure_and_its_forecast_are_read_as_amounts() -> None:
    found = leaf_csv.read(["\ufeffa,b,actual,predict\n", "x,y,-3.5,4\n"])

    assert (found.kind, found.observed.tolist()) == ("amounts", [-3.5])


def test_a_column_may_be_left_out() -> None:
    assert leaf_csv.read(["id,soc,harms,expected\n", "7,A16,3,4\n"], ignore=["id"]).attributes == ("soc",)


def test_every_mistake_is_told_with_its_line() -> None:
    text = 'soc,harms,exposures\n"A\n16",x,40\nG35,1\nG35,-1,20\n\nG2,1,nan\n'

    assert mistakes(text) == [
        "line 2: harms: must be a number, is 'x'",
        "line 4: has 2 values, the header names 3",
        "line 5: harms: must not be below 0, is -1",
        "line 7: exposures: must be a number, is 'nan'",
    ]


def test_more_harms_than_exposures_are_a_mistake() -> None:
    rows = "".join(f"A{number},1,4\n" for number in range(60))

    assert mistakes(f"soc,harms,exposures\nA16,5,4\n{rows}") == ["line 2: harms: are 5, more than the 4 exposures"]


@pytest.mark.parametrize(
    ("header", "message"),
    [
        ("", "line 1: the file is empty; its first line names the columns"),
        ("soc,harms", "line 1: exposures: is missing; harms need exposures, expected or both"),
        ("soc,real", "line 1: predict: is missing; real needs predict"),
        ("soc,n", "line 1: harms: is missing; give harms and exposures or expected, or real and predict"),
        ("harms,expected", "line 1: there is no attribute: every column that is no number column is one"),
        ("soc,soc,harms,expected", "line 1: soc: is there twice"),
        ("soc,,harms,expected", "line 1: column 2: has no name"),
        ("soc,harms,expected", "line 2: there is no row under the header"),
    ],
)
def test_a_header_that_cannot_be_is_told(header: str, message: str) -> None:
    assert mistakes(header) == [message]


def test_a_file_of_mistakes_is_told_in_a_hundred_lines() -> None:
    found = mistakes("soc,harms,expected\n" + "A16,x,1\n" * 250)

    assert len(found) == 101
    assert found[-1] == "and 150 more mistakes"
