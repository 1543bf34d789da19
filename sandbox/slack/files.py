"""Files that an app uploads: first a place is asked for, then the bytes come, then they are shared."""

from __future__ import annotations

import secrets
import threading
from dataclasses import dataclass, replace


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredFile:
    id: str
    name: str
    size_bytes: int
    content: bytes | None = None


class FileShelf:
    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._files: dict[str, StoredFile] = {}

    def reserve(self, name: str, size_bytes: int) -> StoredFile:
        file = StoredFile(id=f"F0{secrets.token_hex(5).upper()}", name=name, size_bytes=size_bytes)
        with self._lock:
            self._files[file.id] = file
        return file

    def fill(self, id_: str, content: bytes) -> StoredFile | None:
        """Keep the bytes; None when no place was asked for, or for another size."""
        with self._lock:
            file = self._files.get(id_)
            if file is None or file.size_bytes != len(content):
                return None
            self._files[id_] = replace(file, content=content)
            return self._files[id_]

    def find(self, id_: str) -> StoredFile | None:
        with self._lock:
            return self._files.get(id_)
