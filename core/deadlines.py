"""Ends waits that take too long, by one look at all of them every so often.

A timer of asyncio's own for each small body costs more processor time than reading it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import Any, TypeVar

Value = TypeVar("Value")


class Deadlines:
    """For the tasks of one event loop; a wait ends up to `look_every_s` late."""

    def __init__(self, look_every_s: float) -> None:
        self._look_every_s = look_every_s
        self._due: dict[asyncio.Task[Any], float] = {}
        self._is_looking = False

    async def wait(self, work: Awaitable[Value], within_s: float) -> Value:
        """Wait for `work`, one wait at a time in each task. Raises: TimeoutError."""
        task = asyncio.current_task()
        assert task
        loop = task.get_loop()
        self._due[task] = loop.time() + within_s
        if not self._is_looking:
            self._look(loop)
        try:
            return await work
        except asyncio.CancelledError:
            if task in self._due:  # somebody else ended it
                raise
            task.uncancel()
            raise TimeoutError from None
        finally:
            self._due.pop(task, None)

    def _look(self, loop: asyncio.AbstractEventLoop) -> None:
        now = loop.time()
        for task in [task for task, due in self._due.items() if due <= now]:
            del self._due[task]
            task.cancel()
        self._is_looking = bool(self._due)
        if self._is_looking:
            loop.call_later(self._look_every_s, self._look, loop)
