from __future__ import annotations

from core.segments import EVERYONE
from feedback.priorities import Worse, rank
from feedback.regressions import Regression
from feedback.scores import share
from feedback.themes import Theme


def a_regression(metric: str = "crash_rate", *, effect: float = 0.1, cohort: str = "chipset=A16") -> Regression:
    return Regression(
        metric=metric, cohort=cohort, segment=EVERYONE, twins=(), baseline=0.5, candidate=0.5 + effect, effect=effect,
        low=effect, high=effect, installs_baseline=100, installs_candidate=200, n_baseline=1, n_candidate=1, p=0.001,
    )  # fmt: skip


def a_theme(
    name: str = "heat", *, people: int = 50, low: int = 40, change: float | None = None, is_new: bool = False
) -> Theme:
    return Theme(
        name=name, source="labels", people=people, texts=people, low=share(low, people), quotes=(), change=change,
        is_new=is_new,
    )  # fmt: skip


def test_reach_times_severity_decides_across_themes_and_regressions() -> None:
    found = rank(
        [Worse(regression=a_regression(), exposed=5000), Worse(regression=a_regression("fallback_rate"))],
        [a_theme(), a_theme("praise", low=0, people=900), a_theme("typo", low=1)],
    )

    assert [each.title for each in found] == [
        "crash_rate is worse for chipset=A16", "heat", "fallback_rate is worse for chipset=A16", "typo",
    ]  # fmt: skip
    assert [round(each.weight, 6) for each in found] == [500.0, 20.0, 4.0, 0.5]


def test_a_theme_that_nobody_complains_of_is_no_priority() -> None:
    assert rank([], [a_theme(low=0)]) == ()


def test_a_fall_of_ratings_weighs_by_its_part_of_the_scale() -> None:
    (line,) = rank([Worse(regression=a_regression("csat", effect=-2.0, cohort=""))], [])

    assert line.title == "csat is worse for everyone"
    assert line.severity == 0.25


def test_each_line_tells_its_release_its_ticket_and_the_command_that_shows_it() -> None:
    lines = rank(
        [Worse(regression=a_regression(), release="R12", ticket="MUS-7", is_new=True)],
        [a_theme()],
        tickets=[("heat", "MUS-9")],
    )

    assert (lines[0].release, lines[0].ticket, lines[0].trend) == ("R12", "MUS-7", "new")
    assert lines[0].command == "release status R12"
    assert lines[1].ticket == "MUS-9"


def test_the_trend_is_read_from_the_change_of_peoples_share() -> None:
    themes = [
        a_theme("a", change=2.0), a_theme("b", change=1.0), a_theme("c", change=0.5), a_theme("d", change=None),
        a_theme("e", change=9.0, is_new=True),
    ]  # fmt: skip

    assert {each.title: each.trend for each in rank([], themes)} == {
        "a": "rising", "b": "steady", "c": "falling", "d": "unknown", "e": "new",
    }  # fmt: skip
