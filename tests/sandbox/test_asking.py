"""The reference client agrees with the vectors that clients in other languages are held against."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from core.device import DeviceContext
from sandbox import asking

VECTORS = Path(__file__).parents[1] / "vectors"


def vectors(name: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads((VECTORS / name).read_text())["vectors"]
    return found


@pytest.mark.parametrize("vector", vectors("sampling.json"), ids=lambda each: f"{each['salt']}:{each['install']}")
def test_samples_as_the_vectors_say(vector: dict[str, Any]) -> None:
    sampling = {"percent": vector["percent"], "salt": vector["salt"]}

    assert asking.bucket(vector["salt"], vector["install"]) == vector["bucket"]
    assert asking.is_sampled(sampling, vector["install"]) is vector["sampled"]


@pytest.mark.parametrize("vector", vectors("segments.json"), ids=lambda each: each["name"])
def test_targets_as_the_vectors_say(vector: dict[str, Any]) -> None:
    device = DeviceContext.from_wire(vector["context"])

    assert asking.is_targeted({"targeting": vector["targeting"]}, device) is vector["matches"]
