"""Small models made on the spot, and folders in which nothing may be left."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from optimize import fixtures
from optimize.fixtures import Fixture


@pytest.fixture(scope="session")
def mlp() -> Fixture:
    return fixtures.mlp()


@pytest.fixture(scope="session")
def cnn() -> Fixture:
    return fixtures.cnn()


@pytest.fixture
def nothing_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Fails when a temporary file outlives the test."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    before = sorted(tmp_path.rglob("*"))
    yield
    assert sorted(tmp_path.rglob("*")) == before
