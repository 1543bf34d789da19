"""What people write, as themes: told, taught by buttons, made a ticket, and in the digest's week."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

import pytest

from bot import store as bot_store
from bot import themes, tickets
from bot.answer import Person, handle
from bot.context import Context
from bot.flows.themes import week_lines
from bot.ticket_rules import Ticket
from bot.views import blocks
from bot.views import ticket as ticket_views
from bot.views.blocks import Message
from core.db import reading
from feedback import store
from tests.bot.releases_made import button_values, words
from tests.bot.slack_rules import accepted
from tests.bot.workspace import DANA, PAM, RELEASES
from tests.builders import T0, ManualClock
from tests.feedback.sending import Wire, a_batch, a_context, a_running_poll

SLOW = ("it is far too slow", "so slow to answer", "slow slow slow", "takes ages, so slow", "the answer is slow",
        "why is it slow", "slow since monday", "really slow today")  # fmt: skip
WRONG = ("it shows the wrong word", "wrong word again", "always the wrong word", "hears a wrong word",
         "the word is wrong", "wrong word, every time", "types the wrong word", "a wrong word came")  # fmt: skip
GERMAN = ("viel zu langsam", "die App ist langsam", "langsam und zäh", "so langsam heute", "warum so langsam")


@dataclass(slots=True)
class Desk:
    ctx: Context
    wire: Wire
    sent: int = 0

    def write(self, *texts: str, rating: int = 1, at: datetime = T0, chipset: str = "Helio G35") -> None:
        """Each text is another person's."""
        for words_ in texts:
            self.sent += 1
            event = {
                "uuid": f"uuid-text-{self.sent}", "event": "poll answered", "poll": "heard",
                "timestamp": (at - timedelta(hours=1)).isoformat(), "submission": f"sub-{self.sent}",
                "answers": [{"question": "q_csat", "value": rating}, {"question": "q_txt", "value": words_}],
            }  # fmt: skip
            context = a_context(install=f"writer-{self.sent}", soc=chipset, model={"name": "kws", "version": "1.3.2"})
            reply = self.wire.batch(a_batch(event, sent_at=at.isoformat(), context=context))
            assert reply.json is not None
            assert reply.json["accepted"] == 1, reply.text

    def ask(self, line: str, person: str = PAM) -> Message:
        message = handle(self.ctx, Person(person, person), line, channel=RELEASES)
        accepted(message)
        for level in range(4):
            accepted(blocks.degrade(message, level))
        return message

    def names(self) -> dict[str, str]:
        with reading(self.ctx.databases.ingest) as session:
            found = store.texts(
                session, app="demo", model="kws", since=T0 - timedelta(days=30), until=T0 + timedelta(days=1),
                key=self.ctx.settings.secret_key,
            )  # fmt: skip
        return {each.words: each.name for each in found}

    def tickets(self) -> tuple[Ticket, ...]:
        with reading(self.ctx.databases.control) as session:
            return tickets.recent(session)


@pytest.fixture
def desk(ctx: Context, clock: ManualClock) -> Desk:
    with ctx.databases.control.begin() as session:
        a_running_poll(session)
        bot_store.grant(session, person=DANA, role="operator", model="*", by="U0TOM", now=ctx.clock())
    return Desk(ctx, Wire(ctx.databases, ctx.settings, clock))


def test_themes_are_told_with_people_ratings_quotes_and_what_is_new(desk: Desk, clock: ManualClock) -> None:
    clock.now = T0 - timedelta(days=10)
    desk.write(*(5 * WRONG), at=clock.now)
    clock.now = T0
    desk.write(*SLOW, *GERMAN, *WRONG)

    said = desk.ask("feedback themes kws")

    assert said.text.startswith("*kws*, 7 days: 21 people wrote 21 texts; most about")
    assert "*New:*" in words(said)
    assert "“slow”" in words(said)
    assert "of their ratings are bad" in words(said)
    chart = next(block for block in said.blocks if block["type"] == "data_visualization")
    assert sum(point["value"] for point in chart["chart"]["series"][0]["data"]) >= 13
    assert any(label.startswith("theme: ") for label in button_values(said))


def test_few_writers_are_told_nothing_of(desk: Desk) -> None:
    desk.write(*SLOW, *WRONG)

    said = desk.ask("feedback themes kws")

    assert "fewer than 20 people wrote" in said.text
    assert "slow" not in words(said)


def test_the_buttons_under_quotes_teach_themes_in_their_own_words(desk: Desk) -> None:
    desk.write(*SLOW, *GERMAN, *WRONG)
    quotes = desk.ask("feedback quotes kws limit=10")
    assert sum("label kws q" in line for line in button_values(quotes).values()) >= 4
    names = desk.names()
    for some, theme in ((SLOW, "too slow"), (WRONG, "wrong answer")):
        for text in some[:6]:
            assert "Noted" in desk.ask(f'feedback label kws {names[text]} theme="{theme}"', DANA).text

    said = words(desk.ask("feedback themes kws"))

    assert "*too slow*" in said
    assert "*wrong answer*" in said
    assert "12 texts were labeled by people" in said


def test_a_label_is_replaced_taken_away_and_for_those_with_a_role(desk: Desk) -> None:
    desk.write(*SLOW, *GERMAN, *WRONG)
    name = desk.names()[SLOW[0]]

    assert "You may not label" in desk.ask(f"feedback label kws {name} theme=slow").text
    assert "nothing was changed" in desk.ask(f"feedback label kws {name} theme=slow --dry-run", DANA).text
    assert known(desk) == {}
    desk.ask(f"feedback label kws {name} theme=slow", DANA)
    desk.ask(f"feedback label kws {name} theme='Too  SLOW'", DANA)
    assert known(desk) == {name: "too slow"}
    desk.ask(f"feedback label kws {name} theme=none", DANA)
    assert known(desk) == {}


def known(desk: Desk) -> dict[str, str]:
    with reading(desk.ctx.databases.control) as session:
        return dict(themes.labels(session, app="demo", model="kws"))


def test_one_click_makes_one_ticket_of_a_theme(desk: Desk) -> None:
    desk.write(*SLOW, *GERMAN, *WRONG)
    buttons = button_values(desk.ask("feedback themes kws"))
    line = buttons["Make it a ticket"]

    said = desk.ask(line, DANA)
    desk.ask(line, DANA)

    (ticket,) = desk.tickets()
    assert "wants a ticket: kws any: people write about" in said.text
    assert ticket.regression.verbatims
    assert "feedback themes kws" in str(ticket_views.description(ticket.regression, "/muster"))
    assert "ticket being opened" in words(desk.ask("feedback themes kws"))


def test_a_name_tells_nothing_of_the_phone_and_stays_the_same(desk: Desk) -> None:
    desk.write(*SLOW)

    assert desk.names() == desk.names()
    assert all("uuid" not in name and len(name) == 13 for name in desk.names().values())


def test_the_digest_gets_the_themes_of_its_week(desk: Desk) -> None:
    desk.write(*SLOW, *GERMAN, *WRONG)

    lines = week_lines(desk.ctx, "kws", starts=T0 - timedelta(days=7), ends=T0)

    assert lines
    assert all(line.people >= 5 and line.model == "kws" for line in lines)


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("feedback themes", "something is missing"),
        ("feedback themes kws sinse=7d", "did you mean since=?"),
        ("feedback label kws", "name the text as well"),
        ("feedback label kws q123 theme=slow", "There is no text q123"),
        ("feedback label kws q123", "must be a few plain words"),
        ('feedback label kws q123 theme="<!channel>"', "must be a few plain words"),
        ("feedback ticket kws", "name the theme"),
        ("feedback ticket kws theme=nothing", "There is no theme “nothing” just now"),
    ],
)
def test_a_mistake_says_how_it_is_said(desk: Desk, line: str, said: str) -> None:
    assert said in words(desk.ask(line, DANA))
