from __future__ import annotations

import base64
import json
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from itertools import count
from typing import Any

import jsonschema
import pytest
import sqlalchemy as sa
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from core.db import Databases, Ingest
from core.privacy import pseudonymize
from core.settings import Settings
from feedback import store
from feedback.web import Bundles
from tests.builders import T0, ManualClock
from tests.feedback.sending import (
    INSTALL,
    Wire,
    a_batch,
    a_context,
    a_poll,
    a_running_poll,
    a_summary,
    an_answer,
    statuses,
)


def test_a_phone_fetches_the_running_polls_until_they_expire(wire: Wire) -> None:
    response = wire.get("/v1/polls?app=demo")

    assert response.status_code == 200
    assert response.json is not None
    assert [poll["id"] for poll in response.json["polls"]] == ["heard"]
    assert response.json["polls"][0]["questions"][0]["type"] == "csat"
    assert datetime.fromisoformat(response.json["not_after"]) == T0 + timedelta(hours=25)


def test_an_unchanged_bundle_is_304(wire: Wire, clock: ManualClock) -> None:
    etag = wire.get("/v1/polls").headers["ETag"]

    assert wire.get("/v1/polls", If_None_Match=etag).status_code == 304
    clock.advance(hours=1)
    assert wire.get("/v1/polls", If_None_Match=etag).status_code == 200


def test_a_bundle_that_took_long_to_compose_is_kept_for_long(either: Databases) -> None:
    ticks = count(0.0, 2.0)  # each look at the time is two seconds after the one before
    bundles = Bundles(either, seconds=lambda: next(ticks))
    empty = bundles.of("demo", T0)
    with either.control.begin() as session:
        a_running_poll(session)

    kept = [bundles.of("demo", T0) == empty for _ in range(50)]

    assert kept == [True] * 49 + [False]  # two seconds to compose it, so a hundred more


def test_while_one_phone_waits_for_a_new_bundle_the_others_get_the_one_before(either: Databases) -> None:
    at = [0.0]
    bundles = Bundles(either, seconds=lambda: at[0])
    empty = bundles.of("demo", T0)
    with either.control.begin() as session:
        a_running_poll(session)
    at[0] = 2.0
    others: list[bytes] = []

    def while_it_is_composed(*_: Any) -> None:
        if not others:
            with ThreadPoolExecutor(1) as phone:
                others.append(phone.submit(bundles.of, "demo", T0).result())

    sa.event.listen(either.control_engine, "before_cursor_execute", while_it_is_composed)

    assert bundles.of("demo", T0) != empty
    assert others == [empty]


def test_the_bundles_signature_is_checked_with_the_published_key(wire: Wire) -> None:
    response, described = wire.get("/v1/polls"), wire.get("/openapi.json").json
    assert described is not None
    key = Ed25519PublicKey.from_public_bytes(base64.b64decode(described["x-muster-bundle-key"]["public"]))
    signature = base64.b64decode(response.headers["Muster-Signature"].removeprefix("ed25519="))

    key.verify(signature, response.data)
    with pytest.raises(InvalidSignature):
        key.verify(signature, response.data.replace(b"heard", b"herd!"))


def test_a_bundle_is_of_the_keys_own_app(wire: Wire) -> None:
    assert wire.get("/v1/polls?app=other").status_code == 403
    assert wire.get("/v1/polls", Authorization="").status_code == 401


def test_a_poll_that_has_enough_responses_is_no_longer_asked(
    wire: Wire, databases: Databases, clock: ManualClock
) -> None:
    with databases.control.begin() as session:
        a_running_poll(session, id="short", responses_limit=1)
    wire.batch(a_batch(an_answer("a", poll="short")))
    clock.advance(hours=1)

    bundle = wire.get("/v1/polls").json
    assert bundle is not None
    assert [poll["id"] for poll in bundle["polls"]] == ["heard"]


def test_a_filled_quota_names_the_devices_that_are_asked_no_more(
    wire: Wire, databases: Databases, clock: ManualClock
) -> None:
    with databases.control.begin() as session:
        a_running_poll(session, id="rare", quotas=[{"by": ["soc", "device.class"], "limit": 2}])
    wire.batch(a_batch(*(an_answer(name, poll="rare") for name in "ab")))
    wire.batch(a_batch(an_answer("c", poll="rare"), context=a_context(soc="Tensor G2")))
    clock.advance(hours=1)

    bundle = wire.get("/v1/polls").json
    assert bundle is not None
    assert bundle["polls"][1]["full_groups"] == [{"soc": "Helio G35", "device.class": "low"}]


def test_devices_that_spell_a_word_in_another_case_fill_one_quota(wire: Wire, databases: Databases) -> None:
    with databases.control.begin() as session:
        a_running_poll(session, id="rare", quotas=[{"by": ["device.class", "accelerator"], "limit": 3}])
    for name, tier, accelerator in (("a", "low", "gpu"), ("b", "low", "GPU"), ("c", "LOW", "gpu")):
        told = a_context(accelerator=accelerator) | {"device.class": tier}
        wire.batch(a_batch(an_answer(name, poll="rare"), context=told))

    (group,) = (wire.get("/v1/polls").json or {})["polls"][1]["full_groups"]

    assert {name: value.lower() for name, value in group.items()} == {"device.class": "low", "accelerator": "gpu"}


def test_explain_says_gate_by_gate_why_a_poll_is_not_shown(wire: Wire, databases: Databases) -> None:
    rule = {"all": [{"field": "soc", "operator": "eq", "value": "Tensor G2"}]}
    with databases.control.begin() as session:
        a_running_poll(session, id="aimed", targeting=rule, frequency={"display_limit": 1})
    wire.batch(a_batch(an_answer("a", event="poll shown", poll="aimed", answers=[])))
    secret = {"Authorization": f"Bearer {wire.secret}", "X_Muster_Install": INSTALL}

    told = wire.get("/v1/polls/aimed/explain?soc=Helio+G35", **secret).json
    assert told is not None
    shut = {gate["name"]: gate["sentence"] for gate in told["gates"] if gate["passed"] is False}
    assert told["shown"] is False
    assert set(shut) == {"targeting", "display_limit"}
    assert shut["display_limit"] == "The poll was shown 1 of at most 1 times."


def test_explain_needs_a_secret_key_a_known_poll_and_an_install(wire: Wire) -> None:
    secret = {"Authorization": f"Bearer {wire.secret}"}
    assert wire.get("/v1/polls/heard/explain", X_Muster_Install=INSTALL).status_code == 403
    assert wire.get("/v1/polls/herd/explain", X_Muster_Install=INSTALL, **secret).status_code == 404
    assert wire.get("/v1/polls/heard/explain", **secret).status_code == 422


def test_explain_refuses_facts_that_no_device_has(wire: Wire) -> None:
    secret = {"Authorization": f"Bearer {wire.secret}", "X_Muster_Install": INSTALL}

    told = wire.get("/v1/polls/heard/explain?socc=Helio&chipset=Helio&shoe=42", **secret)

    assert told.status_code == 422
    problems = (told.json or {})["problems"]
    assert [each["path"] for each in problems] == ["socc", "shoe"]
    assert "soc" in problems[0]["message"]


def test_a_person_gets_everything_kept_about_their_install(wire: Wire) -> None:
    said = [{"question": "q_csat", "value": 2}, {"question": "q_txt", "value": "too slow"}]
    wire.batch(a_batch(an_answer("a", answers=said), inferences=(a_summary("i"),)))
    wire.batch(a_batch(an_answer("b"), context=a_context(install="somebody-else")))

    export = wire.get("/v1/installs/me", X_Muster_Install=INSTALL).json
    assert export is not None
    assert [event["uuid"] for event in export["events"]] == ["a"]
    assert {answer["question"]: answer["text"] for answer in export["answers"]} == {"q_csat": None, "q_txt": "too slow"}
    assert [run["uuid"] for run in export["inferences"]] == ["i"]
    assert [context["chipset"] for context in export["contexts"]] == ["Helio G35"]


def test_erasing_leaves_no_trace_and_a_resend_stays_a_duplicate(
    wire: Wire, databases: Databases, settings: Settings
) -> None:
    batch = a_batch(an_answer("a"), inferences=(a_summary("i"),))
    wire.batch(batch)

    assert wire.delete("/v1/installs/me", X_Muster_Install=INSTALL).status_code == 204
    assert wire.delete("/v1/installs/me", X_Muster_Install=INSTALL).status_code == 204

    pseudonym = pseudonymize(INSTALL, settings.hash_key)
    with databases.ingest() as session:
        for table in Ingest.metadata.sorted_tables:
            assert pseudonym not in str(session.execute(sa.select(table)).all())
    assert statuses(wire.batch(batch)) == ["duplicate", "duplicate"]
    export = wire.get("/v1/installs/me", X_Muster_Install=INSTALL).json
    assert export == {"answers": [], "events": [], "inferences": [], "installs": [], "contexts": []}


def test_the_raw_install_id_is_needed_to_see_or_erase(wire: Wire) -> None:
    for ask in (wire.get, wire.delete):
        assert ask("/v1/installs/me").status_code == 422
        assert ask("/v1/installs/me", X_Muster_Install="x").status_code == 422
        assert ask("/v1/installs/me", X_Muster_Install=INSTALL, Authorization="").status_code == 401


def test_a_stopped_poll_is_asked_no_more_but_late_answers_count(
    wire: Wire, databases: Databases, clock: ManualClock
) -> None:
    with databases.control.begin() as session:
        store.set_poll_status(session, "heard", "stopped", now=clock())
    clock.advance(hours=1)

    bundle = wire.get("/v1/polls").json
    assert bundle is not None
    assert bundle["polls"] == []
    assert statuses(wire.batch(a_batch(an_answer("a")))) == ["accepted"]


def test_a_draft_cannot_be_answered(wire: Wire, databases: Databases) -> None:
    with databases.control.begin() as session:
        store.save_poll(session, a_poll(id="draft"), app="demo", model="kws", by="U0DANA", now=T0)
    assert statuses(wire.batch(a_batch(an_answer("a", poll="draft")))) == ["rejected"]


def resolved(document: dict[str, Any], path: str, status: str) -> dict[str, Any]:
    schema = document["paths"][path]["post"]["responses"][status]["content"]["application/json"]["schema"]
    return {**schema, "components": document["components"]}


def test_what_is_answered_is_what_the_openapi_document_says(wire: Wire) -> None:
    document = wire.get("/openapi.json").json
    assert document is not None
    assert document["openapi"] == "3.1.0"

    for path, body in (("/v1/batch", a_batch(an_answer("a"), an_answer("b", 9))), ("/v1/responses", {"uuid": "u"})):
        response = wire.post(path, body)
        jsonschema.validate(response.json, resolved(document, path, str(response.status_code)))
    refused = wire.post("/v1/batch", b"{")
    jsonschema.validate(refused.json, resolved(document, "/v1/batch", "400"))


def test_the_openapi_document_takes_the_example_of_the_design(wire: Wire) -> None:
    document = wire.get("/openapi.json").json
    assert document is not None
    schema = document["paths"]["/v1/batch"]["post"]["requestBody"]["content"]["application/json"]["schema"]
    batch = json.loads(json.dumps(a_batch(an_answer("a"), inferences=(a_summary("i"),))))

    jsonschema.validate(batch, {**schema, "components": document["components"]})
    del batch["events"][0]["uuid"]
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(batch, {**schema, "components": document["components"]})
