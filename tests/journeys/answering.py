"""People who answer a poll, over HTTP: gzip, and every batch twice."""

from __future__ import annotations

import gzip
import json
from typing import Any

from tests.journeys.conftest import Living

MODEL = {"name": "kws", "version": "1.3.2", "variant": "fp32"}
CONSENT = {"granted": True, "text_version": "2026-10", "at": "2026-11-01T08:00:00Z"}


def a_batch(living: Living, soc: str, person: int, rating: int) -> dict[str, Any]:
    now = living.stage.clock().isoformat()
    name = f"{soc.replace(' ', '-')}-{person}"
    answer = {
        "uuid": f"uuid-{name}", "event": "poll answered", "timestamp": now, "poll": "poll_heard", "poll_version": 1,
        "submission": f"submission-{name}", "completed": True, "answers": [{"question": "q_heard", "value": rating}],
    }  # fmt: skip
    context = {"install": f"install-{name}", "os.name": "Android", "soc": soc, "model": MODEL, "consent": CONSENT}
    return {
        "sent_at": now,
        "context": context,
        "events": [answer | {"uuid": f"shown-{name}", "event": "poll shown"}, answer],
    }


def post(living: Living, batch: dict[str, Any]) -> dict[str, Any]:
    body = gzip.compress(json.dumps(batch).encode())
    reply = living.phone("POST", "/v1/batch", data=body, headers={"Content-Encoding": "gzip"})
    assert reply.status_code == 200, reply.text
    return dict(reply.json())


def sixty_answers(living: Living) -> tuple[int, int]:
    """Sixty people answer, half of them on a chipset where it works badly; every batch is sent twice.

    Returns how many items were accepted and how many recognized as duplicates."""
    living.advance(hours=1)
    accepted = duplicate = 0
    for soc, happy in (("Helio G35", 12), ("Tensor G2", 27)):
        for person in range(30):
            batch = a_batch(living, soc, person, 5 if person < happy else 2)
            accepted += post(living, batch)["accepted"]
            duplicate += post(living, batch)["duplicate"]
    living.advance(minutes=30)
    return accepted, duplicate
