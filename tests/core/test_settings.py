"""Settings are read once and say everything that is wrong."""

from __future__ import annotations

from pathlib import Path

import pytest

from core.errors import InvalidInputError
from core.settings import Settings

GOOD = {"MUSTER_SECRET_KEY": "0123456789abcdef", "MUSTER_HASH_KEY": "fedcba9876543210"}


def problems(env: dict[str, str]) -> list[str]:
    with pytest.raises(InvalidInputError) as caught:
        Settings.from_env(env)
    return [problem.path for problem in caught.value.problems]


def test_two_keys_are_all_that_must_be_set() -> None:
    settings = Settings.from_env(GOOD)

    assert settings.database_url == "sqlite:///var/control.db"
    assert settings.ingest_database_url == "sqlite:///var/ingest.db"


def test_every_mistake_is_reported_at_once() -> None:
    env = {
        "MUSTER_HASH_KEY": "short",
        "MUSTER_DATABASE_URL": "mysql://x",
        "MUSTER_MINIMUM_COHORT": "2",
        "MUSTER_DIGEST_SCHEDULE": "monday 9",
        "MUSTER_JIRA_URL": "jira.example",
        "MUSTER_SLAK_CHANNEL": "C1",
    }

    assert set(problems(env)) == {"MUSTER_SECRET_KEY", *env}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("MUSTER_DIGEST_SCHEDULE", "mon 25:00 UTC"),
        ("MUSTER_DIGEST_SCHEDULE", "mon 09:00 Mars/Base"),
        ("MUSTER_TICK_S", "often"),
        ("MUSTER_DP_EPSILON_PER_WEEK", "nan"),
        ("MUSTER_DP_EPSILON_PER_WEEK", "inf"),
        ("MUSTER_DP_EPSILON_PER_WEEK", "0"),
        ("MUSTER_SLACK_COMMAND", "muster"),
        ("MUSTER_LOG_LEVEL", "LOUD"),
        ("MUSTER_WEB_PORT", "65536"),
        ("MUSTER_DATABASE_URL", "sqlite:///"),
        ("MUSTER_DATABASE_URL", "sqlite:///."),
        ("MUSTER_DATABASE_URL", "postgresql+psycopg://u:p@host:port/x"),
        ("MUSTER_INGEST_URL", "postgresql+psycopg://u@host:5432x/x"),
        ("MUSTER_METRICS_PORT", "99999"),
        ("MUSTER_SMTP_PORT", "700000"),
    ],
)
def test_an_unusable_value_names_its_variable(name: str, value: str) -> None:
    assert problems(GOOD | {name: value}) == [name]


def test_a_secret_may_come_from_a_file(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("xoxb-from-file\n")

    settings = Settings.from_env(GOOD | {"MUSTER_SLACK_BOT_TOKEN_FILE": str(tmp_path / "token")})

    assert settings.slack_bot_token == "xoxb-from-file"


def test_a_secret_set_twice_is_refused(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("xoxb-from-file")
    env = GOOD | {"MUSTER_SLACK_BOT_TOKEN": "x", "MUSTER_SLACK_BOT_TOKEN_FILE": str(tmp_path / "token")}

    assert problems(env) == ["MUSTER_SLACK_BOT_TOKEN"]


def test_an_empty_value_beside_a_file_counts_as_unset(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("xoxb-from-file")
    env = GOOD | {"MUSTER_SLACK_BOT_TOKEN": "", "MUSTER_SLACK_BOT_TOKEN_FILE": str(tmp_path / "token")}

    assert Settings.from_env(env).slack_bot_token == "xoxb-from-file"


@pytest.mark.parametrize("name", ["HASH_KEY", "SECRET_KEY", "SLACK_BOT_TOKEN"])
def test_an_empty_file_is_called_empty(name: str, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("\n")
    rest = {key: value for key, value in GOOD.items() if key != f"MUSTER_{name}"}

    with pytest.raises(InvalidInputError, match=f"MUSTER_{name}: is empty in the file .*/secret"):
        Settings.from_env(rest | {f"MUSTER_{name}_FILE": str(tmp_path / "secret")})


def test_secrets_do_not_show_in_its_repr() -> None:
    settings = Settings.from_env(GOOD | {"MUSTER_SLACK_BOT_TOKEN": "xoxb-1", "MUSTER_JIRA_TOKEN": "jira-1"})

    shown = repr(settings)

    assert not any(secret in shown for secret in ("xoxb-1", "jira-1", *GOOD.values()))


def test_on_postgresql_answers_stay_in_the_same_database() -> None:
    settings = Settings.from_env(GOOD | {"MUSTER_DATABASE_URL": "postgresql+psycopg://db/muster"})

    assert settings.ingest_database_url == settings.database_url


def test_a_platform_gives_the_port_and_is_reached_on_every_address() -> None:
    settings = Settings.from_env(GOOD | {"PORT": "5000"})

    assert (settings.web_host, settings.web_port) == ("0.0.0.0", 5000)


@pytest.mark.parametrize(
    "env",
    [
        pytest.param({"MUSTER_WEB_PORT": "8000"}, id="a port was chosen"),
        pytest.param({"HONCHO_PROCESS_NAME": "web.1"}, id="honcho gives one to every process"),
    ],
)
def test_a_port_of_the_platform_opens_nothing_where_it_is_not_meant(env: dict[str, str]) -> None:
    settings = Settings.from_env(GOOD | {"PORT": "5000"} | env)

    assert (settings.web_host, settings.web_port) == ("127.0.0.1", 8000)
