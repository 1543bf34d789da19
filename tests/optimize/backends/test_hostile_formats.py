"""Hostile .tflite and .mlpackage files: refused in one sentence before any library sees them, nothing left behind."""

from __future__ import annotations

import json
import struct
import zipfile
from collections.abc import Callable
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.errors import InvalidInputError
from optimize import mlpackage, runner
from optimize.inspect import read_needs
from optimize.runner import Failed
from tests.optimize.backends.tflites import CUSTOM, a_tflite
from tests.optimize.builders import assert_refused

FIRST, LAST = np.ones((8, 4), np.float32), np.ones((3, 8), np.float32)
GOOD = a_tflite(FIRST, LAST)
PACKAGE = (Path(__file__).parent / "perceptron.mlpackage.zip").read_bytes()
SPECIFICATION = "Data/com.apple.CoreML/model.mlmodel"


def pointing(at: int, to: int) -> bytes:
    """Return the good .tflite with the offset at `at` changed."""
    return GOOD[:at] + struct.pack("<I", to) + GOOD[at + 4 :]


def a_zip_of(*members: tuple[str, bytes], link: bool = False) -> bytes:
    out = BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members:
            member = zipfile.ZipInfo(name)
            member.external_attr = (0o120777 if link else 0o100644) << 16
            member.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(member, content)
    return out.getvalue()


def a_package(**changed: bytes) -> bytes:
    """Return the good package with files replaced: `specification`, `manifest`."""
    names = {"specification": SPECIFICATION, "manifest": mlpackage.MANIFEST}
    return mlpackage.packed(
        {**mlpackage.unpacked(PACKAGE), **{names[key]: content for key, content in changed.items()}}
    )


def a_manifest(path: str) -> bytes:
    return json.dumps({"rootModelIdentifier": "A", "itemInfoEntries": {"A": {"path": path}}}).encode()


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        pytest.param(lambda: GOOD[: len(GOOD) // 2], "is a damaged .tflite file", id="truncated"),
        pytest.param(lambda: pointing(0, 1 << 31), "is a damaged .tflite file (truncated)", id="a root outside"),
        pytest.param(lambda: GOOD[:8] + b"\xff" * 400, "is a damaged .tflite file", id="noise behind the head"),
        pytest.param(lambda: a_tflite(FIRST, LAST, operator=CUSTOM), "uses the custom operator 'Evil'", id="custom"),
        pytest.param(
            lambda: a_tflite(FIRST, LAST, brought=8), "declares 128 bytes for 'first' and brings 120", id="short"
        ),
        pytest.param(
            lambda: a_tflite(FIRST, LAST, shape=(1 << 20, 1 << 20)), "at most 268,435,456", id="a tensor of 4 TB"
        ),
        pytest.param(lambda: a_tflite(FIRST, LAST, shape=(-8, 4)), "an impossible shape", id="a negative shape"),
        pytest.param(lambda: a_tflite(FIRST * np.nan, LAST), "not numbers (NaN) in 'first'", id="NaN weights"),
        pytest.param(lambda: a_zip_of(("archive/data.pkl", b"\x80\x04N.")), "with a pickle", id="a checkpoint"),
        pytest.param(lambda: a_zip_of(("a.txt", b"hello")), "but no .mlpackage", id="another zip"),
        pytest.param(lambda: PACKAGE[:-40], "is a damaged zip archive", id="a truncated package"),
        pytest.param(
            lambda: a_zip_of((mlpackage.MANIFEST, b"{}"), ("../../etc/cron.d/x", b"*")), "leads out", id="an escape"
        ),
        pytest.param(
            lambda: a_zip_of((mlpackage.MANIFEST, b"/etc/passwd"), link=True), "holds a link", id="a link"
        ),
        pytest.param(
            lambda: a_zip_of((mlpackage.MANIFEST, b"{}"), *((f"{n}", b"") for n in range(80))),
            "unpacks to more than 1000 MB or 64 files", id="many files",
        ),
        pytest.param(lambda: a_package(manifest=b"{}"), "whose manifest names no model", id="an empty manifest"),
        pytest.param(lambda: a_package(manifest=b"[" * 50_000), "whose manifest names no model", id="a deep manifest"),
        pytest.param(
            lambda: a_package(manifest=a_manifest("../../etc/passwd")), "whose model is not in it", id="a model outside"
        ),
        pytest.param(lambda: a_package(specification=b"\xff" * 40), "is a damaged .mlpackage", id="no protobuf"),
        pytest.param(lambda: a_package(specification=b""), "has no operators", id="an empty specification"),
        pytest.param(
            lambda: a_package(specification=b"\xda\x22\x02\x0a\x00"), "custom model class", id="a custom model"
        ),
    ],
)  # fmt: skip
def test_a_hostile_file_is_refused_in_one_sentence(make: Callable[[], bytes], sentence: str) -> None:
    assert_refused(lambda: read_needs(make()), sentence)


def test_a_zip_bomb_is_refused_by_what_it_claims() -> None:
    bomb = bytearray(a_zip_of((mlpackage.MANIFEST, b"{}"), ("Data/x.bin", bytes(1000))))
    at = bomb.rfind(b"PK\x01\x02")
    bomb[at + 24 : at + 28] = struct.pack("<I", 4_000_000_000)

    with pytest.raises(InvalidInputError, match="unpacks to more than 1000 MB"):
        read_needs(bytes(bomb))


def test_a_member_that_unpacks_to_more_than_it_claims_is_refused() -> None:
    bomb = bytearray(a_zip_of(("Data/x.bin", bytes(3_000_000)), (mlpackage.MANIFEST, b"{}")))
    at = bomb.find(b"PK\x01\x02")
    bomb[at + 24 : at + 28] = struct.pack("<I", 10)

    with pytest.raises(InvalidInputError, match="damaged zip"):
        read_needs(bytes(bomb))


@settings(max_examples=300, deadline=None)
@given(at=st.integers(0, len(GOOD) - 1), to=st.integers(0, 255), second=st.integers(0, len(GOOD) - 1))
def test_damaged_bytes_of_a_tflite_are_read_or_refused_but_never_crash_the_reader(
    at: int, to: int, second: int
) -> None:
    damaged = bytearray(GOOD)
    damaged[at] = damaged[second] = to

    try:
        needs = read_needs(bytes(damaged))
    except InvalidInputError:
        return

    assert needs.size_bytes == len(GOOD)


@settings(max_examples=100, deadline=None)
@given(at=st.integers(0, 1500), to=st.integers(0, 255))
def test_damaged_bytes_of_a_specification_are_read_or_refused(at: int, to: int) -> None:
    damaged = bytearray(mlpackage.unpacked(PACKAGE)[SPECIFICATION])
    damaged[at % len(damaged)] = to

    try:
        needs = read_needs(a_package(specification=bytes(damaged)))
    except InvalidInputError:
        return

    assert needs.runtime == "mlpackage"


@pytest.mark.usefixtures("nothing_left")
def test_a_hostile_tflite_ends_the_child_with_a_sentence_and_the_worker_lives() -> None:
    outcome = runner.run("describe", {"model": a_tflite(FIRST, LAST, operator=CUSTOM)})

    assert isinstance(outcome, Failed)
    assert "custom operator 'Evil'" in outcome.sentence
