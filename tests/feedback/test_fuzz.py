"""Rubbish, and almost-valid bodies, thrown at the way in: an answer that names what is wrong, never a crash."""

from __future__ import annotations

import copy
import json
import random
import zlib
from typing import Any

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from feedback.unpack import MalformedError, TooLargeError, Unreadable, unpack_batch
from tests.feedback.sending import Wire, a_batch, a_summary, an_answer

RUBBISH = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=12), st.just([]), st.just({}),
    st.just("\ud83d"), st.just(10**400), st.just("x" * 5_000), st.lists(st.integers(), max_size=3),
    st.just("9999-12-31T23:59:59+00:01"), st.just("0001-01-01T00:00:00Z"),
)  # fmt: skip
MANY = hypothesis_settings(
    max_examples=150, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


def a_valid_body() -> dict[str, Any]:
    why = [{"question": "q_csat", "value": 4}, {"question": "q_why", "value": ["slow"]}]
    return dict(a_batch(an_answer("a", answers=why), an_answer("b"), inferences=(a_summary("i"), a_summary("j"))))


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Every place inside a JSON value."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list | tuple) else ()
    return [path, *(place for key, each in inner for place in places(each, (*path, key)))]


def replaced(body: dict[str, Any], path: tuple[Any, ...], rubbish: Any) -> Any:
    if not path:
        return rubbish
    changed = json.loads(json.dumps(copy.deepcopy(body)))
    inside = changed
    for key in path[:-1]:
        inside = inside[key]
    inside[path[-1]] = rubbish
    return changed


@MANY
@given(body=st.binary(max_size=200))
def test_any_bytes_are_read_or_malformed(body: bytes) -> None:
    try:
        parcel = unpack_batch(body)
    except (MalformedError, TooLargeError):
        return
    assert all(item.problems for item in parcel.items if isinstance(item, Unreadable))


@MANY
@given(seed=st.integers(0, 10_000), rubbish=RUBBISH)
def test_rubbish_in_one_place_of_a_batch_costs_an_item_or_the_request_and_never_the_server(
    wire: Wire, seed: int, rubbish: Any
) -> None:
    body = a_valid_body()
    places_of_it = places(body)
    changed = replaced(body, random.Random(seed).choice(places_of_it), rubbish)
    response = wire.client.post("/v1/batch", data=json.dumps(changed).encode(), headers=wire.headers())

    assert response.json is not None
    assert response.status_code in (200, 400), response.json
    if response.status_code == 400:
        assert response.json["error"]
        return
    results = response.json["results"]
    assert all(result.get("problems") for result in results if result["status"] == "rejected")
    assert response.json["accepted"] + response.json["duplicate"] + response.json["rejected"] == len(results)


@pytest.mark.parametrize("encoding", ["gzip", "zstd"])
@MANY
@given(body=st.binary(max_size=200), cut=st.integers(0, 60))
def test_a_body_that_is_not_what_its_encoding_says_is_malformed(
    wire: Wire, encoding: str, body: bytes, cut: int
) -> None:
    packer = zlib.compressobj(wbits=31)
    packed = (packer.compress(body) + packer.flush())[: -cut or None]
    for each in (body, packed):
        headers = wire.headers(Content_Encoding=encoding)
        response = wire.client.post("/v1/batch", data=each, headers=headers)
        assert response.status_code in (200, 400), response.data
