"""Our mail client against a server that somebody else wrote (aiosmtpd), and against none."""

from __future__ import annotations

import email
import email.policy
from collections.abc import Iterator
from dataclasses import replace
from email.message import EmailMessage
from typing import Any

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP as SmtpProtocol
from aiosmtpd.smtp import AuthResult, Envelope, LoginPassword, Session

from core.errors import UpstreamError
from integrations.mail import Letter, MailClient, compose, is_address, message_id
from sandbox.house import free_port
from tests.builders import T0

SENDER = "Müster <muster@example.com>"
PNG = b"\x89PNG\r\n\x1a\n" + b"." * 2000
LETTER = Letter(
    key="dig_1",
    to="pam@example.com",
    subject="demo, week 2026-W47:\n 1 × Act",
    plain="Große Woche.\n.\nEnde\n" + "x" * 2000,
    html='<p>Große Woche</p><img src="cid:a.png" alt="a">',
    stop_url="https://muster.example.com/mail/stop/abc?until=1&sig=2",
    images={"a.png": PNG},
)


class Box:
    """What the server took; `answer` is what it says to the next recipients."""

    def __init__(self) -> None:
        self.taken: list[Envelope] = []
        self.answer: str | None = None

    async def handle_RCPT(self, _server: Any, _session: Session, envelope: Envelope, address: str, _o: Any) -> str:
        if self.answer:
            return self.answer
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, _server: Any, _session: Session, envelope: Envelope) -> str:
        self.taken.append(envelope)
        return "250 Taken"


class Server(Controller):
    def __init__(self, box: Box, **options: Any) -> None:
        super().__init__(box, hostname="127.0.0.1", port=free_port(), ready_timeout=10)
        self._options = options

    def factory(self) -> SmtpProtocol:
        return SmtpProtocol(self.handler, enable_SMTPUTF8=True, **self._options)


@pytest.fixture
def box() -> Box:
    return Box()


@pytest.fixture
def server(box: Box) -> Iterator[Server]:
    server = Server(box)
    server.start()
    yield server
    server.stop()


def a_client(server: Server, **changes: Any) -> MailClient:
    return MailClient(host="127.0.0.1", port=server.port, sender=SENDER, **({"security": "none"} | changes))


def received(box: Box) -> EmailMessage:
    (envelope,) = box.taken
    assert isinstance(envelope.content, bytes)
    parsed = email.message_from_bytes(envelope.content, policy=email.policy.default)
    assert isinstance(parsed, EmailMessage)
    return parsed


def test_a_letter_arrives_plain_and_as_html_with_its_pictures_inside(server: Server, box: Box) -> None:
    a_client(server).send(LETTER, T0)

    message = received(box)
    plain, html = message.get_body(("plain",)), message.get_body(("html",))
    assert plain is not None
    assert html is not None
    assert plain.get_content().splitlines() == LETTER.plain.splitlines()
    assert html.get_content().strip() == LETTER.html
    (picture,) = [part for part in message.walk() if part.get_content_type() == "image/png"]
    assert (picture["Content-ID"], picture.get_content()) == ("<a.png>", PNG)
    assert message.get_content_type() == "multipart/alternative"
    assert (box.taken[0].mail_from, box.taken[0].rcpt_tos) == ("muster@example.com", ["pam@example.com"])


def test_a_letter_says_who_when_and_how_to_have_no_more(server: Server, box: Box) -> None:
    a_client(server).send(LETTER, T0)

    message = received(box)
    assert str(message["From"]) == SENDER
    assert str(message["Subject"]) == "demo, week 2026-W47: 1 × Act"
    assert message["Date"].datetime == T0
    assert message["List-Unsubscribe"] == f"<{LETTER.stop_url}>"
    assert message["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"


def test_the_same_letter_has_the_same_id_and_no_other_has_it() -> None:
    others = [replace(LETTER, key="dig_2"), replace(LETTER, to="tom@example.com")]

    ids = [message_id(each, SENDER) for each in (LETTER, *others)]

    assert len(set(ids)) == 3
    assert str(compose(LETTER, sender=SENDER, now=T0)["Message-ID"]) == ids[0]
    assert ids[0].endswith("@example.com>")


def test_words_cannot_become_headers() -> None:
    message = compose(replace(LETTER, subject="a\r\nBcc: all@example.com"), sender=SENDER, now=T0)

    assert message["Bcc"] is None
    assert str(message["Subject"]) == "a Bcc: all@example.com"


@pytest.mark.parametrize(
    ("answer", "permanent"),
    [
        pytest.param("550 No such mailbox", True, id="no such mailbox"),
        pytest.param("452 Try later", False, id="a full mailbox"),
    ],
)
def test_a_refused_recipient_is_final_or_passing_as_the_server_says(
    server: Server, box: Box, answer: str, permanent: bool
) -> None:
    box.answer = answer

    with pytest.raises(UpstreamError) as caught:
        a_client(server).send(LETTER, T0)

    assert caught.value.permanent is permanent
    assert "pam@example.com" not in caught.value.message


def test_a_server_that_is_not_there_is_passing() -> None:
    client = MailClient(host="127.0.0.1", port=free_port(), sender=SENDER, security="none")

    with pytest.raises(UpstreamError) as caught:
        client.send(LETTER, T0)

    assert not caught.value.permanent
    assert [problem.path for problem in client.check()] == ["smtp_host"]


def test_no_password_goes_over_a_line_that_should_be_encrypted_and_is_not(server: Server, box: Box) -> None:
    client = a_client(server, security="starttls", user="muster", password="hunter2")

    with pytest.raises(UpstreamError) as caught:
        client.send(LETTER, T0)

    assert caught.value.permanent
    assert box.taken == []
    assert [problem.path for problem in client.check()] == ["smtp_security"]


@pytest.mark.parametrize("password", ["hunter2", "wrong"])
def test_the_account_is_used_and_a_wrong_password_is_named(box: Box, password: str) -> None:
    def authenticate(_server: Any, _session: Any, _envelope: Any, _mechanism: str, told: Any) -> AuthResult:
        assert isinstance(told, LoginPassword)
        return AuthResult(success=told.password == b"hunter2", handled=False)

    server = Server(box, authenticator=authenticate, auth_require_tls=False)
    server.start()
    client = a_client(server, user="muster", password=password)
    try:
        if password == "hunter2":
            client.send(LETTER, T0)
            assert client.check() == ()
        else:
            with pytest.raises(UpstreamError) as caught:
                client.send(LETTER, T0)
            assert caught.value.permanent
            assert "wrong" not in caught.value.message
            assert [problem.path for problem in client.check()] == ["smtp_password"]
    finally:
        server.stop()
    assert len(box.taken) == (1 if password == "hunter2" else 0)


@pytest.mark.parametrize(
    ("text", "is_one"),
    [("a@b.c", True), ("a@b@c", True), ("a", False), ("@b", False), ("a@", False), ("a b@c", False), ("<a@b>", False)],
)
def test_what_reads_as_an_address(text: str, is_one: bool) -> None:
    assert is_address(text) is is_one
