"""Doctor names what is missing, half set up or broken, and what to do about it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from bot import doctor
from bot.context import Context
from releases.blobs import Blobs
from tests.bot.models_made import Bench
from tests.conftest import JobList


def wrong(checks: list[doctor.Check]) -> list[str]:
    return [check.sentence for check in checks if not check.passed]


def changed(ctx: Context, **settings: Any) -> Context:
    return replace(ctx, settings=replace(ctx.settings, **settings))


def test_model_files_that_a_restore_left_out_are_named(ctx: Context, jobs: JobList) -> None:
    bench = Bench(ctx, jobs)
    bench.register(b"weights", "1.4.0", read=False)
    lost = Blobs(ctx.settings.blob_dir).path(bench.register(b"other weights", "1.5.0", read=False))
    whole = doctor.files(ctx)
    assert lost is not None
    lost.unlink()

    left = doctor.files(ctx)

    assert wrong(whole) == []
    assert whole[0].sentence == f"No model file is missing in {ctx.settings.blob_dir}."
    assert "1 of 2 model files are not in" in wrong(left)[0]
    assert "kws@1.5.0" in wrong(left)[0]


@pytest.mark.parametrize("folder", ["file", "file/blobs"])
def test_a_folder_of_models_that_is_a_file_is_told(ctx: Context, tmp_path: Path, folder: str) -> None:
    (tmp_path / "file").touch()

    (told,) = wrong(doctor.files(changed(ctx, blob_dir=tmp_path / folder)))

    assert told == f"Model files cannot be kept: {tmp_path / 'file'} cannot be written; look at MUSTER_BLOB_DIR."


def test_looking_makes_no_folder(ctx: Context, tmp_path: Path) -> None:
    assert wrong(doctor.files(changed(ctx, blob_dir=tmp_path / "not yet"))) == []
    assert not (tmp_path / "not yet").exists()
