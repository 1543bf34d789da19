"""Journey A: a poll is fetched, answered through retries, stored once, and read in Slack by cohort."""

from __future__ import annotations

import socket
from contextlib import ExitStack
from urllib.parse import urlsplit

import pytest

from sandbox import acting
from tests.journeys.answering import sixty_answers
from tests.journeys.conftest import Living, eventually


@pytest.fixture(scope="module")
def answered(living: Living) -> int:
    """Sixty people answer, and every batch is sent twice."""
    accepted, duplicate = sixty_answers(living)
    assert accepted == duplicate
    return accepted


def test_phones_fetch_the_poll_that_was_pushed_from_a_file(living: Living) -> None:
    bundle = living.phone("GET", "/v1/polls").json()

    assert [poll["id"] for poll in bundle["polls"]] == ["poll_heard"]


def test_an_answer_that_was_sent_twice_is_stored_once(living: Living, answered: int) -> None:
    report = living.pipeline("GET", "/v1/reports/kws?by=chipset&since=24h").json()

    assert answered == 120
    assert report["overall"]["n"] == 60


def test_the_report_in_slack_says_n_interval_and_the_worst_cohort(living: Living, answered: int) -> None:
    told = living.say("Pam", "#app-feedback", "/muster feedback kws by=chipset since=24h", until="Helio G35")

    assert told["ephemeral_to"] == "U0PAM"
    said = acting.words(told)
    assert "60 answers" in said.replace("\N{NO-BREAK SPACE}", " ")
    assert "40" in said
    kinds = [block["type"] for block in told["blocks"]]
    assert "data_visualization" in kinds
    assert "data_table" in kinds


def test_sharing_puts_the_report_into_the_channel(living: Living, answered: int) -> None:
    living.say("Pam", "#app-feedback", "/muster feedback kws by=chipset since=24h", until="Helio G35")

    living.press("Pam", "#app-feedback", "Share", until="Shared by")

    shared = living.heard("Shared by", "#app-feedback")
    assert shared["ephemeral_to"] is None


def test_a_report_becomes_a_ticket_by_its_button_and_form(living: Living, answered: int) -> None:
    living.say("Dana", "#app-feedback", "/muster feedback kws by=chipset since=24h", until="Helio G35")
    living.stage.click("Dana", "#app-feedback", "Open ticket")

    view = eventually(lambda: [each for each in living.stage.state()["views"] if each["user"] == "U0DANA"])[-1]

    assert "regression" in view["view"]["title"]["text"].lower()
    living.close("Dana", view["id"])


def test_a_person_may_ask_in_words_that_are_nearly_right(living: Living) -> None:
    told = living.say("Pam", "#app-feedback", "/muster feedbak kws", until="Did you mean")

    assert "Run it" in acting.buttons(told)


def test_bodies_that_trickle_in_keep_nobody_else_waiting(living: Living) -> None:
    address = urlsplit(living.world.place.web)
    head = f"POST /v1/batch HTTP/1.1\r\nHost: phone\r\nAuthorization: Bearer {living.world.place.public_key}\r\n"
    with ExitStack() as lines:
        for _ in range(40):
            line = lines.enter_context(socket.create_connection((address.hostname, address.port), timeout=5))
            line.sendall(f"{head}Content-Length: 1000\r\n\r\n{{".encode())

        assert living.phone("GET", "/v1/polls").status_code == 200
        assert living.say("Pam", "#general", "/muster whoami", until="You are")
