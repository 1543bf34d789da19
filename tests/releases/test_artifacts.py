"""Registrations say every mistake, and limits are read the same everywhere."""

from __future__ import annotations

import pytest

from core.errors import InvalidInputError
from releases.artifacts import os_limit, read_artifact
from tests.releases.builders import digest_of

SHA = digest_of("a model")


def test_a_full_registration_is_understood() -> None:
    artifact = read_artifact(
        SHA,
        {"model": "kws", "version": "1.4.0", "variant": "int8", "runtime": "TFLite-2.16", "min_app": "5.4",
         "min_os": "Android 12", "min_ram_gb": "1.5", "accelerators": "NNAPI, gpu,", "baseline": "true"},
    )  # fmt: skip

    assert artifact.name == "kws@1.4.0 (int8)"
    assert (artifact.runtime, artifact.min_app, artifact.min_os) == ("tflite-2.16", "5.4", "android 12")
    assert (artifact.min_ram_gb, artifact.accelerators) == (1.5, ("gpu", "nnapi"))
    assert artifact.is_baseline


def test_model_and_version_are_enough() -> None:
    artifact = read_artifact(SHA, {"model": "kws", "version": "1.4.0"})

    assert (artifact.variant, artifact.accelerators, artifact.is_baseline) == ("default", (), False)


def test_every_mistake_of_a_registration_is_told() -> None:
    told = {
        "model": "Key Words", "version": "new", "variant": "a/b", "min_app": "x", "min_os": "latest",
        "min_ram_gb": "much", "baseline": "maybe", "colour": "red", "runtime": "a b",
    }  # fmt: skip
    with pytest.raises(InvalidInputError) as caught:
        read_artifact("abc", told)

    assert {problem.path for problem in caught.value.problems} == {"sha256", *told}


@pytest.mark.parametrize(
    ("text", "limit"),
    [("12", (None, "12")), ("android 12", ("android", "12")), ("ios>=16.4", ("ios", "16.4")), ("12 android", None)],
)
def test_a_least_system_is_a_version_with_or_without_its_platform(text: str, limit: object) -> None:
    assert os_limit(text) == limit
