"""The modals and App Homes that are open, person by person.

Every method may be called from any thread.
"""

from __future__ import annotations

import secrets
import threading
from collections.abc import Callable
from dataclasses import dataclass, replace

from sandbox.slack.state import APP, BOT, TEAM, Json, with_ids

DEEPEST = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """One view as a person has it before them."""

    id: str
    user: str
    view: Json
    hash: str
    root_id: str
    previous_id: str | None = None
    values: Json | None = None

    def facts(self) -> Json:
        """The view as Slack describes it to the app."""
        view = self.view
        is_modal = view["type"] == "modal"
        return {
            "id": self.id,
            "team_id": TEAM,
            "app_id": APP,
            "app_installed_team_id": TEAM,
            "bot_id": BOT,
            "hash": self.hash,
            "type": view["type"],
            "blocks": view["blocks"],
            "private_metadata": view.get("private_metadata", ""),
            "callback_id": view.get("callback_id", ""),
            "external_id": view.get("external_id", ""),
            "state": {"values": self.values or {}},
            "root_view_id": self.root_id,
            "previous_view_id": self.previous_id,
            "clear_on_close": view.get("clear_on_close", False),
            "notify_on_close": view.get("notify_on_close", False),
            "title": view.get("title") if is_modal else {"type": "plain_text", "text": "Home", "emoji": True},
            "close": view.get("close"),
            "submit": view.get("submit"),
        }


class Windows:
    def __init__(self, changed: Callable[[], None] = lambda: None) -> None:
        self._lock = threading.RLock()
        self._changed = changed
        self._stacks: dict[str, list[Window]] = {}
        self._homes: dict[str, Window] = {}

    def all(self) -> tuple[Window, ...]:
        with self._lock:
            return tuple(window for stack in self._stacks.values() for window in stack)

    def homes(self) -> dict[str, Window]:
        with self._lock:
            return dict(self._homes)

    def find(self, id_: str | None = None, *, external_id: str | None = None) -> Window | None:
        with self._lock:
            everything = (*self.all(), *self._homes.values())
            if id_:
                return next((window for window in everything if window.id == id_), None)
            wanted = (w for w in everything if external_id and w.view.get("external_id") == external_id)
            return next(wanted, None)

    def stack(self, user: str) -> tuple[Window, ...]:
        """A person's modals, the uppermost last."""
        with self._lock:
            return tuple(self._stacks.get(user, ()))

    def open(self, user: str, view: Json) -> Window:
        """Show a modal in place of any that is open."""
        with self._lock:
            window = _window(user, view)
            self._stacks[user] = [window]
        self._changed()
        return window

    def push(self, user: str, view: Json) -> Window | None:
        """Lay a modal over the uppermost; None when the pile is as high as Slack allows, or empty."""
        with self._lock:
            stack = self._stacks.get(user, [])
            if not stack or len(stack) >= DEEPEST:
                return None
            window = replace(_window(user, view), root_id=stack[0].id, previous_id=stack[-1].id)
            stack.append(window)
        self._changed()
        return window

    def update(self, window: Window, view: Json) -> Window:
        with self._lock:
            fresh = replace(window, view=_with_ids(view), hash=_hash(), values=None)
            if self._homes.get(window.user, window).id == window.id and window.user in self._homes:
                self._homes[window.user] = fresh
            stack = self._stacks.get(window.user, [])
            stack[:] = [fresh if other.id == window.id else other for other in stack]
        self._changed()
        return fresh

    def fill(self, window: Window, values: Json) -> Window:
        """Keep what the person has filled in."""
        with self._lock:
            filled = replace(window, values=values)
            stack = self._stacks.get(window.user, [])
            stack[:] = [filled if other.id == window.id else other for other in stack]
        return filled

    def close(self, window: Window) -> None:
        with self._lock:
            stack = self._stacks.get(window.user, [])
            stack[:] = [other for other in stack if other.id != window.id]
        self._changed()

    def clear(self, user: str) -> None:
        with self._lock:
            self._stacks.pop(user, None)
        self._changed()

    def publish(self, user: str, view: Json) -> Window:
        with self._lock:
            before = self._homes.get(user)
            fresh = _window(user, view)
            self._homes[user] = replace(fresh, id=before.id, root_id=before.id) if before else fresh
            published = self._homes[user]
        self._changed()
        return published


def _window(user: str, view: Json) -> Window:
    id_ = f"V0{secrets.token_hex(5).upper()}"
    return Window(id=id_, user=user, view=_with_ids(view), hash=_hash(), root_id=id_)


def _with_ids(view: Json) -> Json:
    return {**view, "blocks": list(with_ids(view["blocks"]))}


def _hash() -> str:
    return f"{secrets.randbelow(10**10)}.{secrets.token_hex(4)}"
