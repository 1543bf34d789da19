"""People's answers, sent as phones send them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from tests.builders import T0
from tests.feedback.sending import Wire, a_batch, a_context


def send(wire: Wire, chipset: str, ratings: Sequence[int], *, at: datetime = T0, text: str = "", **device: Any) -> None:
    """One person a rating; everybody has a phone of their own."""
    for number, rating in enumerate(ratings):
        name = f"{chipset.replace(' ', '-')}-{at:%d%H}-{number}-{len(ratings)}"
        answers: list[dict[str, Any]] = [{"question": "q_csat", "value": rating}]
        if text:
            answers.append({"question": "q_txt", "value": text})
        event = {
            "uuid": f"uuid-{name}",
            "event": "poll answered",
            "timestamp": (at - timedelta(hours=1)).isoformat(),
            "poll": "heard",
            "submission": f"sub-{name}",
            "answers": answers,
        }
        batch = a_batch(
            event, sent_at=at.isoformat(), context=a_context(install=f"phone-{name}", soc=chipset, **device)
        )
        reply = wire.batch(batch)
        assert reply.status_code == 200, reply.text
        assert reply.json is not None
        assert reply.json["accepted"] == 1, reply.text
