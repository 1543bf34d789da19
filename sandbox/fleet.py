"""A seeded population of phones that live, answer, crash, go offline, send late and send twice, all over the wire."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any

import numpy as np

from sandbox import habits
from sandbox.habits import Fault
from sandbox.member import Manner, Member, draw
from sandbox.outbox import Receipt
from sandbox.phone import BACKOFF_CAP, BACKOFF_FIRST, Phone
from sandbox.wire import Edge, Transport

__all__ = ["Fleet", "Manner"]

HOUR = timedelta(hours=1)
DAY = timedelta(days=1)


@dataclass(slots=True)
class Tally:
    """Answers as they went over the wire, each sending counted; `unknown` got no reply, not even one that was lost."""

    sent: int = 0
    accepted: int = 0
    duplicate: int = 0
    rejected: int = 0
    unknown: int = 0


class Fleet:
    """All phones of one app. `live` moves them through time; what they saw is counted in `tally`."""

    def __init__(
        self,
        manner: Manner,
        *,
        app: str,
        model: str,
        key: str,
        transport: Transport,
        start: datetime,
        faults: tuple[Fault, ...] = (),
        better_since: str | None = None,
        bundle_key: str | None = None,
    ) -> None:
        self.manner = manner
        self.model = model
        self.faults = faults
        self.better_since = better_since
        self.is_offline = False
        self.problems: list[str] = []
        self._tally = Tally()
        self._lock = threading.Lock()
        self._pool = ThreadPoolExecutor(manner.threads, thread_name_prefix="phones")
        edge = Edge(transport)
        self.members = [
            draw(number, manner, app=app, key=key, transport=edge, start=start, bundle_key=bundle_key)
            for number in range(manner.phones)
        ]

    def tally(self) -> Tally:
        with self._lock:
            return Tally(**asdict(self._tally))

    def close(self) -> None:
        self._pool.shutdown(cancel_futures=True)

    def check_in(self, now: datetime, *, everybody: bool) -> None:
        """Let the phones whose turn it is (once in `check_in_hours`) fetch polls and ask which variant to run."""
        hour = int(now.timestamp() // 3600)
        due = self.manner.check_in_hours
        self._each(self._fetch, now, lambda one: everybody or (hour + one.turn) % due == 0)

    def live(self, since: datetime, until: datetime) -> None:
        """Live the hours from `since` to `until` and send what came of them. Both are whole hours of the world."""
        hours = [since + number * HOUR for number in range(int((until - since) / HOUR))]
        self._each(lambda one: self._live(one, hours, until), since)

    def deliver(self, now: datetime) -> None:
        """Bring every phone online, with a connection that loses nothing, and let it send what still waits there."""
        for one in self.members:
            one.offline_until, one.line.loses_next = now, False
        wait = BACKOFF_FIRST
        while wait <= BACKOFF_CAP and any(one.phone.waiting for one in self.members):
            self._each(self._send, now + wait, lambda one: one.phone.waiting > 0)
            wait *= 2

    def send_again(self, now: datetime, phones: int) -> Tally:
        """Let some phones send their last acknowledged batch again; return what these repeats alone amounted to."""
        before = self.tally()
        some = [one for one in self.members if _has_answers(one)][:phones]
        chosen = {id(one) for one in some}
        self._each(lambda one: self._count(one, one.phone.send_again()), now, lambda one: id(one) in chosen)
        after = self.tally()
        return Tally(**{name: value - getattr(before, name) for name, value in asdict(after).items()})

    def running(self, version: str) -> int:
        """Return how many phones run a version of the model."""
        return sum(1 for one in self.members if _running(one.phone).get("version") == version)

    # ------------------------------------------------------------------ one phone

    def _live(self, one: Member, hours: list[datetime], until: datetime) -> None:
        used = [hour for hour in hours if habits.is_used(self._chance(one, hour, 0), hour, one.keenness)]
        is_watched = _running(one.phone).get("arm") in ("baseline", "candidate")
        whole_days = len(hours) >= 24 and not is_watched
        for hour in used:
            if not whole_days:
                self._note_use(one, hour, 1)
            self._meet_poll(one, hour)
        if whole_days:
            # Telemetry costs battery: outside a release one roll-up covers a day.
            for day in sorted({hour.replace(hour=0) for hour in used}):
                self._note_use(one, day, sum(1 for hour in used if hour.replace(hour=0) == day))
        one.watch.world = until
        loses_network = 1 - (1 - self.manner.offline_daily) ** (len(hours) / 24)
        if one.rng.random() < loses_network and until >= one.offline_until:
            one.offline_until = until + HOUR * int(one.rng.integers(2, 30))
        one.line.loses_next = bool(one.rng.random() < self.manner.lost_replies_share)
        self._send(one)

    def _note_use(self, one: Member, window: datetime, hours: int) -> None:
        one.watch.world = window
        rng, chances = self._chance(one, window, 1), self._chances(one)
        one.phone.note_inferences(habits.summary(rng, one.handset, chances, one.watch(), hours=hours))

    def _chance(self, one: Member, hour: datetime, kind: int) -> np.random.Generator:
        """Return what chance has in store for a phone's hour: always the same, whichever variant runs by then."""
        return np.random.default_rng([self.manner.seed, one.number, int(hour.timestamp() // 3600), kind])

    def _meet_poll(self, one: Member, hour: datetime) -> None:
        one.watch.world = hour + HOUR * float(one.rng.random())
        poll = one.phone.poll_for("inference_completed", {"confidence": float(one.rng.random())})
        if poll is None:
            return
        submission = one.phone.show(poll)
        mood = one.rng.random()
        if mood < self.manner.answers_share:
            one.watch.world += timedelta(seconds=float(one.rng.integers(3, 40)))
            one.answered.add(one.phone.answer(poll, submission, habits.answers(one.rng, poll, self._chances(one))))
        elif mood < self.manner.answers_share + self.manner.dismisses_share:
            one.phone.dismiss(poll, submission)

    def _fetch(self, one: Member) -> None:
        if self._is_away(one):
            return
        if one.polls_at is None or one.watch.world - one.polls_at >= DAY:
            one.polls_at = one.watch.world if one.phone.fetch_polls() else None
        offer = one.phone.ask_variant(self.model)
        if offer is None or offer.to_wire() == one.phone.context.get("model"):
            return
        if offer.sha256 != _running(one.phone).get("sha256"):
            if one.phone.download(offer) is None:
                return
            one.updated_at = one.watch.world
        one.phone.run(offer)

    def _send(self, one: Member) -> None:
        if self._is_away(one):
            return
        self._count(one, one.phone.send())

    def _is_away(self, one: Member) -> bool:
        return self.is_offline or one.watch.world < one.offline_until

    def _count(self, one: Member, receipt: Receipt) -> None:
        """Count what the phone saw, and the replies that it did not see."""
        results = list(receipt.statuses)
        for reply in one.line.lost:
            results += [(result["uuid"], result["status"]) for result in reply.json().get("results", ())]
        one.line.lost.clear()
        statuses = [status for uuid, status in results if uuid in one.answered]
        sent = sum(1 for uuid in receipt.sent if uuid in one.answered)
        with self._lock:
            self._tally.sent += sent
            self._tally.unknown += sent - len(statuses)
            for status in statuses:
                setattr(self._tally, status, getattr(self._tally, status) + 1)
            self.problems += receipt.problems

    def _chances(self, one: Member) -> habits.Rates:
        version = _running(one.phone).get("version", "0")
        hours = (one.watch.world - one.updated_at) / HOUR
        return habits.rates(one.handset, version, self.faults, hours_running=hours, better_since=self.better_since)

    def _each(
        self, does: Callable[[Member], Any], now: datetime, chosen: Callable[[Member], bool] | None = None
    ) -> None:
        def work(share: list[Member]) -> None:
            for one in share:
                does(one)

        some = [one for one in self.members if chosen is None or chosen(one)]
        for one in some:
            one.watch.world = now
        shares = [some[number :: self.manner.threads] for number in range(self.manner.threads)]
        for done in [self._pool.submit(work, share) for share in shares if share]:
            done.result()


def _running(phone: Phone) -> dict[str, str]:
    running: dict[str, str] = phone.context.get("model", {})
    return running


def _has_answers(one: Member) -> bool:
    last = one.phone.last_sent
    return last is not None and any(event["uuid"] in one.answered for event in last.events)
