"""Throttles: which hold, and answers to setting and lifting one. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from bot.views.blocks import Message, escape, section
from bot.views.release import who
from core import segments
from releases.throttles import Throttle

RUNS = {"device": "on the device", "cloud": "in the cloud instead", "bundled": "with the model the app was built with"}


def words(throttle: Throttle) -> str:
    """At most 30 a minute, in the cloud instead, for tier=low."""
    often = "never" if throttle.per_minute == 0 else f"at most {throttle.per_minute} a minute"
    parts = [often] if throttle.per_minute is not None else []
    parts += [RUNS[throttle.runs]] if throttle.runs != "device" else []
    return f"{', '.join(parts)}, for {escape(segments.text(throttle.segment))}"


def listing(model: str, held: Sequence[Throttle], example: str) -> Message:
    if not held:
        return Message(f"No throttle on {escape(model)}. `{example}` sets one.")
    lines = [
        f"*{throttle.name}* {words(throttle)}{f' – {escape(throttle.reason)}' if throttle.reason else ''}"
        for throttle in held
    ]
    text = f"*{escape(model)}* is throttled; where several fit, the strictest of each holds."
    return Message(text, (section(text), section("\n".join(lines))))


def set_now(model: str, throttle: Throttle, reached: str, *, by: str, is_dry_run: bool) -> Message:
    reach = f"It reaches {reached}, with their next offer."
    if is_dry_run:
        return Message(f"*Dry run.* {escape(model)} would run {words(throttle)}. {reach} Nothing was changed.")
    text = f"*{throttle.name}* {escape(model)} runs {words(throttle)}, by {who(by)}. {reach}"
    return Message(text, in_channel=True)


def lifted(model: str, throttle: Throttle, *, by: str, is_dry_run: bool) -> Message:
    if is_dry_run:
        return Message(f"*Dry run.* {throttle.name} of {escape(model)} would be lifted. Nothing was changed.")
    text = f"*{throttle.name}* of {escape(model)} ({words(throttle)}) is lifted, by {who(by)}."
    return Message(text, in_channel=True)
