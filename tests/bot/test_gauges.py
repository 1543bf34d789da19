"""/metrics tells what an operator would otherwise find out from people."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import timedelta

import flask
import prometheus_client
import pytest

from bot import webhooks
from bot.gauges import Gauges
from core import audit, engine, health
from core.db import Databases, open_databases
from core.settings import Settings
from feedback import store
from feedback.ingest import Collector
from migrations.run import is_current
from tests.builders import T0, ManualClock
from tests.feedback.sending import a_batch, a_running_poll, a_summary, an_answer


def told(databases: Databases, clock: ManualClock) -> dict[str, float]:
    registry = prometheus_client.CollectorRegistry()
    registry.register(Gauges(databases, clock))
    samples = [sample for family in registry.collect() for sample in family.samples]
    return {" ".join([each.name, *each.labels.values()]): each.value for each in samples}


@pytest.fixture
def world(settings: Settings, databases: Databases) -> Iterator[Databases]:
    engine.migrate(settings)
    queue = engine.attach(databases, settings)
    yield databases
    queue.client.destroy()


def test_what_waits_to_be_folded_is_told_with_its_age(world: Databases, settings: Settings, clock: ManualClock) -> None:
    collector = Collector(world, settings)
    with world.control.begin() as session:
        a_running_poll(session)
    body = json.dumps(a_batch(an_answer("a"), inferences=(a_summary("i"),))).encode()
    collector.accept_batch(body, app="demo", now=T0)
    clock.advance(minutes=7)

    before = told(world, clock)
    store.catch_up(world.ingest)
    after = told(world, clock)

    assert (before["muster_inbox_letters"], before["muster_inbox_oldest_age_seconds"]) == (2, 420)
    assert (after["muster_inbox_letters"], after["muster_inbox_oldest_age_seconds"]) == (0, 0)


def test_jobs_that_wait_and_the_worker_that_lives_are_told(world: Databases, clock: ManualClock) -> None:
    with world.control.begin() as session:
        engine.enqueue(session, "tick", key="a")
        engine.enqueue(session, "tick", key="b", after=timedelta(hours=1))
    without = told(world, clock)
    engine.beat(world, "w1", T0)

    found = told(world, clock)

    assert [found[f"muster_jobs {state}"] for state in ("waiting", "running", "failed")] == [2, 0, 0]
    assert "muster_worker_beat_timestamp_seconds" not in without
    assert found["muster_worker_beat_timestamp_seconds"] == T0.timestamp()


def test_messages_of_webhooks_are_told_until_they_are_delivered(world: Databases, clock: ManualClock) -> None:
    with world.control.begin() as session:
        hook = webhooks.add(session, url="https://ci.test", events=("role.*",), secret="whsec_dGVzdA==",
                     key=b"a secret key for tests only", by="Tom", now=T0)  # fmt: skip
        audit.record(session, who="U0TOM", what="role.granted", subject="U0MIA", now=T0, facts={})
    with world.control.begin() as session:
        webhooks.put_messages(session, hook, now=T0)

    found = told(world, clock)

    assert [found[f"muster_webhook_messages {state}"] for state in ("waiting", "dead")] == [1, 0]


def test_a_database_without_tables_leaves_the_rest_of_the_page(empty_settings: Settings, clock: ManualClock) -> None:
    empty = open_databases(empty_settings.database_url, empty_settings.ingest_database_url)
    app = flask.Flask("muster")
    app.register_blueprint(health.create_blueprint(empty, is_current, Gauges(empty, clock)))

    page = app.test_client().get("/metrics")
    empty.dispose()

    assert (page.status_code, b"process_cpu_seconds_total" in page.data, b"muster_" in page.data) == (200, True, False)
