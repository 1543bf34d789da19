"""One call of the Web API: its arguments, however they were sent, and the errors it can end in."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping, Sequence
from typing import Any

from sandbox.slack.state import Channel, Json, Workspace


class ApiError(Exception):
    """Slack's `{"ok": false, "error": …}`; `more` goes into the answer beside it."""

    def __init__(self, error: str, **more: Any) -> None:
        super().__init__(error)
        self.answer: Json = {"ok": False, "error": error, **more}


class Args:
    """Arguments by name. A form sends texts where JSON sends values; both read the same."""

    def __init__(self, values: Mapping[str, Any]) -> None:
        self._values = values

    def text(self, name: str) -> str | None:
        value = self._values.get(name)
        return None if value is None else str(value)

    def needed(self, name: str, error: str = "invalid_arguments") -> str:
        value = self.text(name)
        if not value:
            raise ApiError(error, response_metadata={"messages": [f"[ERROR] missing required field: {name}"]})
        return value

    def flag(self, name: str) -> bool:
        return self._values.get(name) in (True, 1, "1", "true", "True")

    def number(self, name: str, default: int) -> int:
        try:
            return int(self._values.get(name) or default)
        except (TypeError, ValueError):
            raise ApiError("invalid_arguments") from None

    def has(self, name: str) -> bool:
        return self._values.get(name) is not None

    def structure(self, name: str, error: str) -> Any:
        """A JSON value, sent as such or written out as text. Raises ApiError(error) when it is not JSON."""
        value = self._values.get(name)
        if not isinstance(value, str):
            return value
        if not value:
            return None
        try:
            return json.loads(value)
        except ValueError:
            raise ApiError(error) from None


def channel_of(workspace: Workspace, name: str) -> Channel:
    channel = workspace.find_channel(name)
    if channel is None:
        raise ApiError("channel_not_found")
    return channel


def page(items: Sequence[Any], args: Args, *, default: int = 100) -> tuple[list[Any], Json]:
    """One page of a list and the `response_metadata` that leads to the next."""
    cursor = args.text("cursor") or ""
    try:
        start = int(base64.b64decode(cursor, validate=True)) if cursor else 0
    except ValueError:
        raise ApiError("invalid_cursor") from None
    end = start + max(1, min(args.number("limit", default), 1000))
    following = base64.b64encode(str(end).encode()).decode() if end < len(items) else ""
    return list(items[start:end]), {"next_cursor": following}
