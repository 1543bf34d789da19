"""docs/http-api.md does not lie: each of its examples is run against the served application, as it stands there."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from math import isclose
from pathlib import Path
from typing import Any

import jsonschema
import msgspec
import pytest
import requests
import yaml

from bot import digests, priorities
from bot.flows import acts
from bot.flows import release as flow
from bot.jobs_web import job_url
from bot.pages_web import digest_url, preview_url
from bot.priorities import PriorityList
from bot.priorities_web import url_of
from core.clock import system_clock
from core.engine import beat
from tests.bot.digests_made import a_full_week
from tests.bot.jobs_made import a_finished_job
from tests.builders import T0
from tests.feedback.sending import a_batch, an_answer
from tests.serving import Served

PAGE = (Path(__file__).parent.parent / "docs" / "http-api.md").read_text()
EXAMPLE = re.compile(r"```sh\n(?P<command>.*?)```\n+```http\n(?P<reply>.*?)```", re.DOTALL)
GIVEN = re.compile(r"<!-- given (?P<what>.*?) -->")
FILE = re.compile(r"`(?P<name>[\w.-]+\.yaml)`:\n+```yaml\n(?P<text>.*?)```", re.DOTALL)
ANY = "…"
LINKS = {"DIGEST": "/digests/x", "PRIORITIES": "/priorities/x", "JOB": "/jobs/x", "PREVIEW": "/polls/x/preview"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """`headers` by lower-case name; `body` is parsed when it is JSON."""

    status: str
    headers: Mapping[str, str]
    body: Any


class Reader:
    """Somebody with a shell who types what the page says; files that it names are there."""

    def __init__(self, served: Served, folder: Path) -> None:
        self._folder = folder
        self._env = {
            "PATH": os.environ["PATH"], "CURL_HOME": str(folder), "MUSTER": served.url, "PUBLIC": served.public,
            "SECRET": served.secret,
        }  # fmt: skip
        (folder / ".curlrc").write_text("silent\nshow-error\ninclude\n")
        for name in ("kws-1.3.2.onnx", "kws-1.4.0.onnx", "kws-1.5.0.onnx"):
            (folder / name).write_bytes(f"the bytes of {name}\n".encode())
        for found in FILE.finditer(PAGE):
            (folder / found["name"]).write_text(found["text"])

    def tell(self, **names: str) -> None:
        self._env |= names

    def run(self, command: str) -> Reply:
        shell = ["bash", "-euo", "pipefail", "-c", command]
        done = subprocess.run(shell, cwd=self._folder, env=self._env, capture_output=True, timeout=30)
        assert done.returncode == 0, done.stderr.decode()
        return read(done.stdout.decode())


@pytest.fixture
def reader(served: Served, tmp_path: Path) -> Reader:
    folder = tmp_path / "reader"
    folder.mkdir()
    return Reader(served, folder)


@pytest.mark.skipif(shutil.which("curl") is None, reason="the examples are for curl, which is not installed")
def test_every_example_is_answered_as_the_page_says(served: Served, reader: Reader) -> None:
    document = requests.get(f"{served.url}/openapi.json", timeout=10).json()
    steps = sorted([*EXAMPLE.finditer(PAGE), *GIVEN.finditer(PAGE)], key=lambda step: step.start())
    wrong = []

    for step in steps:
        if "what" in step.groupdict():
            STATES[step["what"]](served, reader)
            continue
        said, answered = read(step["reply"]), reader.run(step["command"])
        wrong += [f"{step['command']}{each}" for each in differences(said, answered)]
        check_schema(document, step["command"], answered)

    assert wrong == []


def test_every_route_has_an_example(served: Served) -> None:
    run = {_asked(example["command"]) for example in EXAMPLE.finditer(PAGE)}
    routes = {(method, _pattern(rule)) for method, rule in served.routes() if not rule.startswith("/static")}

    assert [route for route in sorted(routes) if not any(_is(route, asked) for asked in run)] == []
    assert [asked for asked in sorted(run) if not any(_is(route, asked) for route in routes)] == []


def test_every_setting_that_the_page_names_is_one(served: Served) -> None:
    named = {name.lower() for name in re.findall(r"MUSTER_([A-Z_]+)", PAGE)}

    assert [name for name in sorted(named) if not hasattr(served.settings, name)] == []


@pytest.mark.parametrize(
    ("said", "answered", "wrong"),
    [
        pytest.param({"a": 1}, {"a": 1, "b": 2}, "has b", id="a key that the page lacks"),
        pytest.param({"a": 1, "b": 2}, {"a": 1}, "lacks b", id="a key that the page made up"),
        pytest.param([1], [1, 2], "2 entries, not 1", id="an entry more"),
        pytest.param("rel_…", "dig_01", "dig_01", id="another beginning"),
        pytest.param(1, "1", "'1'", id="text for a number"),
    ],
)
def test_a_page_that_lies_is_caught(said: Any, answered: Any, wrong: str) -> None:
    assert any(wrong in each for each in _compare("body", said, answered))
    assert _compare("body", answered, answered) == []


def read(text: str) -> Reply:
    """Read a reply as `curl -i` prints it and as the page shows it."""
    head, _, body = text.replace("\r\n", "\n").partition("\n\n")
    while head.startswith("HTTP/1.1 100"):
        head, _, body = body.partition("\n\n")
    first, *lines = head.splitlines()
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    status = next(word for word in first.split() if re.fullmatch(r"\d{3}", word))
    try:
        return Reply(status=status, headers=headers, body=json.loads(body))
    except ValueError:
        return Reply(status=status, headers=headers, body=body.strip())


def differences(said: Reply, answered: Reply) -> list[str]:
    """Return where the answer is not what the page shows; "…" stands for anything."""
    found = _compare("status", said.status, answered.status)
    for name, value in said.headers.items():
        found += _compare(name, value, answered.headers.get(name, "none"))
    return found + _compare("body", said.body, answered.body)


def _compare(at: str, said: Any, answered: Any) -> list[str]:
    match said, answered:
        case "…", _:
            return []
        case dict(), dict():
            open_ended = ANY in said
            lacks = [f"{at}: the answer lacks {key}" for key in said if key not in answered and key != ANY]
            more = [] if open_ended else [f"{at}: the answer has {key}" for key in answered if key not in said]
            both = [key for key in said if key in answered]
            return lacks + more + [each for key in both for each in _compare(f"{at}.{key}", said[key], answered[key])]
        case list(), list():
            open_ended = said[-1:] == [ANY]
            told = said[:-1] if open_ended else said
            if len(told) > len(answered) or (not open_ended and len(told) != len(answered)):
                return [f"{at}: {len(answered)} entries, not {len(told)}"]
            pairs = enumerate(zip(told, answered, strict=False))
            return [each for i, (one, other) in pairs for each in _compare(f"{at}[{i}]", one, other)]
        case str(), str():
            pattern = ".*".join(re.escape(part) for part in said.split(ANY))
            return [] if re.fullmatch(pattern, answered, re.DOTALL) else [f"{at}: {answered}"]
        case float(), float():
            return [] if isclose(said, answered, abs_tol=0.0005) else [f"{at}: {answered}, not {said}"]
        case _:
            same = type(said) is type(answered) and said == answered
            return [] if same else [f"{at}: {answered!r}, not {said!r}"]


def check_schema(document: Mapping[str, Any], command: str, answered: Reply) -> None:
    """An answer that the page shows is one that the OpenAPI document knows."""
    method, path = _asked(command)
    for pattern, operations in document["paths"].items():
        if method.lower() in operations and _is((method, _pattern(pattern)), (method, path)):
            told = operations[method.lower()]["responses"][answered.status]
            schema = told.get("content", {}).get("application/json", {}).get("schema")
            if schema is not None:
                jsonschema.validate(answered.body, {**schema, "components": document["components"]})


def _asked(command: str) -> tuple[str, str]:
    """Return the method and the path that a curl command asks for."""
    method = re.search(r"-X (\w+)", command)
    path = re.search(r"\$MUSTER(/[^\s\"?]*)|\$(DIGEST|JOB|PREVIEW|PRIORITIES)", command)
    assert path, command
    default = "POST" if re.search(r" (-d|--data\S*) ", command) else "GET"
    return method[1] if method else default, re.sub(r"\$\(.*?\)|\$\w+", "x", path[1] or LINKS[path[2]])


def _pattern(rule: str) -> str:
    return re.sub(r"[<{][^>}]*[>}]", "[^/]+", rule)


def _is(route: tuple[str, str], asked: tuple[str, str]) -> bool:
    return route[0] == asked[0] and re.fullmatch(route[1], asked[1]) is not None


def many_people_have_answered(served: Served, _reader: Reader) -> None:
    """Sixty people on two chipsets; the slow one does worse."""
    for i in range(1, 61):
        soc, value = ("Helio G35", 2 + i % 4) if i % 2 else ("Tensor G2", 4)
        device = {"os.name": "Android", "os.version": "14", "ram_gb": 8, "accelerator": "nnapi", "soc": soc}
        context = {"install": f"install-{i:04d}", "model": {"name": "kws", "version": "1.3.2"}, **device}
        consent = {"granted": True, "text_version": "2026-10", "at": "2026-11-01T08:00:00Z"}
        named = {"poll": "poll_heard", "answers": [{"question": "q_heard", "value": value}]}
        answer = an_answer(f"many-{i}", at=T0 - timedelta(hours=i), **named)
        batch = a_batch(answer, context={**context, "consent": consent})
        headers = {"Authorization": f"Bearer {served.public}"}
        reply = requests.post(f"{served.url}/v1/batch", json=batch, headers=headers, timeout=10)
        assert reply.json()["accepted"] == 1, reply.text


def the_release_is_approved_and_started(served: Served, _reader: Reader) -> None:
    release = acts.act(served.ctx, acts.Wish(verb="approve", ref="R1", by="U0TOM"), now=T0).release
    flow.tick(served.ctx, release.id, T0)


def a_digest_was_composed(served: Served, reader: Reader) -> None:
    with served.databases.control.begin() as session:
        content = msgspec.to_builtins(a_full_week())
        kept = digests.keep(session, app="demo", week="2026-W46", content=content, now=T0)
    url = digest_url(kept, served.settings)
    reader.tell(DIGEST=url.replace(served.settings.public_url, served.url))


def priorities_were_asked_for(served: Served, reader: Reader) -> None:
    made = PriorityList(id="", app="demo", model=None, composed_at=T0, lines=())
    with served.databases.control.begin() as session:
        kept = priorities.keep(session, made)
    reader.tell(PRIORITIES=url_of(kept, served.settings).replace(served.settings.public_url, served.url))


def somebody_was_given_a_preview(served: Served, reader: Reader) -> None:
    url = preview_url("poll_heard", served.settings, T0)
    reader.tell(PREVIEW=url.replace(served.settings.public_url, served.url))


def a_worker_lives(served: Served, _reader: Reader) -> None:
    beat(served.databases, "worker-1", system_clock())


def a_model_was_optimized(served: Served, reader: Reader) -> None:
    with served.databases.control.begin() as session:
        job = a_finished_job(session)
    reader.tell(JOB=job_url(job, served.settings).replace(served.settings.public_url, served.url))


STATES: dict[str, Callable[[Served, Reader], None]] = {
    "many people have answered": many_people_have_answered,
    "the release is approved and started": the_release_is_approved_and_started,
    "a model was optimized": a_model_was_optimized,
    "a digest was composed": a_digest_was_composed,
    "priorities were asked for": priorities_were_asked_for,
    "somebody was given a preview": somebody_was_given_a_preview,
    "a worker lives": a_worker_lives,
}


def test_the_poll_of_the_page_is_one_that_muster_reads() -> None:
    for found in FILE.finditer(PAGE):
        assert yaml.safe_load(found["text"])["id"] == "poll_heard"
