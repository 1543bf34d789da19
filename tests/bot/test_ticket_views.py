"""What a ticket says, in Jira and in Slack, whatever people and phones put into it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from bot import grammar
from bot.ticket_rules import Evidence, RegressionFacts, Ticket
from bot.views import ticket as views
from core import segments
from integrations import adf
from tests.bot.slack_rules import accepted
from tests.bot.tickets_made import a_regression, evidence
from tests.builders import at
from tests.integrations.wire import check_document


def a_ticket(regression: RegressionFacts | None = None, **changes: Any) -> Ticket:
    facts = regression or a_regression()
    ticket = Ticket(regression=facts, state="open", band=3, revision=4, wanted_at=at(0), key="EDGE-91")
    return replace(ticket, **changes)


def url_of(key: str) -> str:
    return f"https://jira.example/browse/{key}"


NASTY = 'a<b>&"c" <!channel> *bold* \x00 ' + "y" * 4000


def test_the_document_tells_everything_in_order() -> None:
    document = views.description(a_regression(), "/muster")
    check_document(document)

    told = adf.plain_text(document).replace("\xa0", " ")
    for part in (
        "kws 1.4.0 crashes on 3.6 %",
        "Where and how much",
        'chipset="Helio G35" and accelerator=nnapi',
        "0.4 %",
        "3.6 %",
        "+3.2 pt (+2.1 pt to +4.6 pt)",
        "1 204 / 1 187",
        "What was running",
        "first bad version 1.4.0, against 1.3.2",
        "Release R12, stage 2 of 3 (25 %)",
        "sha256:abab",
        "What was done",
        "Rolled back on Mon 16 Nov",
        "What people said",
        "It <never> hears me & crashes",
        "How to reproduce",
        "/muster release show R12",
        "Release card in Slack",
        "fingerprint 00112233445566ff",
    ):
        assert part in told
        told = told[told.index(part) :]


def test_the_command_that_reproduces_it_can_be_typed_as_it_stands() -> None:
    document = views.description(a_regression(), "/muster")
    line = next(line for line in adf.plain_text(document).split("\n") if line.startswith("/muster feedback"))

    command = grammar.parse(line.removeprefix("/muster "))

    assert isinstance(command, grammar.Command)
    assert segments.text(segments.parse(command.options["where"])) == segments.text(
        segments.parse(a_regression().cohort)
    )


def test_a_regression_of_which_little_is_known_is_a_whole_document_too() -> None:
    bare = RegressionFacts(
        fingerprint="f",
        app="demo",
        model="kws",
        metric="reported",
        cohort="",
        first_bad_version="1.4.0",
        sentence="Bad.",
    )

    check_document(views.description(bare, "/muster"))
    assert views.summary(bare) == "kws 1.4.0: reported worse for everyone"


def test_people_cannot_break_the_document_or_ping_anybody() -> None:
    facts = a_regression(
        evidence(cohort=NASTY), cohort=NASTY, sentence=NASTY, verbatims=(NASTY,) * 9, stage=NASTY, done=NASTY
    )
    document = views.description(facts, "/muster")
    check_document(document)

    assert adf.characters(document) <= adf.DOCUMENT_CHARACTERS
    for message in (
        views.announcement(a_ticket(facts), url_of("EDGE-91")),
        views.one(a_ticket(facts), url_of),
        views.listing([a_ticket(facts)] * 40, url_of),
        views.wanted([a_ticket(facts, key=None)], url_of, by="U1", is_dry_run=False),
        views.muted(a_ticket(facts, state="muted", muted_until=at(1)), by="U1", is_dry_run=False),
        views.linked(a_ticket(facts), "EDGE-91", url_of, by="U1", is_dry_run=False),
    ):
        accepted(message)
        assert "<!channel>" not in message.text
        assert "<!channel>" not in str([block for block in message.blocks if block["type"] != "data_table"])


@pytest.mark.parametrize(
    ("row", "cells"),
    [
        pytest.param(evidence(), ("0.4 %", "3.6 %", "+3.2 pt (+2.1 pt to +4.6 pt)"), id="a share in points"),
        pytest.param(
            evidence(baseline=41.0, candidate=52.0, effect=0.268, low=0.2, high=0.34, relative=True),
            ("41", "52", "+26.8 % (+20 % to +34 %)"),
            id="a latency in percent",
        ),
        pytest.param(
            evidence(baseline=4.2, candidate=3.6, effect=-0.6, low=-0.8, high=-0.4),
            ("4.2", "3.6", "−0.6 (−0.8 to −0.4)"),
            id="a mean in its own unit",
        ),
    ],
)
def test_an_effect_is_told_in_the_unit_of_its_metric(row: Evidence, cells: tuple[str, ...]) -> None:
    document = views.description(a_regression(row), "/muster")

    told = adf.plain_text(document).replace("\xa0", " ").split("\n")
    at_metric = told.index("crash rate")
    assert tuple(told[at_metric + 1 : at_metric + 4]) == cells


def test_the_comment_of_a_new_band_carries_its_name() -> None:
    document = views.band_comment(a_regression(), "band 5 after none")
    check_document(document)

    assert "muster 00112233445566ff band 5 after none" in adf.plain_text(document)


@pytest.mark.parametrize(
    ("changes", "state"),
    [
        ({"state": "pending", "key": None}, "being opened"),
        ({"state": "creating", "key": None}, "being opened"),
        ({"state": "pending", "key": None, "problem": "HTTP 401"}, "needs help"),
        ({"state": "open"}, "open"),
        ({"state": "muted"}, "muted"),
        ({"state": "muted", "muted_until": at(0)}, "muted until Mon 16 Nov 09:00 UTC"),
    ],
)
def test_the_state_reads_as_words(changes: dict[str, Any], state: str) -> None:
    assert views.state(a_ticket(**changes)) == state
