"""What a phone still has to send: items in batches, and what it learned about each. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from sandbox.wire import Reply

Item = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """Items noted under one context; they travel together, under the same uuids however often they are sent."""

    id: str
    context: Mapping[str, Any]
    events: tuple[Item, ...] = ()
    inferences: tuple[Item, ...] = ()

    def __len__(self) -> int:
        return len(self.events) + len(self.inferences)

    @property
    def uuids(self) -> list[str]:
        return [item["uuid"] for item in (*self.events, *self.inferences)]


@dataclass(slots=True, kw_only=True)
class Receipt:
    """What became of one sending: uuids that may have arrived, and the status the server gave each it answered for."""

    sent: list[str] = field(default_factory=list)
    statuses: list[tuple[str, str]] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)

    def count(self, status: str) -> int:
        return sum(1 for _, told in self.statuses if told == status)


def read(reply: Reply | None, batch: Batch, receipt: Receipt) -> None:
    """Note in `receipt` what the reply to `batch` says; without a reply the batch may have arrived or not."""
    if reply is None or reply.status == 200:
        receipt.sent += batch.uuids
    if reply is not None and reply.status == 200:
        for result in reply.json()["results"]:
            receipt.statuses.append((result["uuid"], result["status"]))
            receipt.problems += [f"{one['path']}: {one['message']}" for one in result.get("problems", ())]


def halves(batch: Batch, new_uuid: Callable[[], str]) -> list[Batch]:
    """Return a batch of two or more items as two, for a server that found it too large."""
    keep = len(batch) // 2
    events, summaries = min(keep, len(batch.events)), max(0, keep - len(batch.events))
    first = replace(batch, id=new_uuid(), events=batch.events[:events], inferences=batch.inferences[:summaries])
    second = replace(batch, id=new_uuid(), events=batch.events[events:], inferences=batch.inferences[summaries:])
    return [first, second]
