"""Settings: one frozen object read from the environment, every mistake reported at once.

Each field is `MUSTER_<FIELD>`. A secret may instead be named by a file: `MUSTER_<FIELD>_FILE`.
`docs/operating.md` lists them all (a test compares).
"""

from __future__ import annotations

import math
import os
import re
from collections.abc import Callable, Mapping
from dataclasses import MISSING, Field, dataclass, field, fields
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from sqlalchemy import make_url
from sqlalchemy.exc import ArgumentError

from core.errors import InvalidInputError, Problem

PREFIX = "MUSTER_"
# Read by the commands that talk to a server, not by the processes.
CLIENT = frozenset({"MUSTER_SERVER", "MUSTER_API_KEY", "MUSTER_IMPORT_SECRET", "MUSTER_ZIGPOLL_KEY"})
HIGHEST_PORT = 65_535
WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


def _text(value: str) -> str:
    return value


def _words(value: str) -> tuple[str, ...]:
    return tuple(word for word in re.split(r"[,\s]+", value) if word)


def _key(value: str) -> bytes:
    if len(value) < 16:
        raise ValueError("must have at least 16 characters; `openssl rand -hex 32` makes a good one")
    return value.encode()


def _keys(value: str) -> bytes:
    """Read several keys, the newest first, one a line or separated by commas."""
    parts = [part.strip() for part in re.split(r"[,\r\n]+", value) if part.strip()]
    if not parts:
        raise ValueError("is empty; `openssl rand -hex 32` makes a good one")
    if len(set(parts)) != len(parts):
        raise ValueError("must be keys that differ, the newest first, one a line or separated by commas")
    for part in parts:
        _key(part)
    return "\n".join(parts).encode()


def _url(value: str) -> str:
    if not re.match(r"https?://\S+$", value):
        raise ValueError("must be an http:// or https:// address")
    return value.rstrip("/")


def _slack_url(value: str) -> str:
    return _url(value) + "/"  # slack_sdk joins by text: without the slash `api` would be cut off


def _database(value: str) -> str:
    if not value.startswith(("sqlite:///", "postgresql+psycopg://")):
        raise ValueError("must start with sqlite:/// or postgresql+psycopg://")
    if value.startswith("sqlite") and not Path(value.removeprefix("sqlite:///")).name:
        raise ValueError("must name a file, such as sqlite:///var/control.db")
    try:
        make_url(value)
    except (ValueError, ArgumentError):
        told = "postgresql+psycopg://user:password@host:5432/name; %-encode other characters in the password"
        raise ValueError(f"must read like {told}") from None
    return value


def _number(lowest: float, kind: type[int] | type[float], highest: float = math.inf) -> Callable[[str], Any]:
    def parse(value: str) -> float:
        try:
            number = kind(value)
        except ValueError:
            raise ValueError(f"must be a {'whole ' if kind is int else ''}number, not {value!r}") from None
        if not number < math.inf:  # nan compares with nothing
            raise ValueError("must be a finite number")
        if number < lowest:
            raise ValueError(f"must be at least {lowest:g}")
        if number > highest:
            raise ValueError(f"must be at most {highest:.15g}")
        return number

    return parse


def _switch(value: str) -> bool:
    if value.lower() not in ("0", "1", "true", "false"):
        raise ValueError("must be 1 or 0")
    return value.lower() in ("1", "true")


def _level(value: str) -> str:
    if value.upper() not in ("DEBUG", "INFO", "WARNING", "ERROR"):
        raise ValueError("must be DEBUG, INFO, WARNING or ERROR")
    return value.upper()


def read_schedule(value: str) -> str:
    """Return a weekly schedule in its one spelling. Raises: ValueError: with what is wrong."""
    match = re.fullmatch(r"(\w{3}) ([01]\d|2[0-3]):([0-5]\d) (\S+)", value.strip())
    if not match or match[1].lower() not in WEEKDAYS:
        raise ValueError('must read like "mon 09:00 Europe/Berlin"')
    try:
        ZoneInfo(match[4])
    except (ZoneInfoNotFoundError, ValueError):
        raise ValueError(f"knows no time zone {match[4]!r}; use an IANA name such as Europe/Berlin") from None
    return value.strip().lower().replace(match[4].lower(), match[4])


def _security(value: str) -> str:
    if value.lower() not in ("starttls", "tls", "none"):
        raise ValueError("must be starttls, tls or none")
    return value.lower()


def _jira_kind(value: str) -> str:
    if value.lower() not in ("cloud", "datacenter", "auto"):
        raise ValueError("must be cloud, datacenter or auto")
    return value.lower()


def _command(value: str) -> str:
    if not re.fullmatch(r"/[a-z0-9_-]{1,31}", value):
        raise ValueError("must be a slash and lower-case letters, such as /muster")
    return value


def setting(parse: Callable[[str], Any], about: str, *, default: Any = MISSING, secret: bool = False) -> Any:
    metadata = {"parse": parse, "about": about, "secret": secret}
    return field(default=default, metadata=metadata, repr=not secret)


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """All of Muster's settings. `repr` leaves secrets out."""

    secret_key: bytes = setting(_key, "signs links and poll bundles, seals verbatims", secret=True)
    hash_key: bytes = setting(
        _keys, "turns install ids into pseudonyms; several when rotated, the newest first", secret=True
    )
    seal_key: bytes | None = setting(
        _keys, "seals what people write; several when rotated, the newest first; unset: the secret key", default=None,
        secret=True,
    )  # fmt: skip
    database_url: str = setting(
        _database, "releases, polls, tickets and jobs", default="sqlite:///var/control.db", secret=True
    )
    ingest_url: str | None = setting(
        _database,
        "answers and telemetry; unset: ingest.db beside SQLite's control.db, the same database on PostgreSQL",
        default=None,
        secret=True,
    )
    blob_dir: Path = setting(Path, "folder of model files", default=Path("var/blobs"))
    public_url: str = setting(_url, "how phones and people reach the web process", default="http://127.0.0.1:8000")
    app: str = setting(_text, "name of the mobile app", default="app")
    slack_bot_token: str | None = setting(_text, "xoxb-…: speaks in Slack", default=None, secret=True)
    slack_signing_secret: str | None = setting(_text, "proves that a request is Slack's", default=None, secret=True)
    slack_app_token: str | None = setting(_text, "xapp-…: Socket Mode", default=None, secret=True)
    slack_api_url: str = setting(_slack_url, "Slack's Web API", default="https://slack.com/api/")
    slack_command: str = setting(_command, "the slash command", default="/muster")
    slack_channel: str | None = setting(_text, "channel id for releases and digests", default=None)
    slack_admins: tuple[str, ...] = setting(_words, "user ids of the first admins, comma-separated", default=())
    slack_bot_user: str | None = setting(_text, "the bot's own user id; unset: asked of Slack once", default=None)
    jira_url: str | None = setting(_url, "https://example.atlassian.net", default=None)
    jira_email: str | None = setting(_text, "account of the API token", default=None)
    jira_token: str | None = setting(_text, "API token of that account", default=None, secret=True)
    jira_project: str | None = setting(_text, "project key for tickets", default=None)
    jira_issue_type: str = setting(_text, "issue type for tickets", default="Bug")
    jira_kind: str = setting(_jira_kind, "cloud, datacenter, or auto: asked of Jira once", default="auto")
    jira_webhook_secret: str | None = setting(_text, "signs what Jira tells of its issues", default=None, secret=True)
    ticket_heals_after_h: float = setting(
        _number(0, float), "hours of health before an issue hears of it", default=48.0
    )
    ticket_closes: bool = setting(_switch, "closes the issue of what has healed", default=False)
    ticket_reopens_days: float = setting(
        _number(0, float), "days in which a closed issue is opened again", default=14.0
    )
    confluence_url: str | None = setting(_url, "https://example.atlassian.net/wiki", default=None)
    confluence_email: str | None = setting(_text, "account of its API token; unset: Jira's", default=None)
    confluence_token: str | None = setting(_text, "its API token; unset: Jira's", default=None, secret=True)
    confluence_space: str | None = setting(_text, "key of the space for pages", default=None)
    confluence_parent: str | None = setting(_text, "id of the page under which new ones are put", default=None)
    webhook_private: bool = setting(_switch, "lets webhooks go to addresses of the own network", default=False)
    smtp_host: str | None = setting(_text, "mail server for digests", default=None)
    smtp_port: int = setting(_number(1, int, HIGHEST_PORT), "its port", default=587)
    smtp_security: str = setting(_security, "starttls, tls or none", default="starttls")
    smtp_user: str | None = setting(_text, "account at the mail server", default=None)
    smtp_password: str | None = setting(_text, "password of that account", default=None, secret=True)
    mail_from: str | None = setting(_text, "Muster <muster@example.com>", default=None)
    mail_to: tuple[str, ...] = setting(_words, "who gets the digest by mail, comma-separated", default=())
    minimum_cohort: int = setting(_number(5, int), "people below which a cohort is withheld", default=20)
    dp_epsilon_per_week: float | None = setting(
        _number(0.01, float), "privacy budget of a week's digest; unset: its counts of people are not noised",
        default=None,
    )  # fmt: skip
    dp_epsilon_per_query: float = setting(
        _number(0.01, float), "what each question to that budget costs; less is noisier", default=0.5
    )
    drift_false_rate: float = setting(
        _number(0.0001, float), "share of drifts told a night that may be false", default=0.05
    )
    drift_alarms_a_week: int = setting(_number(0, int), "alarms about drift in seven days at most", default=5)
    digest_schedule: str = setting(read_schedule, "when the weekly digest is posted", default="mon 09:00 UTC")
    retention_days: int = setting(_number(1, int), "days that answers and telemetry are kept", default=180)
    rate_limit_per_s: float = setting(_number(0.1, float), "requests per second for each API key", default=1000.0)
    max_body_bytes: int = setting(_number(1024, int), "largest request body of a phone", default=2 * 1024 * 1024)
    body_within_s: float = setting(
        _number(0.1, float), "seconds in which a body has to come; a large one has longer", default=30.0
    )
    max_inflated_bytes: int = setting(_number(1024, int), "the same once inflated", default=16 * 1024 * 1024)
    max_artifact_bytes: int = setting(_number(1024, int), "largest model file", default=2 * 1024**3)
    web_host: str = setting(_text, "address the web process listens on", default="127.0.0.1")
    web_port: int = setting(_number(0, int, HIGHEST_PORT), "port the web process listens on", default=8000)
    metrics_port: int | None = setting(
        _number(0, int, HIGHEST_PORT), "port of the worker's and bot's /metrics", default=None
    )
    worker_id: str = setting(_text, "stable name of this worker; each worker needs its own", default="worker-1")
    tick_s: float = setting(_number(0.2, float), "seconds between two looks at live releases", default=60.0)
    job_poll_s: float = setting(_number(0.05, float), "seconds between two looks for new jobs", default=0.25)
    retry_cap_s: float = setting(_number(0.1, float), "longest wait before a job is tried again", default=300.0)
    clock_file: Path | None = setting(Path, "the sandbox's virtual clock; never set in production", default=None)
    log_level: str = setting(_level, "least level that is logged", default="INFO")

    @classmethod
    def from_env(cls, env: Mapping[str, str] | None = None) -> Settings:
        """Read the environment (the process's own when `env` is None).

        Raises: InvalidInputError: with a Problem for every missing, unreadable or unknown variable.
        """
        env = _as_platforms_say(os.environ if env is None else env)
        problems: list[Problem] = []
        values: dict[str, Any] = {}
        for each in fields(cls):
            try:
                raw = _raw(env, each)
                if raw is not None:
                    values[each.name] = each.metadata["parse"](raw)
                elif each.default is MISSING:
                    raise ValueError(f"is missing: {each.metadata['about']}; `openssl rand -hex 32` makes a good one")
            except (ValueError, OSError) as error:
                problems.append(Problem(PREFIX + each.name.upper(), str(error)))
        problems += _unknown(env)
        if problems:
            raise InvalidInputError(*problems)
        return cls(**values)

    @property
    def sealing(self) -> bytes:
        """The keys for what people wrote, the newest first; what the secret key has sealed before opens too."""
        return self.secret_key if self.seal_key is None else self.seal_key + b"\n" + self.secret_key

    @property
    def ingest_database_url(self) -> str:
        if self.ingest_url:
            return self.ingest_url
        if self.database_url.startswith("sqlite:///"):
            return "sqlite:///" + str(Path(self.database_url.removeprefix("sqlite:///")).with_name("ingest.db"))
        return self.database_url


def _as_platforms_say(env: Mapping[str, str]) -> Mapping[str, str]:
    """Take the port that Heroku, Dokku and their kin give in PORT, on every address; honcho gives one to anybody."""
    if not env.get("PORT") or "HONCHO_PROCESS_NAME" in env or env.get("MUSTER_WEB_PORT"):
        return env
    host = env.get("MUSTER_WEB_HOST") or "0.0.0.0"  # noqa: S104 (the platform's router reaches no other)
    return {**env, "MUSTER_WEB_HOST": host, "MUSTER_WEB_PORT": env["PORT"]}


def _raw(env: Mapping[str, str], each: Field[Any]) -> str | None:
    name = PREFIX + each.name.upper()
    if each.metadata["secret"] and (path := env.get(name + "_FILE")):
        if env.get(name):
            raise ValueError(f"is set twice: by {name} and by {name}_FILE; keep one")
        if not (text := Path(path).read_text().strip()):
            raise ValueError(f"is empty in the file {path} of {name}_FILE")
        return text
    return env.get(name) or None


def _unknown(env: Mapping[str, str]) -> list[Problem]:
    known = {PREFIX + each.name.upper() for each in fields(Settings)}
    known |= CLIENT
    known |= {PREFIX + each.name.upper() + "_FILE" for each in fields(Settings) if each.metadata["secret"]}
    return [
        Problem(name, "is no setting of Muster; docs/operating.md lists them")
        for name in sorted(env)
        if name.startswith(PREFIX) and name not in known and not name.startswith(PREFIX + "TEST_")
    ]
