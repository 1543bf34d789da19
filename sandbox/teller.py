"""Telling what happens: in the terminal as it goes, and as the story beside the page."""

from __future__ import annotations

import re
import sys
import textwrap
from collections.abc import Callable
from typing import IO

from sandbox.script import Step

WIDTH = 110
LINES = 6
_LINK = re.compile(r"<([^>|]+)\|([^>]+)>")
Tell = Callable[[int, int, str, str], None]


class Quiet:
    """Tells nobody."""

    def step(self, number: int, of: int, step: Step) -> None: ...
    def did(self, what: str) -> None: ...
    def heard(self, where: str, what: str) -> None: ...
    def failed(self, what: str) -> None: ...


class Terminal:
    """Prints the story; `tell` puts each step beside the page as well."""

    def __init__(self, tell: Tell | None = None, out: IO[str] | None = None) -> None:
        self._tell = tell
        self._out = out or sys.stdout
        self._is_color = self._out.isatty()

    def step(self, number: int, of: int, step: Step) -> None:
        if self._tell is not None:
            self._tell(number, of, step.title, step.text)
        self._print("")
        self._print(self._styled(f"{number}/{of}  {step.title}", "1"))
        for line in textwrap.wrap(step.text, WIDTH - 5):
            self._print("     " + self._styled(line, "2"))

    def did(self, what: str) -> None:
        self._print("  ▸  " + what)

    def heard(self, where: str, what: str) -> None:
        lines = [part for line in plain(what).splitlines() for part in textwrap.wrap(line, WIDTH - 5 - len(where))]
        self._print(f"  {self._styled(where, '36')}  " + (lines[0] if lines else ""))
        for line in lines[1:LINES]:
            self._print("     " + line)
        if len(lines) > LINES:
            self._print(f"     … and {len(lines) - LINES} more lines")

    def failed(self, what: str) -> None:
        self._print(self._styled(f"  ✗  {what}", "31"))

    def _print(self, line: str) -> None:
        print(line, file=self._out, flush=True)

    def _styled(self, text: str, code: str) -> str:
        return f"\x1b[{code}m{text}\x1b[0m" if self._is_color else text


def plain(text: str) -> str:
    """Return Slack's markup as words: links by their label, no escapes."""
    text = _LINK.sub(r"\2", text)
    return text.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")
