"""The switches that make the pretended world misbehave, each with its type and its resting value."""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from core.errors import InvalidInputError, Problem

Value = bool | int | float


@dataclass(frozen=True, slots=True, kw_only=True)
class Switch:
    """One fault: its resting value (whose type is the switch's type) and what it does."""

    rest: Value
    does: str


SWITCHES: Mapping[str, Switch] = {
    "slack_retry": Switch(rest=False, does="every delivery to the app comes three times"),
    "slack_429": Switch(rest=0, does="the next n Web API calls are answered with 429"),
    "slack_down": Switch(rest=False, does="the Web API and response URLs answer 503"),
    "slack_lost": Switch(rest=0, does="the next n chat calls are carried out, but their replies never arrive"),
    "jira_down": Switch(rest=False, does="Jira answers 503"),
    "jira_lag_s": Switch(rest=0.0, does="a new issue can be found by search only after n seconds"),
    "jira_timeout_after_create": Switch(rest=0, does="the next n creates are carried out, but never answered"),
    "jira_429": Switch(rest=0, does="the next n Jira calls are answered with 429"),
    "confluence_down": Switch(rest=False, does="Confluence answers 503"),
    "confluence_conflict": Switch(rest=0, does="somebody edits a page just before each of our next n edits"),
    "confluence_lost": Switch(rest=0, does="the next n new pages are made, but never answered"),
    "mail_down": Switch(rest=False, does="the mail server answers 421"),
    "mail_lost": Switch(rest=0, does="the next n mails are taken, but that is never answered"),
    "phones_offline": Switch(rest=False, does="no phone reaches the collector"),
}


def in_words(name: str, value: object) -> str:
    """Return what turning a switch does, in words."""
    switch = SWITCHES[name]
    if value == switch.rest:
        return f"no more: {switch.does}"
    return switch.does if value is True else f"{switch.does} (n = {value})"


class Faults:
    """What is wrong with the world just now. Every method may be called from any thread."""

    def __init__(self, changed: Callable[[], None] = lambda: None) -> None:
        self._values: dict[str, Value] = {name: switch.rest for name, switch in SWITCHES.items()}
        self._lock = threading.Lock()
        self._changed = changed

    def on(self, name: str) -> bool:
        """Whether the switch stands at anything but nothing."""
        with self._lock:
            return bool(self._values[name])

    def amount(self, name: str) -> float:
        with self._lock:
            return float(self._values[name])

    def take(self, name: str) -> bool:
        """Use up one of a counted fault; False when none is left."""
        with self._lock:
            left = int(self._values[name])
            if left <= 0:
                return False
            self._values[name] = left - 1
        self._changed()
        return True

    def set(self, **values: object) -> None:
        """Turn switches. Raises InvalidInputError with every unknown name and wrong value; then nothing is turned."""
        checked: dict[str, Value] = {}
        problems: list[Problem] = []
        for name, value in values.items():
            outcome = _checked(name, value)
            if isinstance(outcome, Problem):
                problems.append(outcome)
            else:
                checked[name] = outcome
        if problems:
            raise InvalidInputError(*problems)
        with self._lock:
            self._values.update(checked)
        self._changed()

    def clear(self) -> None:
        self.set(**{name: switch.rest for name, switch in SWITCHES.items()})

    def values(self) -> dict[str, Value]:
        with self._lock:
            return dict(self._values)


def _checked(name: str, value: object) -> Value | Problem:
    switch = SWITCHES.get(name)
    if switch is None:
        return Problem(name, f"is no fault; there are {', '.join(SWITCHES)}")
    if isinstance(switch.rest, bool):
        return value if isinstance(value, bool) else Problem(name, "must be true or false")
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < math.inf:
        return Problem(name, "must be a number, 0 or more")
    if isinstance(switch.rest, float):
        return float(value)
    return int(value) if value == int(value) else Problem(name, "must be a whole number")
