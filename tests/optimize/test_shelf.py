"""The shelf: what a job found out, by what went into it, until it is forgotten."""

from __future__ import annotations

import stat
from datetime import timedelta
from pathlib import Path

from core.clock import system_clock
from optimize.shelf import Shelf, shelf_folder


def test_what_is_old_is_forgotten_and_found_out_again(tmp_path: Path) -> None:
    shelf = Shelf(shelf_folder(tmp_path))
    sha256 = shelf.put(b"variant")
    shelf.note({"task": "make"}, {"cpu_s": 1.0})

    kept = shelf.forget(system_clock() - timedelta(days=1))
    gone = shelf.forget(system_clock() + timedelta(days=1))

    assert (kept, gone) == (0, 2)
    assert shelf.recall({"task": "make"}) is None
    assert shelf.put(b"variant") == sha256
    assert shelf.get(sha256) == b"variant"


def test_it_makes_its_folder_for_our_user_alone(tmp_path: Path) -> None:
    Shelf(tmp_path / "blobs" / "shelf")

    assert [stat.S_IMODE(path.stat().st_mode) for path in (tmp_path / "blobs", tmp_path / "blobs" / "shelf")] == [
        0o700, 0o700
    ]  # fmt: skip
