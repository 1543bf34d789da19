"""Whatever is sent to OFREP is answered as its contract says, and no device is ever offered what it cannot run."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
import yaml
from flask.testing import FlaskClient
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from core.db import Databases
from core.device import FIELDS, DeviceContext
from core.segments import parse
from releases import artifact_store
from releases.artifacts import Artifact
from releases.compatibility import why_not
from releases.offers import Live, Slot, Standing, offer
from releases.plan import parse_plan
from releases.states import CohortStop, State
from releases.throttles import Throttle
from tests.builders import at
from tests.releases.builders import a_release, a_rollout, an_artifact, register_both, start
from tests.releases.conftest import Keys

CONTRACT = Path(__file__).parents[3] / "shared" / "contracts" / "ofrep-0.3.0.openapi.yaml"
FLAGS = "/ofrep/v1/evaluate/flags"

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=10), inner, max_size=4),
    max_leaves=10,
)
NAMES = st.sampled_from([*FIELDS, *FIELDS.values(), "targetingKey", "model", "modified"]) | st.text(max_size=12)
CONTEXTS = st.dictionaries(NAMES, JSON, max_size=8)
KNOWN = CONTEXTS.flatmap(lambda more: st.text(min_size=1, max_size=300).map(lambda key: more | {"targetingKey": key}))
BODIES = st.one_of(
    st.builds(lambda context: {"context": context}, CONTEXTS | KNOWN | KNOWN),
    JSON,
).map(lambda body: json.dumps(body).encode()) | st.binary(max_size=60)  # fmt: skip
KEYS = st.sampled_from(["kws", "ocr", "a/b", "%2e%2e", "ü", "../flags"]) | st.text(min_size=1, max_size=30)


@pytest.fixture(scope="module")
def responses() -> dict[str, Any]:
    """Return validators of the contract by path and status."""
    if not CONTRACT.exists():
        pytest.skip(f"the contract is not here: {CONTRACT}")
    contract = yaml.safe_load(CONTRACT.read_text())
    found: dict[str, Any] = {}
    for path, operations in contract["paths"].items():
        for status, response in operations["post"]["responses"].items():
            schema = response.get("content", {}).get("application/json", {}).get("schema")
            components = {"components": contract["components"]}
            found[f"{path} {status}"] = Draft202012Validator(schema | components) if schema else None
    return found


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(body=BODIES, key=KEYS | st.none())
def test_every_answer_is_one_of_the_contracts(
    client: FlaskClient, api_keys: Keys, databases: Databases, responses: dict[str, Any], body: bytes, key: str | None
) -> None:
    with databases.control.begin() as session:
        if not artifact_store.models(session):
            register_both(session)
            start(session)
    path = FLAGS if key is None else f"{FLAGS}/{quote(key, safe='')}"

    reply = client.post(path, data=body, headers={"Authorization": f"Bearer {api_keys.public}"})

    template = FLAGS if key is None else f"{FLAGS}/{{key}}"
    told = f"{template} {reply.status_code}"
    assert told in responses, (reply.status_code, reply.data)
    if responses[told] is not None and reply.status_code != 404:
        responses[told].validate(reply.get_json())
    if reply.status_code == 200:
        flags = reply.get_json()["flags"] if key is None else [reply.get_json()]
        for flag in flags:
            assert {"key", "value", "variant", "reason", "metadata"} <= flag.keys()
            assert all(isinstance(each, str | bool | int) for each in flag["metadata"].values())
    elif reply.status_code >= 400:
        assert "errorDetails" in reply.get_json(), (path, reply.status_code, reply.data, body)


VERSIONS = st.sampled_from(["9", "11", "12", "12.1", "13", "14", "oops"])
ACCELERATORS = st.sampled_from(["nnapi", "gpu", "cpu", "npu"])
CHIPS = st.sampled_from(["Helio G35", "Tensor G2"])
DEVICES = st.builds(
    DeviceContext, platform=st.none() | st.sampled_from(["android", "ios"]), os=st.none() | VERSIONS,
    ram_gb=st.none() | st.sampled_from([1.0, 2.0, 3.0, 4.0, 8.0]), app_version=st.none() | VERSIONS,
    runtime=st.none() | st.sampled_from(["tflite-2.14", "tflite-2.16", "onnxruntime-1.20", "TFLite-2.16"]),
    accelerator=st.none() | ACCELERATORS, chipset=st.none() | CHIPS,
    model=st.none() | st.just("kws"), model_version=st.none() | st.sampled_from(["1.3.2", "1.4.0", "1.5.0"]),
)  # fmt: skip
LIMITS = st.fixed_dictionaries(
    {"runtime": st.none() | st.sampled_from(["tflite-2.15", "onnxruntime"]), "min_app": st.none() | VERSIONS,
     "min_os": st.none() | st.sampled_from(["12", "android 12", "ios 13"]),
     "min_ram_gb": st.none() | st.sampled_from([2.0, 4.0]),
     "accelerators": st.lists(ACCELERATORS, max_size=2, unique=True).map(tuple), "quarantined": st.booleans()}
)  # fmt: skip


def files_of(version: str) -> st.SearchStrategy[tuple[Artifact, ...]]:
    one = st.builds(
        lambda limits, n: replace(an_artifact(version, variant=f"v{n}"), size_bytes=n, **limits),
        LIMITS,
        st.integers(0, 9),
    )
    return st.lists(one, max_size=3, unique_by=lambda artifact: artifact.sha256).map(tuple)


STOPS = st.lists(
    st.builds(CohortStop, segment=st.sampled_from([parse("chipset=\"Helio G35\""), parse("ram_gb<3")]),
              since=st.just(at(1)), reason=st.just("x"), returns=st.booleans()), max_size=2,
).map(tuple)  # fmt: skip
PLANS = st.sampled_from([
    parse_plan(to="5,50,100", guard="none"),
    parse_plan(to="5,50,100", guard="none", where="ram_gb<4", holdback="20"),
])  # fmt: skip


@st.composite
def slots(draw: st.DrawFn) -> Slot:
    """Draw a slot in any state: staged or comparing, with stopped cohorts, standing releases and throttles."""
    plan, rivals = draw(PLANS), draw(files_of("1.5.0"))
    release = a_release(plan, rival_version="1.5.0" if rivals else None)
    rollout = a_rollout(draw(st.sampled_from(State)), stage=draw(st.integers(0, 2)), stopped=draw(STOPS))
    live = Live(release=release, rollout=rollout, candidates=draw(files_of("1.4.0")), rivals=rivals)
    under = Live(release=replace(release, id="rel_00", candidate_version="1.3.2", rival_version=None),
                 rollout=a_rollout(State.COMPLETED, stopped=draw(STOPS)), candidates=())  # fmt: skip
    standing = (Standing(live=under, baselines=draw(files_of("1.2.0"))),) if draw(st.booleans()) else ()
    throttles = draw(st.sampled_from([(), (Throttle(runs="cloud"),), (Throttle(per_minute=3),)]))
    return Slot(model="kws", baselines=draw(files_of("1.3.2")), live=live if draw(st.booleans()) else None,
                standing=standing, throttles=throttles)  # fmt: skip


@settings(max_examples=200, deadline=None)
@given(install=st.text(min_size=1, max_size=16), device=DEVICES, slot=slots())
def test_no_generated_device_is_ever_offered_a_variant_outside_its_limits(
    install: str, device: DeviceContext, slot: Slot
) -> None:
    found = offer(install, device, slot)

    for artifact in (found.artifact, *found.fallback):
        if artifact is not None:
            assert why_not(artifact, device) == ()
    assert found.artifact not in found.fallback
    assert offer(install, device, slot) == found
    if found.arm == "candidate":
        assert found.artifact is not None
        assert found.artifact.version in ("1.4.0", "1.5.0")
