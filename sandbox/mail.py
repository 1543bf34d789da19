"""A pretended mail server and what lies in its mailboxes. Like real ones it shows one message for one Message-ID."""

from __future__ import annotations

import email
import email.policy
import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from email.message import EmailMessage
from typing import Any

from core.clock import Clock
from sandbox.faults import Faults


@dataclass(slots=True, kw_only=True)
class Mail:
    """A message in one mailbox; `times` is how often it was sent."""

    number: int
    to: str
    message: EmailMessage
    at: datetime
    times: int = 1

    @property
    def id(self) -> str:
        return str(self.message["Message-ID"])


class MailWorld:
    """All mailboxes. Every method may be called from any thread. `base_url` is where people look into them."""

    def __init__(
        self,
        faults: Faults,
        clock: Clock,
        *,
        base_url: str = "http://127.0.0.1/mail",
        changed: Callable[[], None] = lambda: None,
    ) -> None:
        self.faults = faults
        self.clock = clock
        self.base_url = base_url
        self.changed = changed
        self._lock = threading.Lock()
        self._mails: list[Mail] = []

    def deliver(self, to: str, content: bytes) -> Mail:
        """Put a message into a mailbox; the same Message-ID again is only counted."""
        parsed = email.message_from_bytes(content, policy=email.policy.default)
        assert isinstance(parsed, EmailMessage)
        with self._lock:
            same = [mail for mail in self._mails if (mail.to, mail.id) == (to, str(parsed["Message-ID"]))]
            if same:
                same[0].times += 1
                mail = same[0]
            else:
                mail = Mail(number=len(self._mails) + 1, to=to, message=parsed, at=self.clock())
                self._mails.append(mail)
        self.changed()
        return mail

    def all(self) -> tuple[Mail, ...]:
        with self._lock:
            return tuple(self._mails)

    def find(self, number: int) -> Mail | None:
        return next((mail for mail in self.all() if mail.number == number), None)

    def facts(self) -> list[dict[str, Any]]:
        """Return what the sandbox's page lists, newest first."""
        return [
            {
                "number": mail.number,
                "to": mail.to,
                "subject": str(mail.message["Subject"]),
                "at": mail.at.isoformat(),
                "times": mail.times,
                "url": f"{self.base_url}/{mail.number}",
            }
            for mail in reversed(self.all())
        ]
