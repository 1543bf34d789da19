"""When a phone asks its person: the rules of a poll, evaluated offline as every client does it. Pure."""

from __future__ import annotations

import hashlib
import math
import operator
from collections.abc import Callable, Mapping, Sequence
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
    threshold = math.floor(float(sampling.get("percent", 100.0)) * 10_000 + 0.5)
    return bucket(str(sampling.get("salt", "")), install) < threshold


def is_running(poll: Mapping[str, Any], now: datetime) -> bool:
    start, end = _moment(poll.get("start_date")), _moment(poll.get("end_date"))
    if poll.get("status") != "running" or (start is not None and now < start) or (end is not None and end <= now):
        return False
    repeats = poll.get("iterations")
    return not (repeats and start) or now < start + repeats["count"] * timedelta(days=repeats["every_days"])


def iteration_start(poll: Mapping[str, Any], now: datetime) -> datetime | None:
    """Return since when showings and answers of this poll count; None: since ever."""
    start, repeats = _moment(poll.get("start_date")), poll.get("iterations")
    if not repeats or start is None:
        return None
    every = timedelta(days=int(repeats["every_days"]))
    return start + min((now - start) // every, int(repeats["count"]) - 1) * every


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
    try:
        return told is not None and compare is not None and compare(told, when["value"])
    except TypeError:  # a fact that is no number, where one is compared with
        return False


def is_targeted(poll: Mapping[str, Any], device: DeviceContext) -> bool:
    return matches(from_json(poll.get("targeting")), device)


def has_consent(poll: Mapping[str, Any], context: Mapping[str, Any]) -> bool:
    needed, given = poll.get("consent") or {}, context.get("consent") or {}
    if not needed.get("required"):
        return True
    return bool(given.get("granted")) and needed.get("text_version") in (None, given.get("text_version"))


def is_too_often(
    poll: Mapping[str, Any],
    now: datetime,
    *,
    shown: Sequence[datetime],
    answered: datetime | None,
    any_shown: datetime | None,
) -> bool:
    """Return whether the poll was `shown` often enough, `answered` not long enough ago, or any poll just shown.

    Of a poll with iterations, only what happened in the running one counts. A poll without `recontact_days` asks
    nobody again who has answered.
    """
    often = poll.get("frequency") or {}
    since = iteration_start(poll, now)
    shown = [at for at in shown if since is None or at >= since]
    answered = answered if answered is not None and (since is None or answered >= since) else None
    limit, again, pause = (often.get(name) for name in ("display_limit", "recontact_days", "cooldown_days"))
    if limit is not None and len(shown) >= int(limit):
        return True
    if answered is not None and (again is None or now < answered + timedelta(days=again)):
        return True
    return any_shown is not None and pause is not None and now < any_shown + timedelta(days=pause)


def has_enough(poll: Mapping[str, Any], device: DeviceContext) -> bool:
    """Return whether devices like this one have answered enough: the bundle names such groups by their facts.

    Words compare without case; null is a fact that is not told.
    """
    return any(
        all(_same(device, name, value) for name, value in group.items()) for group in poll.get("full_groups", ())
    )


def _same(device: DeviceContext, name: str, value: object) -> bool:
    told = device.value(name)
    return told.lower() == value.lower() if isinstance(told, str) and isinstance(value, str) else told == value


def _moment(told: object) -> datetime | None:
    return datetime.fromisoformat(str(told)) if told else None
