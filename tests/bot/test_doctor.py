"""Doctor names what is missing, half set up or broken, and what to do about it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from slack_sdk import WebClient

from bot import doctor
from bot.context import Context
from core import engine
from integrations.http import JsonClient
from integrations.jira import JiraClient
from releases.blobs import Blobs
from sandbox.world import World
from tests.bot.models_made import Bench
from tests.conftest import JobList


@pytest.fixture
def whole(ctx: Context) -> Iterator[Context]:
    """With the tables of the jobs, which a look at everything reads."""
    engine.migrate(ctx.settings)
    queue = engine.attach(ctx.databases, ctx.settings)
    yield ctx
    queue.client.destroy()


def wrong(checks: Sequence[doctor.Check]) -> list[str]:
    return [check.sentence for check in checks if not check.passed]


def changed(ctx: Context, **settings: Any) -> Context:
    return replace(ctx, settings=replace(ctx.settings, **settings))


def test_model_files_that_a_restore_left_out_are_named(ctx: Context, jobs: JobList) -> None:
    bench = Bench(ctx, jobs)
    bench.register(b"weights", "1.4.0", read=False)
    lost = Blobs(ctx.settings.blob_dir).path(bench.register(b"other weights", "1.5.0", read=False))
    whole = doctor.files(ctx)
    assert lost is not None
    lost.unlink()

    left = doctor.files(ctx)

    assert wrong(whole) == []
    assert whole[0].sentence == f"No model file is missing in {ctx.settings.blob_dir}."
    assert "1 of 2 model files are not in" in wrong(left)[0]
    assert "kws@1.5.0" in wrong(left)[0]


@pytest.mark.parametrize("folder", ["file", "file/blobs"])
def test_a_folder_of_models_that_is_a_file_is_told(ctx: Context, tmp_path: Path, folder: str) -> None:
    (tmp_path / "file").touch()

    (told,) = wrong(doctor.files(changed(ctx, blob_dir=tmp_path / folder)))

    assert told == f"Model files cannot be kept: {tmp_path / 'file'} cannot be written; look at MUSTER_BLOB_DIR."


def test_looking_makes_no_folder(ctx: Context, tmp_path: Path) -> None:
    assert wrong(doctor.files(changed(ctx, blob_dir=tmp_path / "not yet"))) == []
    assert not (tmp_path / "not yet").exists()


@pytest.mark.parametrize(
    ("given", "missing"),
    [
        ({"jira_url": "https://jira.test", "jira_project": "EDGE"}, "MUSTER_JIRA_TOKEN"),
        ({"jira_project": "EDGE"}, "MUSTER_JIRA_URL, MUSTER_JIRA_TOKEN"),
        ({"confluence_url": "https://wiki.test"}, "MUSTER_CONFLUENCE_SPACE, MUSTER_CONFLUENCE_EMAIL, "),
        ({"confluence_space": "ML", "jira_email": "a@muster.test", "jira_token": "t"}, "MUSTER_CONFLUENCE_URL"),
        ({"mail_from": "a@muster.test"}, "MUSTER_SMTP_HOST"),
        ({"smtp_host": "mail.test"}, "MUSTER_MAIL_FROM"),
    ],
    ids=lambda each: each if isinstance(each, str) else "",
)
def test_what_is_half_set_up_is_told_with_what_is_missing(whole: Context, given: dict[str, Any], missing: str) -> None:
    told = wrong(doctor.examine(changed(whole, **given), live=False))

    assert [each for each in told if each.startswith(f"Half set up: {missing}")] != []
    assert [each for each in wrong(doctor.examine(whole, live=False)) if "Half set up" in each] == []


def test_made_up_time_is_told_where_slack_is_real(whole: Context, tmp_path: Path) -> None:
    real = changed(whole, clock_file=tmp_path / "clock", slack_api_url="https://slack.com/api/")
    pretended = changed(whole, clock_file=tmp_path / "clock")

    told = [[each for each in wrong(doctor.examine(one, live=False)) if "CLOCK" in each] for one in (real, pretended)]

    assert told == [["MUSTER_CLOCK_FILE is set: all time is the sandbox's; take it away in production."], []]


def test_a_wrong_bot_token_is_told_with_where_to_find_the_right_one(whole: Context) -> None:
    other = replace(
        whole, slack=WebClient(token="xoxb-other", base_url=whole.settings.slack_api_url, retry_handlers=[])
    )

    (told,) = [each for each in wrong(doctor.examine(other, live=True)) if "Slack" in each]

    assert told.startswith("Slack refuses MUSTER_SLACK_BOT_TOKEN (invalid_auth): copy the xoxb-… token again")


def test_the_app_token_of_socket_mode_is_tried(whole: Context) -> None:
    right = doctor.examine(whole, live=True)
    told = wrong(doctor.examine(changed(whole, slack_app_token="xapp-other"), live=True))

    assert "Slack takes the app token of Socket Mode." in [each.sentence for each in right if each.passed]
    assert [each for each in told if each.startswith("Slack refuses MUSTER_SLACK_APP_TOKEN (")] != []


def test_a_jira_that_is_down_is_named_once(whole: Context, world: World) -> None:
    http = JsonClient("jira", world.jira.base_url, auth=("a@muster.test", "t"), pause=lambda _seconds: None)
    jira = JiraClient(http, project="EDGE", issue_type="Bug")
    world.jira.faults.set(jira_down=True)

    (told,) = [each for each in wrong(doctor.examine(replace(whole, jira=jira), live=True)) if "JIRA" in each]

    assert told == "MUSTER_JIRA_URL: GET /rest/api/3/myself: HTTP 503."
