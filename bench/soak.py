"""A soak: phones send for ten minutes while web is killed with -9 every 20 s and the folding every 33; then the sums.

`python -m bench.soak [--minutes 10] [--postgres URL]`. Every phone sends an answer until it is acknowledged, however
often its line breaks. In the end each answer must be stored once and counted once: exit status 1 if one is not.
"""

from __future__ import annotations

import argparse
import http.client
import json
import sys
import tempfile
import threading
import time
from datetime import UTC, datetime
from pathlib import Path

import sqlalchemy as sa

from bench.serving import free_port, kill, prepare, start, start_folding, urls_for
from core.db import Databases
from feedback import store
from feedback.tables import ANSWERS, CELLS, INBOX, POLL_EVENTS

PHONES = 16
WEB_LIVES_S = 20.0
FOLDING_LIVES_S = 33.0


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.soak", description=__doc__)
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--postgres", metavar="URL", help="postgresql+psycopg://…; SQLite without it")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        urls = urls_for(Path(folder), options.postgres)
        databases, key = prepare(urls)
        phones, kills = _suffer(urls, key, options.minutes * 60)
        return _report(databases, phones, kills)


class Phone(threading.Thread):
    """Sends one answer after the other, each until it is acknowledged; stops after the one it is at."""

    def __init__(self, number: int, port: int, key: str) -> None:
        super().__init__(daemon=True)
        self.number, self.port = number, port
        self.headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}
        self.acknowledged = self.stars = self.broken = self.known = 0
        self.is_done = threading.Event()

    def run(self) -> None:
        line = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        while not self.is_done.is_set():
            body = self._answer()
            while (status := self._send(line, body)) is None:
                self.broken += 1
                line.close()
                time.sleep(0.1)
            self.known += status == "duplicate"
            self.stars += self._rating()
            self.acknowledged += 1

    def _send(self, line: http.client.HTTPConnection, body: str) -> str | None:
        try:
            line.request("POST", "/v1/responses", body, self.headers)
            response = line.getresponse()
            reply = json.loads(response.read())
        except (OSError, http.client.HTTPException):
            return None
        if response.status == 503:
            return None
        if response.status != 200:
            raise RuntimeError(f"{response.status}: {reply}")
        return str(reply["results"][0]["status"])

    def _rating(self) -> int:
        return 1 + (self.number + self.acknowledged) % 5

    def _answer(self) -> str:
        uuid = f"{self.number}-{self.acknowledged}"
        model = {"name": "kws", "version": "1.4.0", "release": "rel_1", "arm": "candidate"}
        context = {"install": f"install-{uuid}", "os.name": "Android", "device.class": "low", "model": model}
        answers = [{"question": "q", "value": self._rating()}]
        now = datetime.now(UTC).isoformat()
        return json.dumps({"uuid": uuid, "poll": "p", "timestamp": now, "answers": answers, "context": context})


def _suffer(urls: dict[str, str], key: str, seconds: float) -> tuple[list[Phone], tuple[int, int]]:
    port = free_port()
    web, folding = start("ours", urls, port=port, threads=64), start_folding(urls)
    phones = [Phone(number, port, key) for number in range(PHONES)]
    for phone in phones:
        phone.start()
    begun = web_since = folding_since = time.monotonic()
    webs = foldings = 0
    while (now := time.monotonic()) - begun < seconds:
        if now - web_since >= WEB_LIVES_S:
            kill(web)
            web, webs, web_since = start("ours", urls, port=port, threads=64), webs + 1, time.monotonic()
            sent = sum(phone.acknowledged for phone in phones)
            print(f"{now - begun:6.0f} s  web killed {webs} times, folding {foldings}; {sent} acknowledged", flush=True)
        if now - folding_since >= FOLDING_LIVES_S:
            kill(folding)
            folding, foldings, folding_since = start_folding(urls), foldings + 1, time.monotonic()
        time.sleep(0.2)
    for phone in phones:
        phone.is_done.set()
    for phone in phones:
        phone.join(60)
    kill(web)
    kill(folding)
    return phones, (webs, foldings)


def _report(databases: Databases, phones: list[Phone], kills: tuple[int, int]) -> int:
    with databases.ingest() as session:
        waited = session.scalar(sa.select(sa.func.count()).select_from(INBOX))
    store.catch_up(databases.ingest, rows=sys.maxsize)  # a reader would stop after some ten thousand
    expected = sum(phone.acknowledged for phone in phones), sum(phone.stars for phone in phones)
    stars = sa.func.sum(sa.cast(ANSWERS.c.value, sa.Integer))
    with databases.ingest() as session:
        events = session.scalar(sa.select(sa.func.count()).select_from(POLL_EVENTS))
        answers = tuple(session.execute(sa.select(sa.func.count(), stars)).one())
        cells = tuple(session.execute(sa.select(sa.func.sum(CELLS.c.n), sa.func.sum(CELLS.c.total))).one())
    broken, known = sum(phone.broken for phone in phones), sum(phone.known for phone in phones)
    print(f"web killed {kills[0]} times, folding {kills[1]} times; lines broken or turned away {broken} times")
    print(f"acknowledged {expected[0]} (sum of stars {expected[1]}), {known} of them when sent again")
    print(f"in the inbox when all had ended {waited}")
    print(f"stored events {events}, answers {answers}, counted in cells {cells}")
    is_exact = events == expected[0] and answers == expected and cells == expected
    print("exact" if is_exact else "NOT EXACT")
    return 0 if is_exact else 1


if __name__ == "__main__":
    raise SystemExit(main())
