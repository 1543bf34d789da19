"""The pretended mail server: it takes what SMTP allows, shows one message once, and misbehaves when told."""

from __future__ import annotations

import smtplib
from collections.abc import Iterator

import flask
import pytest

from integrations.mail import Letter, compose
from sandbox import mail_page
from sandbox.faults import Faults
from sandbox.mail import MailWorld
from sandbox.smtp import SmtpServer
from tests.builders import T0, ManualClock

LETTER = Letter(
    key="dig_1", to="pam@example.com", subject="The week", plain="Well.\n.\nvery", stop_url="http://x/stop",
    html='<p onclick="alert(1)">Well <img src="cid:a.png"></p>', images={"a.png": b"\x89PNG"},
)  # fmt: skip


@pytest.fixture
def server(clock: ManualClock) -> Iterator[SmtpServer]:
    server = SmtpServer(MailWorld(Faults(), clock))
    yield server
    server.close()


def send(server: SmtpServer, *, to: str = LETTER.to) -> None:
    with smtplib.SMTP("127.0.0.1", server.port, timeout=10) as line:
        line.send_message(compose(LETTER, sender="m@example.com", now=T0), to_addrs=[to])


def test_the_same_message_twice_is_shown_once(server: SmtpServer) -> None:
    send(server)
    send(server)

    (mail,) = server.world.all()
    assert (mail.to, mail.times, str(mail.message["Subject"])) == ("pam@example.com", 2, "The week")
    assert mail_page.plain_of(mail).splitlines() == ["Well.", ".", "very"]


def test_a_mailbox_that_is_not_there_is_refused(server: SmtpServer) -> None:
    with pytest.raises(smtplib.SMTPRecipientsRefused):
        send(server, to="nobody@example.com")

    assert server.world.all() == ()


def test_down_it_takes_nothing(server: SmtpServer) -> None:
    server.world.faults.set(mail_down=True)

    with pytest.raises(smtplib.SMTPException):
        send(server)

    assert server.world.all() == ()


def test_a_lost_answer_is_a_message_taken(server: SmtpServer) -> None:
    server.world.faults.set(mail_lost=1)

    with pytest.raises(smtplib.SMTPException):
        send(server)

    assert len(server.world.all()) == 1


def test_its_page_shows_the_message_as_a_mail_program_does(server: SmtpServer) -> None:
    send(server)
    app = flask.Flask("mail")
    app.register_blueprint(mail_page.blueprint(server.world), url_prefix="/mail")

    page = app.test_client().get("/mail/1").text

    assert "data:image/png;base64," in page
    assert '<iframe sandbox="allow-popups"' in page
    assert "<p onclick" not in page
    assert "The week" in app.test_client().get("/mail/").text
    assert app.test_client().get("/mail/2").status_code == 404
