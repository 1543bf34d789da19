"""A pipeline orders an optimization by HTTP: the same order as a person's, once, with every mistake told."""

from __future__ import annotations

from typing import Any

import pytest
import requests
from click.testing import CliRunner, Result

from bot.cli import main
from core import audit
from core.db import reading
from core.keys import create_key
from optimize import store
from optimize.fixtures import Fixture
from tests.bot.models_made import Bench
from tests.builders import T0
from tests.conftest import JobList
from tests.serving import Served

ORDER = {"model": "kws", "version": "1.4.0", "recipe": "int8-weights", "budget": "size<-50% accuracy>-10pt"}


@pytest.fixture
def bench(served: Served, jobs: JobList, tiny: Fixture) -> Bench:
    made = Bench(ctx=served.ctx, jobs=jobs)
    made.register_fixture(tiny)
    return made


def post(served: Served, body: Any, key: str | None = None) -> requests.Response:
    headers = {"Authorization": f"Bearer {key or served.secret}"}
    return requests.post(f"{served.url}/v1/jobs", json=body, headers=headers, timeout=10)


def muster(served: Served, *words: str) -> Result:
    return CliRunner().invoke(main, [*words, "--server", served.url, "--key", served.secret])


def test_an_order_is_one_until_it_has_ended_and_then_has_its_card(served: Served, bench: Bench) -> None:
    first, again = post(served, ORDER), post(served, ORDER)
    bench.run()
    later = post(served, ORDER)

    assert [each.status_code for each in (first, again, later)] == [201, 200, 201]
    assert [each.json()["name"] for each in (first, again, later)] == ["J1", "J1", "J2"]
    assert first.json()["state"] == "queued"
    assert bench.job().state == "done"
    assert "fits" in (bench.job().result or {})["sentence"]


def test_the_log_names_the_key_that_ordered(served: Served, bench: Bench) -> None:
    post(served, ORDER)

    with reading(served.databases.control) as session:
        (entry,) = audit.entries(session, subject="J1")
    assert (entry.what, entry.who[:4]) == ("job.ordered", "key_")
    assert entry.who == bench.job().wanted.asked_by


@pytest.mark.parametrize(
    ("body", "told"),
    [
        pytest.param(None, {""}, id="no object"),
        pytest.param({}, {"model", "version"}, id="nothing said"),
        pytest.param({"model": 3, "version": " "}, {"model", "version"}, id="a number and a blank"),
        pytest.param(
            ORDER | {"recipe": "int9", "budget": "sise<1", "cpu": "0"}, {"recipe", "budget", "cpu"}, id="words"
        ),
        pytest.param(ORDER | {"shell": "rm"}, {"shell"}, id="an unknown field"),
        pytest.param(ORDER | {"runtime": "x" * 501}, {"runtime"}, id="a long word"),
        pytest.param(ORDER | {"runtime": "\ud83d", "model": "\x00kws"}, {"runtime", "model"}, id="unstorable text"),
    ],
)
def test_every_mistake_is_told_and_nothing_is_ordered(
    served: Served, bench: Bench, body: object, told: set[str]
) -> None:
    reply = post(served, body)

    assert reply.status_code == 422
    assert {each["path"] for each in reply.json()["problems"]} == told
    with reading(bench.ctx.databases.control) as session:
        assert store.newest(session, app="demo") == ()


def test_phones_other_apps_and_unknown_versions_are_refused(served: Served, bench: Bench) -> None:
    with bench.ctx.databases.control.begin() as session:
        elsewhere = create_key(session, app="other", scope="secret", name="CI", now=T0)[1]

    refused = [
        post(served, ORDER, served.public),
        post(served, ORDER, elsewhere),
        post(served, ORDER | {"version": "9.9.9"}),
    ]

    assert [each.status_code for each in refused] == [403, 409, 404]


def test_the_command_orders_and_waits_for_the_verdict(served: Served, bench: Bench) -> None:
    options = [f"--{name}={ORDER[name]}" for name in ("recipe", "budget")]

    ordered = muster(served, "model", "optimize", "kws@1.4.0", *options)
    on_its_way = muster(served, "job", "wait", "J1", "--timeout-s", "0")
    bench.run()
    ended = muster(served, "job", "wait", "J1")

    assert ordered.output == "J1  kws@1.4.0  int8-weights  queued: waits\n"
    assert (ordered.exit_code, on_its_way.exit_code, ended.exit_code) == (0, 3, 0)
    assert "done: fits" in ended.output


def test_the_command_wants_a_version(served: Served) -> None:
    assert "say which version, as in kws@1.4.0" in muster(served, "model", "optimize", "kws").output
