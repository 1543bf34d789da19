"""When a phone asks its person: the rules of a poll, evaluated offline as every client does it. Pure."""

from __future__ import annotations

import hashlib
import operator
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from core.device import DeviceContext
from core.segments import from_json, matches

BUCKETS = 1_000_000

COMPARISONS: Mapping[str, Callable[[Any, Any], bool]] = {
    "eq": operator.eq,
    "neq": operator.ne,
    "lt": operator.lt,
    "lte": operator.le,
    "gt": operator.gt,
    "gte": operator.ge,
    "in": lambda told, wanted: told in wanted,
    "not_in": lambda told, wanted: told not in wanted,
}


def bucket(salt: str, install: str) -> int:
    """Return the bucket 0..999 999 of an install: the same on every phone and on the server."""
    digest = hashlib.sha256(f"{salt}:{install}".encode()).digest()
    return int.from_bytes(digest[:8], "big") % BUCKETS


def is_sampled(sampling: Mapping[str, Any] | None, install: str) -> bool:
    if not sampling:
        return True
    share = float(sampling.get("percent", 100.0)) / 100.0
    return bucket(str(sampling.get("salt", "")), install) < share * BUCKETS


def is_running(poll: Mapping[str, Any], now: datetime) -> bool:
    start, end = _moment(poll.get("start_date")), _moment(poll.get("end_date"))
    return poll.get("status") == "running" and (start is None or start <= now) and (end is None or now < end)


def is_triggered(poll: Mapping[str, Any], event: str, fields: Mapping[str, object]) -> bool:
    trigger = poll.get("trigger")
    if not trigger:
        return True
    if trigger.get("event") != event:
        return False
    when = trigger.get("when")
    if not when:
        return True
    told = fields.get(str(when["field"]))
    compare = COMPARISONS.get(str(when["operator"]))
    return told is not None and compare is not None and compare(told, when["value"])


def is_targeted(poll: Mapping[str, Any], device: DeviceContext) -> bool:
    return matches(from_json(poll.get("targeting")), device)


def has_consent(poll: Mapping[str, Any], context: Mapping[str, Any]) -> bool:
    needed = (poll.get("consent") or {}).get("required", False)
    return not needed or bool((context.get("consent") or {}).get("granted"))


def is_too_often(
    poll: Mapping[str, Any], shown: Sequence[datetime], shown_any: Iterable[datetime], now: datetime
) -> bool:
    """Return whether this poll was shown often enough (`shown`), or any poll (`shown_any`) too short a while ago."""
    often = poll.get("frequency") or {}
    since = now - timedelta(days=float(often.get("recontact_days") or 0))
    limit = often.get("display_limit")
    if limit is not None and len(shown) >= int(limit):
        return True
    if any(at > since for at in shown):
        return True
    cooldown = timedelta(days=float(often.get("cooldown_days") or 0))
    last = max(shown_any, default=None)
    return last is not None and now - last < cooldown


def _moment(told: object) -> datetime | None:
    return datetime.fromisoformat(str(told)) if told else None
