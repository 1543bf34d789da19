"""No install is ever offered a file outside its limits."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.device import DeviceContext
from releases.compatibility import Gap, gaps, runnable, why_not
from tests.releases.builders import an_artifact

PIXEL = DeviceContext(platform="android", os="14", ram_gb=8.0, app_version="5.4.1", runtime="tflite-2.16",
                      accelerator="nnapi")  # fmt: skip


@pytest.mark.parametrize(
    ("limits", "reason"),
    [
        ({"min_ram_gb": 12.0}, "needs 12 GB of memory"),
        ({"min_os": "15"}, "needs OS 15"),
        ({"min_os": "ios 12"}, "needs ios 12"),
        ({"min_app": "5.10"}, "needs app 5.10"),
        ({"runtime": "onnxruntime"}, "needs runtime onnxruntime"),
        ({"runtime": "tflite-2.17"}, "needs runtime tflite-2.17"),
        ({"accelerators": ("gpu", "npu")}, "needs accelerator gpu or npu"),
        ({"quarantined": True}, "kws@1.4.0 (int8) was rolled back and is quarantined"),
    ],
)
def test_a_file_outside_a_limit_does_not_run_and_says_why(limits: dict[str, Any], reason: str) -> None:
    assert why_not(an_artifact(**limits), PIXEL) == (reason,)


def test_a_file_within_all_limits_runs() -> None:
    limits: dict[str, Any] = {
        "min_ram_gb": 8.0,
        "min_os": "android 14",
        "min_app": "5.4",
        "accelerators": ("gpu", "nnapi"),
    }

    assert why_not(an_artifact(runtime="tflite-2.9", **limits), PIXEL) == ()


def test_a_limit_that_cannot_be_checked_is_not_met_but_the_runtime_is_trusted() -> None:
    silent = DeviceContext()

    assert len(why_not(an_artifact(min_ram_gb=1.0, min_os="1", min_app="1", accelerators=("gpu",)), silent)) == 4
    assert why_not(an_artifact(runtime="tflite-2.16"), silent) == ()


def test_the_file_made_for_such_a_device_comes_first() -> None:
    plain = an_artifact(variant="fp32", size_bytes=4000)
    rich = an_artifact(variant="fp16", min_ram_gb=6.0)
    nnapi = an_artifact(variant="int8-nnapi", accelerators=("nnapi",))

    assert [each.variant for each in runnable([plain, rich, nnapi], PIXEL)] == ["int8-nnapi", "fp16", "fp32"]
    assert [each.variant for each in runnable([plain, rich, nnapi], DeviceContext())] == ["fp32"]


def test_devices_without_a_runnable_file_are_counted_by_their_reason() -> None:
    small, tiny = DeviceContext(ram_gb=2.0), DeviceContext(ram_gb=1.0)

    found = gaps((an_artifact(min_ram_gb=3.0),), [(PIXEL, 100), (small, 40), (tiny, 2)])

    assert found == (Gap(reason="needs 3 GB of memory", installs=42),)
    assert gaps((), [(PIXEL, 1)]) == (Gap(reason="no artifact", installs=1),)


@given(
    needed=st.integers(1, 16), has=st.none() | st.integers(1, 16), least=st.integers(1, 20),
    os=st.none() | st.integers(1, 20),
)  # fmt: skip
def test_whatever_is_offered_runs_within_its_limits(needed: int, has: int | None, least: int, os: int | None) -> None:
    device = DeviceContext(ram_gb=has, os=str(os) if os else None)

    offered = runnable([an_artifact(min_ram_gb=float(needed), min_os=str(least))], device)

    assert bool(offered) == (has is not None and has >= needed and os is not None and os >= least)
