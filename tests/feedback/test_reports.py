"""Cohort reports."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.errors import InvalidInputError
from core.segments import parse, text
from feedback.polls import Privacy
from feedback.reports import NOT_TOLD, CohortReport, build_report
from feedback.scores import difference, score, share
from tests.feedback.test_questions import a_question

T0 = datetime(2026, 11, 16, tzinfo=UTC)
T1 = datetime(2026, 11, 23, tzinfo=UTC)


@dataclass(frozen=True)
class Group:
    value: str | None
    counts: Mapping[str, int]
    installs: int


@dataclass(frozen=True)
class Asked:
    value: str | None
    shown: int
    answered: int
    installs: int


def a_group(value: str | None, happy: int, unhappy: int) -> Group:
    return Group(value, {"5": happy, "1": unhappy}, happy + unhappy)


def a_report(*answers: Group, **facts: Any) -> CohortReport:
    usual: dict[str, Any] = {"model": "kws", "question": a_question("csat"), "attribute": "chipset", "minimum": 20}
    return build_report(since=T0, until=T1, answers=answers, **(usual | facts))


def test_the_lowest_score_comes_first() -> None:
    report = a_report(a_group("G2", 90, 10), a_group("Helio G35", 61, 39), a_group("A16", 80, 20))

    assert [row.cohort for row in report.rows] == ["Helio G35", "A16", "G2"]
    assert report.rows[0].score == share(61, 100)
    assert report.overall == share(231, 300)
    assert (report.hidden, report.installs) == (0, 300)


def test_every_row_says_how_it_changed_against_the_period_before() -> None:
    report = a_report(a_group("G2", 60, 40), a_group("A16", 80, 20), answers_before=[a_group("G2", 83, 17)])

    row, new = report.rows
    assert row.before == share(83, 100)
    assert row.change == difference(share(60, 100), share(83, 100))
    assert row.change.is_clear
    assert (new.before, new.change) == (None, None)
    assert report.change == difference(share(140, 200), share(83, 100))


def test_a_small_cohort_is_withheld_and_so_is_one_that_would_give_it_away() -> None:
    report = a_report(a_group("G2", 90, 10), a_group("A16", 19, 0), a_group("Helio G35", 30, 5))

    assert [row.cohort for row in report.rows] == ["G2"]
    assert report.hidden == 2


def test_before_is_withheld_where_the_cohort_was_small_then() -> None:
    report = a_report(a_group("G2", 90, 10), a_group("A16", 90, 10), answers_before=[a_group("G2", 9, 1)])

    assert [row.before for row in report.rows] == [None, None]
    assert report.before is None


def test_too_few_people_in_all_have_no_score_at_all() -> None:
    report = a_report(a_group("G2", 9, 1), a_group("A16", 5, 0))

    assert (report.rows, report.overall, report.hidden) == ((), None, 2)


def test_nobody_at_all_is_an_empty_report() -> None:
    report = a_report()

    assert (report.rows, report.overall, report.hidden, report.response_rate) == ((), None, 0, None)
    assert report.low_cohorts == ()


def test_devices_that_did_not_tell_are_a_row_without_a_rule() -> None:
    report = a_report(a_group(None, 50, 50), a_group("G2", 90, 10))

    assert (report.rows[0].cohort, report.rows[0].segment) == (NOT_TOLD, None)


def test_the_rule_of_a_row_includes_the_rule_of_the_report() -> None:
    report = a_report(a_group("Helio G35", 61, 39), where=parse("platform=android"), attribute="soc")

    assert report.attribute == "chipset"
    assert report.rows[0].segment is not None
    assert text(report.rows[0].segment) == 'platform=android and chipset="Helio G35"'


def test_the_response_rate_stands_beside_every_score() -> None:
    shown = [Asked("G2", 400, 100, 300), Asked("A16", 30, 25, 19)]

    report = a_report(a_group("G2", 90, 10), a_group("A16", 20, 5), impressions=shown)

    rates = {row.cohort: row.response_rate for row in report.rows}
    assert rates == {"G2": share(100, 400), "A16": None}
    assert report.response_rate == share(125, 430)


def test_answers_that_nobody_told_as_shown_are_in_no_response_rate() -> None:
    shown = [Asked("G2", 400, 100, 300), Asked("A16", 0, 600, 600)]

    report = a_report(a_group("G2", 90, 10), a_group("A16", 300, 300), impressions=shown)

    assert {row.cohort: row.response_rate for row in report.rows} == {"G2": share(100, 400), "A16": None}
    assert report.response_rate == share(100, 400)


def test_thumbs_are_counted_as_the_database_keeps_them() -> None:
    report = a_report(Group("G2", {"true": 30, "false": 10}, 40), question=a_question("thumbs"))

    assert report.overall == share(30, 40)


def test_answers_that_phones_randomized_are_debiased() -> None:
    private = a_question("csat", privacy=Privacy(mechanism="k_rr", epsilon=2.0))

    report = a_report(a_group("G2", 90, 10), question=private)

    assert report.overall == score("csat", {5: 90, 1: 10}, epsilon=2.0)
    assert report.overall != share(90, 100)


def test_a_question_without_a_score_has_no_rows() -> None:
    report = a_report(Group("G2", {"slow": 40}, 40), question=a_question("single_choice"))

    assert (report.rows, report.overall) == ((), None)


def test_only_what_is_beyond_chance_counts_as_low() -> None:
    usual = [a_group(f"chip {number}", 83 + number % 5, 17 - number % 5) for number in range(12)]

    assert a_report(*usual).low_cohorts == ()
    assert [row.cohort for row in a_report(*usual, a_group("Helio G35", 61, 39)).low_cohorts] == ["Helio G35"]


def test_an_unknown_attribute_is_refused() -> None:
    with pytest.raises(InvalidInputError, match="did you mean 'chipset'"):
        a_report(attribute="chipst")


@given(
    st.dictionaries(st.sampled_from(["a", "b", "c", "d", "e", NOT_TOLD]) | st.none(), st.integers(0, 60)),
    st.integers(5, 30),
)
def test_what_is_hidden_is_never_a_single_small_group(people: dict[str | None, int], minimum: int) -> None:
    groups = [a_group(value, count, 0) for value, count in people.items()]

    report = a_report(*groups, minimum=minimum)

    shown = sum(row.installs for row in report.rows)
    assert all(row.installs >= minimum for row in report.rows)
    assert report.hidden == 0 or not report.rows or report.installs - shown >= minimum
    assert len(report.rows) + report.hidden == sum(count > 0 for count in people.values())
