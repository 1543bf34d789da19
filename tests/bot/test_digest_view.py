"""The digest's two faces: Slack within its limits, the page readable for everybody."""

from __future__ import annotations

import re
from dataclasses import replace
from zoneinfo import ZoneInfo

import pytest

from bot import weeks
from bot.views import charts, digest_mail, digest_wiki, digest_words, pages
from bot.views import digest as views
from bot.views.charts import Point
from bot.views.digest_strokes import cohort_strokes
from feedback.digest import Digest
from feedback.scores import Change
from tests.bot.digests_made import WEEK, a_cohort, a_full_week, nps_score
from tests.bot.releases_made import words
from tests.bot.slack_rules import accepted

URL = "http://muster.test/digests/dig_1?until=1&sig=2"


def test_slack_takes_a_full_week_and_hears_the_verdict_first() -> None:
    message = views.digest(a_full_week(), url=URL)

    accepted(message)
    assert message.in_channel
    assert words(message).index("Act") < words(message).index("Numbers") < words(message).index("What people said")


def test_a_very_full_week_still_fits() -> None:
    week = a_full_week()
    long = replace(
        week, quotes=tuple("never " * 400 for _ in range(3)), models=week.models * 12, tickets=week.tickets * 20
    )

    accepted(views.digest(long, url=URL))


def test_a_decision_wanted_has_a_button_that_looks_before_it_acts() -> None:
    said = words(views.digest(a_full_week(), url=URL))

    assert '"action_id": "release:show"' in said
    assert "release:approve" not in said


def test_peoples_words_are_escaped_in_slack() -> None:
    said = words(views.digest(a_full_week(), url=URL))

    assert "&lt;!channel&gt;" in said
    assert "<!channel>" not in said


@pytest.mark.parametrize("zone", ["Europe/Berlin", "Pacific/Auckland", "UTC", "America/Los_Angeles"])
def test_a_week_has_the_days_of_its_zone_wherever_it_is_told(zone: str) -> None:
    week = weeks.find_week("2026-W48", ZoneInfo(zone))
    assert week is not None
    digest = replace(a_full_week(), week=week.name, starts=week.starts, ends=week.ends)
    days = "23 November 2026 – 29 November 2026"

    assert days in pages.digest_page(digest, composed="now")
    assert days in digest_mail.mail(digest, url=URL, stop_url=URL).plain
    assert days in digest_mail.mail(digest, url=URL, stop_url=URL).html
    assert days in digest_wiki.body(digest, url=URL, origin="muster")


def test_an_empty_week_is_one_line_on_both_faces() -> None:
    empty = Digest(
        app="demo", week="2026-W47", starts=WEEK, ends=WEEK, is_empty=True, headline="2026-W47: nothing happened."
    )

    assert views.digest(empty, url=URL).text == "*Week 2026-W47 – demo*: nothing happened."
    assert "<section" not in pages.digest_page(empty, composed="now")


def test_a_change_is_only_colored_when_it_is_beyond_chance() -> None:
    week = a_full_week()

    tones = [digest_words.number_row(number).tone for number in week.numbers]

    assert tones == ["unclear", "worse", "unclear"]


def test_more_crashes_are_worse_and_more_satisfaction_is_better() -> None:
    up = Change(value=0.1, low=0.05, high=0.15)
    csat, crashes, _ = a_full_week().numbers

    assert digest_words.tone(replace(csat, change=up)) == "better"
    assert digest_words.tone(replace(crashes, change=up)) == "worse"


def test_an_nps_reads_in_points_and_is_drawn_on_its_own_scale() -> None:
    line = replace(a_cohort("A16", 1, 2), score=nps_score(31, 9, 120))
    week = replace(a_full_week(), worst=(line,), best=())

    page = pages.digest_page(week, composed="now").replace("\xa0", " ")

    assert "+31 (+22 to +40), n = 120" in page


def test_worst_and_best_cohorts_are_drawn_on_one_scale_and_in_one_column() -> None:
    points = replace(a_cohort("A16", 1, 2), score=nps_score(31, 9, 120))
    week = replace(a_full_week(), worst=(a_cohort("Helio G35", 20, 60),), best=(points, a_cohort("Tensor G2", 55, 60)))

    drawn = [stroke for _, strokes in cohort_strokes(week) for stroke in strokes]
    body = digest_wiki.body(week, url=URL, origin="digest/demo/2026-W47")

    axes = {stroke.line.cohort: stroke.axis for stroke in drawn}
    assert axes["Helio G35"] == axes["Tensor G2"] != axes["A16"]
    cohorts = body[body.index("Cohorts</h2>") :].split("</table>")[0]
    assert [name in cohorts for name in ("Helio G35", "A16", "Tensor G2")] == [True] * 3


def test_every_heading_of_the_page_is_named_for_readers_who_listen() -> None:
    page = pages.digest_page(a_full_week(), composed="now")

    assert page.count("<h1>") == 1
    assert page.count("aria-labelledby=") == page.count("<h2 id=")
    assert 'lang="en"' in page


def test_every_face_names_the_commands_that_repeat_its_numbers() -> None:
    week, again = a_full_week(), "/muster feedback kws by=chipset since=7d"

    assert again in words(views.digest(week, url=URL))
    assert again in pages.digest_page(week, composed="now")
    assert again in digest_mail.mail(week, url=URL, stop_url=URL).html
    assert again in digest_wiki.body(week, url=URL, origin="digest/demo/2026-W47")


def test_the_pages_words_lead_to_their_meaning() -> None:
    glossary = pages.glossary_page()

    targets = re.findall(r'href="/glossary#([^"]+)"', pages.digest_page(a_full_week(), composed="now"))

    assert len(targets) > 5
    assert [target for target in targets if f'id="{target}"' not in glossary] == []


def test_the_trend_is_drawn_with_words_in_its_place_and_written_out_elsewhere() -> None:
    week = a_full_week()

    page = pages.digest_page(week, composed="now").replace("\xa0", " ")
    mail = digest_mail.mail(week, url=URL, stop_url=URL)
    slack = words(views.digest(week, url=URL)).replace("\xa0", " ")

    assert 'aria-label="installs with a crash of kws by week: 0.34 % in 2026-W44, 0.46 % in 2026-W45' in page
    assert page.count('<svg class="spark"') == 2
    before = "0.34 → 0.46 → 0.4 %"
    assert before in slack
    assert before in mail.html.replace("\xa0", " ")
    assert before in mail.plain.replace("\xa0", " ")
    assert before in digest_wiki.body(week, url=URL, origin="digest/demo/2026-W47").replace("\xa0", " ")


def test_a_week_that_nothing_was_told_of_is_a_dash_in_the_trend() -> None:
    csat = a_full_week().numbers[0]

    assert digest_words.trend(csat).replace("\xa0", " ") == "83 → 83 → – → 83 → – → 85 → 85 %"


def test_without_weeks_before_there_is_no_empty_column() -> None:
    week = a_full_week()
    first = replace(week, numbers=tuple(replace(number, trend=()) for number in week.numbers))

    assert "By week" not in pages.digest_page(first, composed="now")
    assert "Weeks before" not in words(views.digest(first, url=URL))


def test_a_line_keeps_inside_its_box_and_leaves_room_for_weeks_without_a_point() -> None:
    points = [Point(x=x, value=value, low=value - 1, high=value + 1) for x, value in ((-3, 0.0), (-2, 8.0), (0, 4.0))]

    drawn = charts.spark(points, said="up and down")

    told = re.search(r'polyline points="([^"]+)"', drawn)
    assert told
    across = [float(pair.split(",")[0]) for pair in told[1].split()]
    assert across[1] - across[0] == pytest.approx((across[2] - across[0]) / 3, abs=0.1)
    ends = [float(number) for number in re.findall(r"[\d.]+", " ".join(re.findall(r'points="([^"]+)"', drawn)))]
    assert min(ends) >= 0
    assert max(ends) <= charts.SPARK_WIDTH


def test_a_line_on_which_nothing_ever_moved_is_drawn_flat() -> None:
    still = [Point(x=x, value=5.0, low=5.0, high=5.0) for x in (-1, 0)]

    assert f'cy="{charts.SPARK_HEIGHT / 2:.1f}"' in charts.spark(still, said="5, 5")
