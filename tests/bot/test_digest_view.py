"""The digest's two faces: Slack within its limits, the page readable for everybody."""

from __future__ import annotations

import re
from dataclasses import replace

from bot.views import digest as views
from bot.views import digest_mail, digest_wiki, digest_words, pages
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
