"""One document of all rooms: nothing twice, nothing that points nowhere."""

from __future__ import annotations

import pytest

from core.openapi import HEALTH, Part, compose, json_reply, refusals


def test_rooms_share_a_path_when_their_methods_differ() -> None:
    get = Part(paths={"/v1/things": {"get": {"responses": refusals({})}}}, schemas={})
    put = Part(paths={"/v1/things": {"put": {"responses": refusals({})}}}, schemas={})

    document = compose([get, put], public_url="https://muster.test")

    assert sorted(document["paths"]["/v1/things"]) == ["get", "put"]


def test_an_operation_told_by_two_rooms_is_a_mistake_of_ours() -> None:
    with pytest.raises(ValueError, match="/healthz is described twice: get"):
        compose([HEALTH, HEALTH], public_url="https://muster.test")


def test_two_different_schemas_cannot_share_a_name() -> None:
    one = Part(paths={}, schemas={"Model": {"type": "object"}})
    other = Part(paths={}, schemas={"Model": {"type": "string"}})

    with pytest.raises(ValueError, match="two schemas are called Model"):
        compose([one, other], public_url="https://muster.test")


def test_extensions_are_named_as_openapi_wants_it() -> None:
    document = compose([HEALTH], public_url="https://muster.test", bundle_key={"public": "abc"})

    assert document["x-muster-bundle-key"] == {"public": "abc"}


def test_whoever_is_told_to_come_back_is_told_when() -> None:
    told = refusals({429: "Too fast.", 404: "There is none."})

    assert sorted(told) == ["401", "403", "404", "429"]
    assert "Retry-After" in told["429"]["headers"]
    assert told["404"] == json_reply("There is none.", "Refusal")
