"""A bounded reader of FlatBuffers tables: no schema, no copies, every offset held against the file. Pure.

Tables and vectors may share bytes, so a small file can describe a large graph; each read is counted.
https://flatbuffers.dev/internals/
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

MOST_READS: Final = 3_000_000


class DamagedError(ValueError):
    """The bytes are no FlatBuffers table."""


@dataclass(slots=True)
class File:
    """The bytes of one file and how often they may still be read."""

    content: memoryview
    reads: int = MOST_READS

    def number(self, kind: str, at: int) -> int:
        self.reads -= 1
        if self.reads < 0:
            raise DamagedError("refers to its own parts too often")
        if at < 0 or at + struct.calcsize(kind) > len(self.content):
            raise DamagedError("truncated")
        value: int = struct.unpack_from(kind, self.content, at)[0]
        return value

    def root(self) -> Table:
        return Table(self, self.number("<I", 0))


@dataclass(frozen=True, slots=True)
class Table:
    file: File
    at: int

    def _place(self, field: int) -> int | None:
        """Return where a field is stored, None when it has its default."""
        table = self.at - self.file.number("<i", self.at)
        if 4 + 2 * field + 2 > self.file.number("<H", table):
            return None
        offset = self.file.number("<H", table + 4 + 2 * field)
        return self.at + offset if offset else None

    def number(self, field: int, kind: str = "<i", default: int = 0) -> int:
        place = self._place(field)
        return default if place is None else self.file.number(kind, place)

    def table(self, field: int) -> Table | None:
        place = self._place(field)
        return None if place is None else Table(self.file, place + self.file.number("<I", place))

    def _vector(self, field: int, width: int) -> tuple[int, int]:
        """Return where a vector's elements start and how many there are, all within the file."""
        place = self._place(field)
        if place is None:
            return 0, 0
        start = place + self.file.number("<I", place)
        length = self.file.number("<I", start)
        if start + 4 + length * width > len(self.file.content):
            raise DamagedError("truncated")
        return start + 4, length

    def bytes(self, field: int) -> memoryview:
        start, length = self._vector(field, 1)
        return self.file.content[start : start + length]

    def integers(self, field: int, most: int = 1 << 20) -> tuple[int, ...]:
        start, length = self._vector(field, 4)
        if length > most:
            raise DamagedError(f"a list of {length:,} numbers")
        self.file.reads -= length
        return struct.unpack_from(f"<{length}i", self.file.content, start)

    def tables(self, field: int, most: int) -> Iterator[Table]:
        start, length = self._vector(field, 4)
        if length > most:
            raise DamagedError(f"a list of {length:,} parts")
        for place in range(start, start + 4 * length, 4):
            yield Table(self.file, place + self.file.number("<I", place))
