"""Large bodies count against the front's memory as long as they are here, read or not."""

from __future__ import annotations

import asyncio
import json
import threading

import pytest
from flask import Flask

from core.bridge import Bridge
from core.db import Databases
from core.keys import ApiKey, KeyRing, create_key
from core.settings import Settings
from feedback import front
from feedback.front import Front
from feedback.ingest import Opened
from feedback.intake import Head, Intake
from tests.builders import T0, ManualClock
from tests.feedback.sending import a_batch
from tests.rsgi import Protocol, Scope

LARGE = 100_000


class HeldUp(Intake):
    """Opens large bodies only once it is `free` to."""

    begun = threading.Event()
    free = threading.Event()

    def open(self, head: Head, key: ApiKey, body: bytes, *, briefly: bool = False) -> Opened:
        if not briefly:
            self.begun.set()
            assert self.free.wait(30)
        return super().open(head, key, body, briefly=briefly)


def test_a_large_body_counts_until_it_was_opened(
    databases: Databases, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = ManualClock(T0)
    with databases.control.begin() as session:
        _, secret = create_key(session, app="demo", scope="public", name="phones", now=T0)
    intake = HeldUp(databases, settings, clock, KeyRing(databases, clock))
    app = Front(Bridge(Flask("none").wsgi_app, body_within_s=30, threads=1), intake, body_within_s=30)
    monkeypatch.setattr(front, "LARGE_BYTES_AT_ONCE", LARGE * 3 // 2)
    body = json.dumps(a_batch()).encode().ljust(LARGE)
    headers = {"authorization": f"Bearer {secret}", "content-length": str(LARGE)}

    async def send() -> int:
        exchange = Protocol(body)
        await app(Scope(method="POST", path="/v1/batch", headers=headers), exchange)
        return exchange.status

    async def together() -> list[int]:
        first = asyncio.create_task(send())
        await asyncio.to_thread(intake.begun.wait, 30)
        second = await send()
        intake.free.set()
        return [await first, second, await send()]

    assert asyncio.run(together()) == [200, 503, 200]
