"""A model file is kept whole and verified, or not at all."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from core.errors import InvalidInputError
from releases.blobs import Blobs, TooLargeError
from tests.releases.builders import digest_of

SHA = digest_of("a model")


def files_in(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


def test_a_file_is_kept_under_its_digest(tmp_path: Path) -> None:
    blobs = Blobs(tmp_path / "blobs")

    assert blobs.put([b"a ", b"model"], sha256=SHA, max_bytes=100) == 7

    path = blobs.path(SHA)
    assert path is not None
    assert path.read_bytes() == b"a model"
    assert path == tmp_path / "blobs" / SHA[:2] / SHA


def test_the_same_file_again_changes_nothing(tmp_path: Path) -> None:
    blobs = Blobs(tmp_path)
    for _ in range(2):
        blobs.put([b"a model"], sha256=SHA, max_bytes=100)

    assert len(files_in(tmp_path)) == 1


def test_other_bytes_than_the_digest_says_are_refused_and_leave_nothing(tmp_path: Path) -> None:
    with pytest.raises(InvalidInputError, match="does not fit the 9 bytes"):
        Blobs(tmp_path).put([b"a m", b"uddle."], sha256=SHA, max_bytes=100)

    assert files_in(tmp_path) == []


def test_an_empty_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidInputError, match="is empty"):
        Blobs(tmp_path).put([], sha256=digest_of(""), max_bytes=100)


def test_a_file_that_is_too_large_is_refused_as_soon_as_that_is_known(tmp_path: Path) -> None:
    asked: list[int] = []

    def endless() -> Iterator[bytes]:
        while True:
            asked.append(1)
            yield b"x" * 10

    with pytest.raises(TooLargeError):
        Blobs(tmp_path).put(endless(), sha256=SHA, max_bytes=25)

    assert len(asked) == 3
    assert files_in(tmp_path) == []


def test_an_upload_that_breaks_off_leaves_nothing(tmp_path: Path) -> None:
    def broken() -> Iterator[bytes]:
        yield b"a m"
        raise ConnectionResetError

    with pytest.raises(ConnectionResetError):
        Blobs(tmp_path).put(broken(), sha256=SHA, max_bytes=100)

    assert files_in(tmp_path) == []
    assert Blobs(tmp_path).path(SHA) is None
