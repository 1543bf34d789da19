"""Mail over SMTP: one message to one person, plain and HTML with images inside, and the way to have no more of it.

SMTP cannot be asked whether it took a message. So the Message-ID is made from what is sent: should a reply get lost,
the same message is sent again under the same id, which mail servers and programs know as one.
https://www.rfc-editor.org/rfc/rfc8058 (unsubscribing with one click).
"""

from __future__ import annotations

import hashlib
import smtplib
import ssl
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP as SMTP_POLICY
from email.utils import format_datetime, parseaddr
from typing import Final, Literal

from core.errors import Problem, UpstreamError

Security = Literal["starttls", "tls", "none"]
SERVICE: Final = "mail"
TIMEOUT_S: Final = 15.0
BUSY: Final = frozenset({421, 450, 451, 452, 454, 455})


@dataclass(frozen=True, slots=True, kw_only=True)
class Letter:
    """What is sent. `key` names it among all letters; `images` are PNG files that `html` shows as `cid:<name>`."""

    key: str
    to: str
    subject: str
    plain: str
    html: str
    stop_url: str
    images: Mapping[str, bytes] = field(default_factory=dict)


class MailClient:
    """Sends by one server as one sender. Each letter opens and closes its own connection."""

    def __init__(
        self,
        *,
        host: str,
        port: int,
        sender: str,
        security: Security = "starttls",
        user: str | None = None,
        password: str | None = None,
        timeout_s: float = TIMEOUT_S,
    ) -> None:
        self.sender = sender
        self._place = (host, port)
        self._security = security
        self._login = (user, password) if user and password else None
        self._timeout_s = timeout_s

    def send(self, letter: Letter, now: datetime) -> None:
        """Raises: UpstreamError: permanent when the server will never take it from us or for that person."""
        message = compose(letter, sender=self.sender, now=now)
        try:
            with self._open() as server:
                server.send_message(message, from_addr=_bare(self.sender), to_addrs=[_bare(letter.to)])
        except (smtplib.SMTPException, OSError) as error:
            raise _meaning(error) from None  # the library's message may hold what was sent

    def check(self) -> tuple[Problem, ...]:
        """Return what keeps mail from being sent, with what to do about it; nothing when all is well."""
        try:
            with self._open() as server:
                server.noop()
        except smtplib.SMTPAuthenticationError:
            return (Problem("smtp_password", "the mail server does not accept the account and password"),)
        except smtplib.SMTPNotSupportedError as error:
            return (Problem("smtp_security", f"the mail server cannot do that: {error}"),)
        except ssl.SSLError:
            return (Problem("smtp_security", "no encrypted connection: is it the right port for starttls or tls?"),)
        except (smtplib.SMTPException, OSError) as error:
            return (Problem("smtp_host", f"the mail server cannot be reached ({type(error).__name__})"),)
        return ()

    def _open(self) -> smtplib.SMTP:
        host, port = self._place
        if self._security == "tls":
            context = ssl.create_default_context()
            server: smtplib.SMTP = smtplib.SMTP_SSL(host, port, timeout=self._timeout_s, context=context)
        else:
            server = smtplib.SMTP(host, port, timeout=self._timeout_s)
        try:
            if self._security == "starttls":
                server.starttls(context=ssl.create_default_context())
            if self._login is not None:
                server.login(*self._login)
        except BaseException:
            with suppress(OSError, smtplib.SMTPException):
                server.close()
            raise
        return server


def compose(letter: Letter, *, sender: str, now: datetime) -> EmailMessage:
    """Return the message as it goes out."""
    message = EmailMessage(policy=SMTP_POLICY)
    message["From"] = _address(sender)
    message["To"] = _address(letter.to)
    message["Subject"] = " ".join(letter.subject.split())
    message["Date"] = format_datetime(now)
    message["Message-ID"] = message_id(letter, sender)
    message["List-Unsubscribe"] = f"<{letter.stop_url}>"
    message["List-Unsubscribe-Post"] = "List-Unsubscribe=One-Click"
    message["Auto-Submitted"] = "auto-generated"
    message.set_content(letter.plain)
    message.add_alternative(letter.html, subtype="html")
    html = message.get_payload()[1]  # type: ignore[index]
    for name, content in letter.images.items():
        html.add_related(content, "image", "png", cid=f"<{name}>", filename=name, disposition="inline")  # type: ignore[union-attr]
    return message


def message_id(letter: Letter, sender: str) -> str:
    """Return the id, the same for the same letter to the same person."""
    mark = hashlib.sha256(f"{letter.key}\n{letter.to}".encode()).hexdigest()[:32]
    return f"<{mark}@{_bare(sender).rpartition('@')[2] or 'localhost'}>"


def is_address(text: str) -> bool:
    """Tell whether this reads as one mail address."""
    name, _, domain = text.rpartition("@")
    return bool(name and domain) and not any(each.isspace() or each in '<>,;:"()[]\\' for each in text)


def _bare(address: str) -> str:
    return parseaddr(address)[1]


def _address(address: str) -> Address:
    name, bare = parseaddr(address)
    return Address(display_name=name, addr_spec=bare)


def _meaning(error: Exception) -> UpstreamError:
    match error:
        case smtplib.SMTPAuthenticationError():
            return _error("the server does not accept our account and password", permanent=True)
        case smtplib.SMTPNotSupportedError():
            return _error("the server does not support what is set (STARTTLS or login)", permanent=True)
        case smtplib.SMTPRecipientsRefused():
            codes = [code for code, _ in error.recipients.values()]
            return _error(f"the recipient is refused ({codes[0] if codes else '?'})", permanent=not set(codes) <= BUSY)
        case smtplib.SMTPResponseException():
            return _error(
                f"the server answers {error.smtp_code}",
                permanent=error.smtp_code not in BUSY and error.smtp_code >= 500,
            )
        case _:
            return _error(type(error).__name__, permanent=False)


def _error(message: str, *, permanent: bool) -> UpstreamError:
    return UpstreamError(SERVICE, message, permanent=permanent)
