from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from bot.views import figures
from releases import wording


@pytest.mark.parametrize(
    ("value", "said"),
    [(0.861, "86.1 %"), (0.05, "5 %"), (1.0, "100 %"), (0.00041, "0.04 %"), (0.00001, "< 0.01 %"), (0.0, "0 %")],
)
def test_a_share_is_said_in_percent(value: float, said: str) -> None:
    assert figures.share(value).replace("\xa0", " ") == said


@pytest.mark.parametrize(
    ("value", "said"), [(0.0021, "+0.21 pt"), (-0.05, "−5 pt"), (0.0, "0 pt"), (-0.00001, "> −0.01 pt")]
)
def test_a_difference_of_shares_is_said_in_points_with_its_sign(value: float, said: str) -> None:
    assert figures.points(value).replace("\xa0", " ") == said


def test_a_ratio_of_1_2_is_20_percent_more() -> None:
    assert figures.ratio(1.2 - 1).replace("\xa0", " ") == "+20 %"


def test_a_moment_of_another_year_has_its_year() -> None:
    epiphany, now = datetime(2027, 1, 6, 9, tzinfo=UTC), datetime(2026, 12, 30, 9, tzinfo=UTC)

    for moment in (figures.moment, wording.moment):
        assert moment(epiphany, now) == "Wed 6 Jan 2027 09:00 UTC"
        assert moment(epiphany) == "Wed 6 Jan 09:00 UTC"
        assert moment(now, now) == "Wed 30 Dec 09:00 UTC"


def test_thousands_are_set_apart() -> None:
    assert figures.count(1904).replace("\xa0", " ") == "1 904"


@pytest.mark.parametrize(
    ("minutes", "said"),
    [(90, "1 h 30 min"), (1440, "1 d"), (1445, "1 d"), (1620, "1 d 3 h"), (5, "5 min"), (0, "0 min")],
)
def test_a_length_of_time_has_two_units_at_most(minutes: int, said: str) -> None:
    assert figures.length(timedelta(minutes=minutes)).replace("\xa0", " ") == said
