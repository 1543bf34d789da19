"""Replies keep OFREP 0.3.0 to the letter, and a real OpenFeature client understands them."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
import yaml
from flask.testing import FlaskClient
from jsonschema import Draft202012Validator
from openfeature import api
from openfeature.contrib.provider.ofrep import OFREPProvider
from openfeature.evaluation_context import EvaluationContext
from werkzeug.test import TestResponse

from core.db import Databases
from core.settings import Settings
from releases import artifact_store
from releases.catalog import LOOK_EVERY_S
from releases.rollout import Halt, RollBack
from tests.builders import T0
from tests.releases.builders import Seconds, an_artifact, do, register_both, start
from tests.releases.conftest import Keys

CONTRACT = Path(__file__).parents[3] / "shared" / "contracts" / "ofrep-0.3.0.openapi.yaml"
FLAGS = "/ofrep/v1/evaluate/flags"
KWS = f"{FLAGS}/kws"


@pytest.fixture(scope="module")
def contract() -> dict[str, Any]:
    if not CONTRACT.exists():
        pytest.skip(f"the contract is not here: {CONTRACT}")
    read: dict[str, Any] = yaml.safe_load(CONTRACT.read_text())
    return read


@pytest.fixture
def baseline(databases: Databases) -> str:
    with databases.control.begin() as session:
        return register_both(session)[0].sha256


def ask(client: FlaskClient, path: str, key: str | None, install: Any = "device-1", **more: Any) -> TestResponse:
    context = {"targetingKey": install, **more} if install is not None else more
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    return client.post(path, json={"context": context}, headers=headers)


def check(contract: dict[str, Any], path: str, reply: TestResponse) -> Any:
    """Hold a reply's status, body and media type against the OpenAPI document; return the body."""
    template = FLAGS if path == FLAGS else f"{FLAGS}/{{key}}"
    responses = contract["paths"][template]["post"]["responses"]
    assert str(reply.status_code) in responses
    content = responses[str(reply.status_code)].get("content")
    if content is None:
        return reply.get_json(silent=True)
    assert reply.mimetype == "application/json"
    schema = content["application/json"]["schema"] | {"components": contract["components"]}
    Draft202012Validator(schema).validate(reply.get_json())
    return reply.get_json()


def test_without_a_release_the_baseline_is_offered(
    client: FlaskClient, api_keys: Keys, baseline: str, contract: dict[str, Any], settings: Settings
) -> None:
    flag = check(contract, KWS, ask(client, KWS, api_keys.public))

    assert flag == {
        "key": "kws",
        "reason": "STATIC",
        "variant": "int8",
        "value": {
            "model": "kws", "version": "1.3.2", "variant": "int8", "sha256": baseline, "size": 1000,
            "url": f"{settings.public_url}/v1/artifacts/{baseline}", "fallback": [],
        },
        "metadata": {"arm": "none", "why": "no release is live"},
    }  # fmt: skip


def test_both_arms_are_told_which_release_and_arm_they_are(
    client: FlaskClient, api_keys: Keys, databases: Databases, baseline: str, contract: dict[str, Any]
) -> None:
    with databases.control.begin() as session:
        release, _ = start(session)

    seen = {}
    for n in range(200):
        flag = check(contract, KWS, ask(client, KWS, api_keys.public, f"device-{n}"))
        seen[flag["metadata"]["arm"]] = flag
        assert flag["metadata"]["release"] == release.id
        assert all(isinstance(value, str | bool) for value in flag["metadata"].values())

    assert {arm: flag["value"]["version"] for arm, flag in seen.items()} == {
        "candidate": "1.4.0", "baseline": "1.3.2", "none": "1.3.2"
    }  # fmt: skip


def test_all_flags_of_the_app_come_at_once_and_none_of_another_app(
    client: FlaskClient, api_keys: Keys, baseline: str, contract: dict[str, Any]
) -> None:
    ours = check(contract, FLAGS, ask(client, FLAGS, api_keys.public))
    theirs = check(contract, FLAGS, ask(client, FLAGS, api_keys.elsewhere))

    assert [flag["key"] for flag in ours["flags"]] == ["kws"]
    assert theirs == {"flags": []}


def test_the_etag_changes_only_with_what_this_install_is_told(
    client: FlaskClient, api_keys: Keys, databases: Databases, baseline: str
) -> None:
    first = ask(client, FLAGS, api_keys.public)
    other_context = ask(client, FLAGS, api_keys.public, locale="de-DE")
    assert first.headers["ETag"] == other_context.headers["ETag"]

    headers = {"Authorization": f"Bearer {api_keys.public}", "If-None-Match": first.headers["ETag"]}
    body = {"context": {"targetingKey": "device-1"}}
    same = client.post(FLAGS, json=body, headers=headers)
    assert (same.status_code, same.data, same.headers["ETag"]) == (304, b"", first.headers["ETag"])
    weak = client.post(FLAGS, json=body, headers=headers | {"If-None-Match": f'"x", W/{first.headers["ETag"]}'})
    assert weak.status_code == 304

    stale = client.post(FLAGS, json=body, headers=headers | {"If-None-Match": '"another"'})
    assert stale.status_code == 200


def test_where_no_file_runs_value_and_variant_are_still_sent(
    client: FlaskClient, api_keys: Keys, databases: Databases, contract: dict[str, Any]
) -> None:
    with databases.control.begin() as session:
        unmarked = an_artifact("0.1.0", model="ocr")
        artifact_store.register_artifact(session, unmarked, app="demo", by="key_1", now=T0)

    flag = check(contract, f"{FLAGS}/ocr", ask(client, f"{FLAGS}/ocr", api_keys.public))

    assert (flag["reason"], flag["variant"], flag["value"]) == ("DISABLED", "built-in", {})


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"{", "PARSE_ERROR"),
        (b"\xff", "PARSE_ERROR"),
        (b"", "PARSE_ERROR"),
        (b"[]", "INVALID_CONTEXT"),
        (b"{}", "INVALID_CONTEXT"),
        (b'{"context": 5}', "INVALID_CONTEXT"),
        (b'{"context": {}}', "TARGETING_KEY_MISSING"),
        (b'{"context": {"targetingKey": ""}}', "TARGETING_KEY_MISSING"),
        (b'{"context": {"targetingKey": 5}}', "INVALID_CONTEXT"),
        (json.dumps({"context": {"targetingKey": "x" * 300}}).encode(), "INVALID_CONTEXT"),
    ],
)
@pytest.mark.parametrize("path", [FLAGS, KWS])
def test_a_bad_request_is_answered_with_its_code_and_details(
    client: FlaskClient, api_keys: Keys, baseline: str, contract: dict[str, Any], path: str, body: bytes, code: str
) -> None:
    reply = client.post(path, data=body, headers={"Authorization": f"Bearer {api_keys.public}"})

    told = check(contract, path, reply)

    assert (reply.status_code, told["errorCode"]) == (400, code)
    assert told["errorDetails"]
    assert told.get("key") == ("kws" if path == KWS else None)


@pytest.mark.parametrize("path", [FLAGS, KWS])
def test_a_body_without_end_is_refused_in_the_words_of_ofrep(
    client: FlaskClient, api_keys: Keys, baseline: str, path: str
) -> None:
    reply = client.post(path, data=b"x" * 65537, headers={"Authorization": f"Bearer {api_keys.public}"})

    told = reply.get_json()
    assert (reply.status_code, told["errorCode"]) == (413, "GENERAL")
    assert told["errorDetails"] == "The body must have at most 65536 bytes."


def test_an_unknown_flag_is_not_found(
    client: FlaskClient, api_keys: Keys, baseline: str, contract: dict[str, Any]
) -> None:
    reply = ask(client, f"{FLAGS}/unheard", api_keys.public)

    assert check(contract, f"{FLAGS}/unheard", reply) == {
        "key": "unheard", "errorCode": "FLAG_NOT_FOUND", "errorDetails": "There is no model unheard."
    }  # fmt: skip
    assert reply.status_code == 404


@pytest.mark.parametrize("flag", ["/", "//", "/kws", "a/b", "kws/", "..", "../kws", "a\nb", "\r\n", "\0", "x" * 9000])
def test_a_flag_of_any_odd_name_is_not_found_in_the_words_of_ofrep(
    client: FlaskClient, api_keys: Keys, baseline: str, contract: dict[str, Any], flag: str
) -> None:
    reply = ask(client, f"{FLAGS}/{quote(flag, safe='')}", api_keys.public)

    told = check(contract, KWS, reply)
    assert (reply.status_code, told["errorCode"], told["key"]) == (404, "FLAG_NOT_FOUND", flag)


@pytest.mark.parametrize("key", [None, "pk_wrong"])
@pytest.mark.parametrize("path", [FLAGS, KWS])
def test_without_a_valid_key_nothing_is_told(
    client: FlaskClient, api_keys: Keys, contract: dict[str, Any], path: str, key: str | None
) -> None:
    reply = ask(client, path, key)

    assert reply.status_code == 401
    assert check(contract, path, reply)["errorDetails"]


def test_a_key_may_come_in_its_own_header(client: FlaskClient, api_keys: Keys, baseline: str) -> None:
    body = {"context": {"targetingKey": "device-1"}}

    assert client.post(KWS, json=body, headers={"X-API-Key": api_keys.public}).status_code == 200


def test_a_strange_device_is_no_reason_to_fail(client: FlaskClient, api_keys: Keys, baseline: str) -> None:
    reply = ask(client, KWS, api_keys.public, **{"os.name": ["x"], "ram_gb": "lots", "soc": {"a": 1}, "": None})

    assert reply.status_code == 200


class TestTooFast:
    @pytest.fixture
    def settings(self, settings: Settings) -> Settings:
        return replace(settings, rate_limit_per_s=0.5)

    @pytest.mark.parametrize("path", [FLAGS, KWS])
    def test_too_many_requests_are_told_how_long_to_wait(
        self, client: FlaskClient, api_keys: Keys, baseline: str, contract: dict[str, Any], path: str
    ) -> None:
        assert ask(client, path, api_keys.public).status_code == 200

        reply = ask(client, path, api_keys.public)

        check(contract, path, reply)
        assert (reply.status_code, reply.headers["Retry-After"]) == (429, "2")


def test_a_real_openfeature_client_is_told_the_variant_and_follows_a_rollback(
    live_url: str, api_keys: Keys, databases: Databases, baseline: str, seconds: Seconds
) -> None:
    with databases.control.begin() as session:
        release, rollout = start(session)
    provider = OFREPProvider(live_url, headers_factory=lambda: {"Authorization": f"Bearer {api_keys.public}"})
    api.set_provider(provider, domain="muster")
    flags = api.get_client(domain="muster")
    try:
        for n in range(100):
            context = EvaluationContext(targeting_key=f"device-{n}", attributes={"os.name": "android", "ram_gb": 4})
            told = flags.get_object_details("kws", {}, context)
            if told.flag_metadata["arm"] == "candidate":
                break
        assert isinstance(told.value, dict)
        assert (told.value["version"], told.variant, str(told.reason)) == ("1.4.0", "int8", "SPLIT")
        assert told.flag_metadata["release"] == release.id

        with databases.control.begin() as session:
            do(session, rollout, Halt(reason="look"), RollBack(reason="crashes"), hours=1)
        seconds.now += LOOK_EVERY_S

        told = flags.get_object_details("kws", {}, context)
        assert isinstance(told.value, dict)
        assert told.value["version"] == "1.3.2"
        unknown = flags.get_object_details("unheard", {"version": "0"}, context)
        assert (unknown.value, str(unknown.error_code)) == ({"version": "0"}, "FLAG_NOT_FOUND")
    finally:
        provider.session.close()
        api.shutdown()
