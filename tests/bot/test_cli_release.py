"""A pipeline proposes a release, is told its mistakes, and knows by the exit status how it went."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator

import pytest
import requests
from click.testing import CliRunner, Result

from bot.cli import main
from releases import registry
from releases.artifact_store import find_artifacts
from releases.registry import Inspection
from tests.serving import Served, open_served


@pytest.fixture
def served(request: pytest.FixtureRequest) -> Iterator[Served]:
    with open_served(request) as served:
        for version, baseline in (("1.3.2", "1"), ("1.4.0", "")):
            content = f"model {version}".encode()
            requests.put(
                f"{served.url}/v1/artifacts/{hashlib.sha256(content).hexdigest()}",
                params={"model": "kws", "version": version, "variant": "fp32", "baseline": baseline, "unread": "1"},
                data=content,
                headers={"Authorization": f"Bearer {served.secret}"},
                timeout=30,
            ).raise_for_status()
        yield served


def muster(served: Served, *arguments: str) -> Result:
    return CliRunner().invoke(main, ["release", *arguments, "--server", served.url, "--key", served.secret])


def test_a_proposal_waits_for_people_and_is_made_once(served: Served) -> None:
    first = muster(served, "start", "kws@1.4.0", "--to", "5,100", "--reason", "smaller")
    again = muster(served, "start", "kws@1.4.0", "--to", "5,100", "--reason", "smaller")

    assert first.exit_code == again.exit_code == 0
    assert first.output == again.output
    assert "R1  kws 1.3.2 → 1.4.0  awaiting approval" in first.output


def installs_report(served: Served, *, installs: int) -> None:
    """Each reports an hour with the baseline."""
    inferences = [
        {"uuid": f"uuid-{n}", "install": f"install-{n}", "window_start": "2026-11-16T08:00:00Z", "count": 10,
         "errors": {"crash": 0}, "os.name": "Android", "model": {"name": "kws", "version": "1.3.2"}}
        for n in range(installs)
    ]  # fmt: skip
    body = {"sent_at": "2026-11-16T09:00:00Z", "context": {}, "inferences": inferences}
    headers = {"Authorization": f"Bearer {served.secret}"}
    requests.post(f"{served.url}/v1/batch", json=body, headers=headers, timeout=30).raise_for_status()


def test_a_dry_run_tells_what_would_come_of_a_plan(served: Served) -> None:
    installs_report(served, installs=200)

    plain = muster(served, "start", "kws@1.4.0", "--to", "25,100", "--dry-run").output
    ahead = json.loads(muster(served, "start", "kws@1.4.0", "--to", "25,100", "--dry-run", "--json").output)["forecast"]

    assert plain.startswith("R1  kws 1.3.2 → 1.4.0  would be proposed; nothing was written\n")
    assert "reaches 200 of 200 installs in 2 days at least" in plain
    assert [stage["candidate_installs"] for stage in ahead["stages"]] == [50, 200]
    assert [stage["new_bytes"] for stage in ahead["stages"]] == [50 * 11, 150 * 11]
    assert ahead["stages"][0]["visible"][0]["metric"] == "crash_rate"
    assert muster(served, "status", "R1").exit_code == 2


def test_who_proposes_a_file_that_could_not_be_read_is_told(served: Served) -> None:
    with served.databases.control.begin() as session:
        for file in find_artifacts(session, app="demo", model="kws", version="1.4.0"):
            found = Inspection(facts=None, refused="is no ONNX file")
            registry.save_inspection(
                session,
                found,
                app="demo",
                artifact=file.sha256,
                role="model",
                sha256=file.sha256,
                now=served.ctx.clock(),
            )
    warning = "not read, so nobody knows whether phones can run it: kws@1.4.0 (fp32) is no ONNX file\n"

    assert warning in muster(served, "start", "kws@1.4.0", "--to", "5,100", "--dry-run").output
    assert warning in muster(served, "start", "kws@1.4.0", "--to", "5,100").output


def test_a_release_for_nobody_is_refused(served: Served) -> None:
    installs_report(served, installs=20)

    result = muster(served, "start", "kws@1.4.0", "--where", "platform=ios")

    assert result.exit_code == 2
    assert "platform=ios matches none of last week's 20 installs; widen it" in result.output


def test_a_pipeline_says_all_that_people_may_say_of_a_plan(served: Served) -> None:
    result = muster(
        served, "start", "kws@1.4.0", "--to", "1,25,100", "--bake", "2h", "--where", "platform=android", "--guard",
        "csat>-5pt:pause", "--min", "500", "--approve", "25", "--approvals", "2", "--holdback", "5", "--start",
        "2030-01-07T09:00+01:00", "--json",
    )  # fmt: skip

    assert json.loads(result.output)["plan"] == (
        'to=1,25,100 bake=2h where="platform=android" guard="csat>-5pt:pause" approve=25 min=500 approvals=2 '
        "holdback=5 start=2030-01-07T08:00:00+00:00"
    )


def test_the_status_of_one_that_is_not_over_is_3(served: Served) -> None:
    muster(served, "start", "kws@1.4.0", "--to", "5,100")

    assert muster(served, "status", "R1").exit_code == 3
    assert muster(served, "wait", "R1", "--timeout-s", "0").exit_code == 3
    assert json.loads(muster(served, "status", "R1", "--json").output)["outcome"] == "waiting"


def test_every_mistake_of_a_plan_is_told(served: Served) -> None:
    result = muster(served, "start", "kws@1.4.0", "--to", "5,3", "--bake", "soon", "--dry-run")

    assert result.exit_code == 2
    assert "must rise" in result.output
    assert "bake" in result.output


@pytest.mark.parametrize("target", ["kws", "@1.4.0", "kws@"])
def test_a_target_without_model_or_version_is_a_usage_mistake(served: Served, target: str) -> None:
    assert muster(served, "start", target).exit_code == 2


def test_a_release_that_is_not_there_says_so(served: Served) -> None:
    result = muster(served, "status", "R9")

    assert result.exit_code == 2
    assert "R9" in result.output
