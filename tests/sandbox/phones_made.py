"""Phones for tests, each with a clock of its own and a collector to talk to."""

from __future__ import annotations

import itertools
from datetime import datetime

from sandbox.phone import Phone
from tests.sandbox.collector import POLL, T0, Collector


class Watch:
    def __init__(self) -> None:
        self.now = T0

    def __call__(self) -> datetime:
        return self.now


def a_phone(collector: Collector, watch: Watch, install: str = "device-1", *, bundle_key: str | None = None) -> Phone:
    numbers = itertools.count(1)
    told = {"os.name": "Android", "soc": "Helio G35", "ram_gb": 3, "locale": "de-DE"}
    return Phone(
        install=install,
        app="demo",
        context=told,
        key="pk_1",
        transport=collector,
        clock=watch,
        new_uuid=lambda: f"{install}-{next(numbers)}",
        bundle_key=bundle_key,
    )


def answer_once(phone: Phone) -> None:
    phone.answer(POLL, phone.show(POLL), [{"question": "q", "value": 4}])


def ask(phone: Phone) -> bool:
    return phone.poll_for("inference_completed", {"confidence": 0.4}) is not None
