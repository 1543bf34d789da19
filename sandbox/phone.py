"""The reference client: one phone that speaks nothing but HTTP, is offline most of the time and sends things twice."""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from core.device import DeviceContext
from sandbox import asking
from sandbox.outbox import Batch, Item, Receipt, halves, read
from sandbox.wire import LostReplyError, Reply, Transport

SDK = {"name": "muster-reference", "version": "1.0.0"}
ITEMS_PER_BATCH = 400
SUMMARIES_KEPT = 2_000
BACKOFF_FIRST = timedelta(seconds=30)
BACKOFF_CAP = timedelta(hours=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """The variant an install is told to run, as the flag said it."""

    model: str
    version: str
    variant: str
    sha256: str
    release: str | None = None
    arm: str | None = None

    def to_wire(self) -> dict[str, str]:
        """Return the `model` object of the device context: what ran, and as which arm of which release."""
        told = {"name": self.model, "version": self.version, "variant": self.variant, "sha256": self.sha256}
        return told | {name: value for name, value in (("release", self.release), ("arm", self.arm)) if value}


class Phone:
    """One install of the app: what it knows, what it still has to send, and when it may try again.

    `clock` is the phone's own clock, which may be wrong; the server corrects by `sent_at`. `bundle_key` is the public
    key (base64) that the app pins: a bundle of polls that is not signed by it is not used.
    """

    def __init__(
        self,
        *,
        install: str,
        app: str,
        context: Mapping[str, Any],
        key: str,
        transport: Transport,
        clock: Callable[[], datetime],
        new_uuid: Callable[[], str],
        bundle_key: str | None = None,
    ) -> None:
        self.install = install
        self.app = app
        self.context = dict(context)
        self.offers: dict[str, Offer] = {}
        self.polls: tuple[dict[str, Any], ...] = ()
        self.outbox: list[Batch] = []
        self.last_sent: Batch | None = None
        self.is_stopped = False
        self._key = key
        self._transport = transport
        self._clock = clock
        self._new_uuid = new_uuid
        self._bundle_key = Ed25519PublicKey.from_public_bytes(base64.b64decode(bundle_key)) if bundle_key else None
        self._events: list[Item] = []
        self._inferences: list[Item] = []
        self._polls_etag: str | None = None
        self._polls_until: datetime | None = None
        self._flags_etag: str | None = None
        self._shown: dict[str, list[datetime]] = {}
        self._answered: dict[str, datetime] = {}
        self._any_shown: datetime | None = None
        self._not_before: datetime | None = None
        self._backoff = BACKOFF_FIRST

    @property
    def waiting(self) -> int:
        """Items not yet acknowledged."""
        return len(self._events) + len(self._inferences) + sum(len(batch) for batch in self.outbox)

    def fetch_polls(self) -> bool:
        """Fetch the bundle of running polls unless it has not changed. Return whether the phone has a fresh one."""
        headers = {"If-None-Match": self._polls_etag} if self._polls_etag else {}
        reply = self._ask("GET", f"/v1/polls?app={self.app}", headers=headers)
        if reply is None or reply.status not in (200, 304):
            return False
        if reply.status == 200:
            if not self._is_signed(reply):
                return False
            bundle = reply.json()
            self.polls = tuple(bundle["polls"])
            self._polls_etag = reply.headers.get("etag")
            self._polls_until = datetime.fromisoformat(bundle["not_after"])
        return True

    def poll_for(self, event: str, fields: Mapping[str, object]) -> dict[str, Any] | None:
        """Return the poll to show at this event, judged offline; an outdated bundle asks nothing."""
        now = self._clock()
        if self._polls_until is None or now > self._polls_until:
            return None
        return next((poll for poll in self.polls if self._is_asked(poll, event, fields, now)), None)

    def show(self, poll: Mapping[str, Any]) -> str:
        """Note that the poll was shown and return the submission's id."""
        submission = self._new_uuid()
        self._any_shown = self._clock()
        self._shown.setdefault(poll["id"], []).append(self._any_shown)
        self._note("poll shown", poll, submission, {})
        return submission

    def answer(
        self, poll: Mapping[str, Any], submission: str, answers: Iterable[Item], *, is_completed: bool = True
    ) -> str:
        """Queue a response; return the uuid under which it will be seen again if it is sent twice."""
        self._answered[poll["id"]] = self._clock()
        language = str(self.context.get("locale", "en")).split("-")[0]
        more = {"answers": list(answers), "completed": is_completed, "language": language}
        return self._note("poll answered", poll, submission, more)

    def dismiss(self, poll: Mapping[str, Any], submission: str) -> None:
        self._note("poll dismissed", poll, submission, {})

    def ask_variant(self, model: str) -> Offer | None:
        """Ask OFREP which variants to run; return the offer for one model, the last known one without an answer."""
        body = json.dumps({"context": {"targetingKey": self.install, **self._plain_context()}}).encode()
        headers = {"If-None-Match": self._flags_etag} if self._flags_etag else {}
        reply = self._ask("POST", "/ofrep/v1/evaluate/flags", headers=headers, body=body)
        if reply is not None and reply.status == 200:
            self._flags_etag = reply.headers.get("etag")
            self.offers = {flag["key"]: _offer(flag) for flag in reply.json()["flags"] if flag.get("value")}
        return self.offers.get(model)

    def run(self, offer: Offer) -> None:
        """Switch to an offered variant. What was noted before keeps the variant under which it was noted."""
        self._pack()
        self.context["model"] = offer.to_wire()

    def download(self, offer: Offer) -> bytes | None:
        """Fetch an offered artifact; None when it did not come. Raises ValueError: other bytes than were offered."""
        reply = self._ask("GET", f"/v1/artifacts/{offer.sha256}")
        if reply is None or reply.status != 200:
            return None
        if hashlib.sha256(reply.body).hexdigest() != offer.sha256:
            raise ValueError(f"artifact {offer.sha256[:12]} came with other bytes than were offered")
        return reply.body

    def note_inferences(self, summary: Mapping[str, Any]) -> None:
        """Queue the roll-up of one hour under the variant that ran in it. Never an input, never an output."""
        self._inferences.append({"uuid": self._new_uuid(), **summary})
        # Telemetry of a phone that was away for weeks is worth less than its answers: only roll-ups are dropped.
        del self._inferences[:-SUMMARIES_KEPT]

    def send(self) -> Receipt:
        """Send everything that waits, oldest first, unless asked to wait; what is not acknowledged stays."""
        receipt = Receipt()
        self._pack()
        while self.outbox and self._may_try() and self._send_first(receipt):
            pass
        return receipt

    def send_again(self) -> Receipt:
        """Send the last acknowledged batch once more, as a phone does that was killed before it noted the reply."""
        receipt = Receipt()
        if self.last_sent is not None:
            reply = self._post(self.last_sent)
            read(reply, self.last_sent, receipt)
        return receipt

    def _send_first(self, receipt: Receipt) -> bool:
        batch = self.outbox[0]
        reply = self._post(batch)
        read(reply, batch, receipt)
        if reply is None or reply.status in (429, 503) or reply.status >= 500:
            self._back_off(reply.retry_after_s if reply is not None else None)
            return False
        if reply.status in (401, 403):
            self.is_stopped = True
            return False
        if reply.status == 413 and len(batch) > 1:
            self.outbox[:1] = halves(batch, self._new_uuid)
            return True
        self.outbox.pop(0)
        if reply.status == 200:
            self._backoff = BACKOFF_FIRST
            self.last_sent = batch
        else:
            # The server will never like it: kept, it would block everything behind it for good.
            receipt.problems.append(f"HTTP {reply.status}: {reply.body[:200].decode(errors='replace')}")
        return True

    def _post(self, batch: Batch) -> Reply | None:
        body = {
            "batch_id": batch.id,
            # The moment of this sending, not of the packing: the server learns from it how wrong our clock is.
            "sent_at": self._clock().isoformat(),
            "sdk": SDK,
            "context": batch.context,
            "events": batch.events,
            "inferences": batch.inferences,
        }
        zipped = gzip.compress(json.dumps(body, separators=(",", ":")).encode(), compresslevel=1)
        headers = {"Content-Encoding": "gzip"}
        return self._ask("POST", "/v1/batch", headers=headers, body=zipped)

    def _pack(self) -> None:
        while self._events or self._inferences:
            events = tuple(self._events[:ITEMS_PER_BATCH])
            summaries = tuple(self._inferences[: ITEMS_PER_BATCH - len(events)])
            del self._events[: len(events)], self._inferences[: len(summaries)]
            context = {"install": self.install, **self.context}
            self.outbox.append(Batch(id=self._new_uuid(), context=context, events=events, inferences=summaries))

    def _note(self, event: str, poll: Mapping[str, Any], submission: str, more: Item) -> str:
        named = {"poll": poll["id"], "poll_version": poll.get("version", 1), "submission": submission}
        uuid = self._new_uuid()
        self._events.append({"uuid": uuid, "event": event, "timestamp": self._clock().isoformat(), **named, **more})
        return uuid

    def _is_asked(self, poll: Mapping[str, Any], event: str, fields: Mapping[str, object], now: datetime) -> bool:
        device = DeviceContext.from_wire(self.context)
        often = asking.is_too_often(
            poll,
            now,
            shown=self._shown.get(poll["id"], []),
            answered=self._answered.get(poll["id"]),
            any_shown=self._any_shown,
        )
        return (
            asking.is_running(poll, now)
            and asking.is_triggered(poll, event, fields)
            and asking.has_consent(poll, self.context)
            and asking.is_sampled(poll.get("sampling"), self.install)
            and not often
            and asking.is_targeted(poll, device)
            and not asking.has_enough(poll, device)
        )

    def _is_signed(self, reply: Reply) -> bool:
        if self._bundle_key is None:
            return True
        signature = reply.headers.get("muster-signature", "").removeprefix("ed25519=")
        try:
            self._bundle_key.verify(base64.b64decode(signature), reply.body)
        except (InvalidSignature, ValueError):
            return False
        return True

    def _plain_context(self) -> dict[str, Any]:
        return {name: value for name, value in self.context.items() if not isinstance(value, Mapping)}

    def _may_try(self) -> bool:
        return not self.is_stopped and (self._not_before is None or self._clock() >= self._not_before)

    def _back_off(self, asked_s: float | None) -> None:
        wait = timedelta(seconds=asked_s) if asked_s is not None else self._backoff
        self._not_before = self._clock() + wait
        self._backoff = min(self._backoff * 2, BACKOFF_CAP)

    def _ask(
        self, method: str, path: str, *, headers: Mapping[str, str] | None = None, body: bytes | None = None
    ) -> Reply | None:
        if self.is_stopped:
            return None
        sent = {"Authorization": f"Bearer {self._key}", **(headers or {})}
        if body is not None:
            sent["Content-Type"] = "application/json"
        try:
            return self._transport(method, path, sent, body)
        except LostReplyError:
            return None


def _offer(flag: Mapping[str, Any]) -> Offer:
    value, told = flag["value"], flag.get("metadata") or {}
    return Offer(
        model=flag["key"],
        version=value["version"],
        variant=value.get("variant") or flag.get("variant", ""),
        sha256=value["sha256"],
        release=told.get("release"),
        arm=told.get("arm"),
    )
