"""What is set up, what is missing, and what to do about it: the same for `muster doctor` and `/muster doctor`."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from slack_sdk.errors import SlackClientError
from slack_sdk.web import SlackResponse
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from bot import webhooks
from bot.context import Context
from bot.noise import MISSING
from core import health
from core.db import reading
from core.engine import failed_jobs
from core.errors import Problem
from core.settings import Settings
from feedback import store as feedback
from feedback.noised import Budget, affordable, most_queries
from integrations.mail import is_address
from migrations.run import is_current
from releases import artifact_store
from releases.blobs import Blobs

SHOWN = 3
# https://docs.slack.dev/reference/methods/auth.test
WRONG_TOKEN = frozenset({"invalid_auth", "not_authed", "account_inactive", "token_revoked", "token_expired"})
MANIFEST = Path(__file__).parent.parent / "manifest.json"
SLACK_SETTINGS = {
    "slack_bot_token": "MUSTER_SLACK_BOT_TOKEN is not set: copy the xoxb-… token from your app's OAuth & Permissions.",
    "slack_signing_secret": "MUSTER_SLACK_SIGNING_SECRET is not set: copy it from Basic Information of your Slack app.",
    "slack_channel": "MUSTER_SLACK_CHANNEL is not set: give the id of the channel for releases and digests.",
    "slack_admins": "MUSTER_SLACK_ADMINS is not set: without a first admin nobody may change anything.",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One thing looked at; `sentence` says what to do when it did not pass."""

    passed: bool
    sentence: str


def examine(ctx: Context, *, live: bool) -> tuple[Check, ...]:
    """Return everything looked at; `live` also asks Slack, Jira, Confluence and the mail server over the network."""
    checks = [*_databases(ctx), *files(ctx), *_clock(ctx.settings), *_slack_settings(ctx)]
    if live and ctx.settings.slack_bot_token:
        checks += _slack(ctx)
    checks += [*_jira(ctx, live=live), *_confluence(ctx, live=live), *_mail(ctx, live=live), *noise(ctx)]
    return tuple(checks)


def _databases(ctx: Context) -> list[Check]:
    alive = health.check(ctx.databases, is_current)
    if not alive["database"]:
        return [_bad("The database does not answer; look at MUSTER_DATABASE_URL.")]
    if not alive["schema"]:
        return [_bad("The tables are missing or old; run `muster db upgrade`.")]
    worker = alive["worker"]
    told = "A worker is running." if worker else "No worker was alive in the last minute; start `muster worker`."
    with reading(ctx.databases.control) as session:
        broken, hooks = failed_jobs(session), _webhooks(session)
    checks = [_good("The databases answer and their tables are current."), Check(passed=worker, sentence=told)]
    if broken:
        newest = broken[0]
        checks.append(_bad(f"{len(broken)} jobs were given up on; the newest is {newest.key}: {newest.error}"))
    return checks + hooks


def _webhooks(session: Session) -> list[Check]:
    checks = [
        _bad(f"{each.id} is told nothing more, its address said 410: `muster webhook resume {each.id}`, or `remove`.")
        for each in webhooks.list_webhooks(session)
        if each.ended_at
    ]
    dead = webhooks.undelivered(session)["dead"]
    if dead:
        checks.append(_bad(f"{dead} webhook messages were given up on; `muster webhook dead` shows them."))
    return checks


def files(ctx: Context) -> list[Check]:
    """Return whether model files can be kept, and whether those that phones may be told to fetch are there."""
    folder = ctx.settings.blob_dir
    above = next(each for each in (folder.absolute(), *folder.absolute().parents) if each.exists())
    if not above.is_dir() or not os.access(above, os.W_OK | os.X_OK):
        return [_bad(f"Model files cannot be kept: {above} cannot be written; look at MUSTER_BLOB_DIR.")]
    try:
        with reading(ctx.databases.control) as session:
            known = artifact_store.models(session)
            found = [
                one for app, model in known for one in artifact_store.find_artifacts(session, app=app, model=model)
            ]
    except SQLAlchemyError:
        return []  # told already
    lost = [each.name for each in found if not each.quarantined and Blobs(folder).path(each.sha256) is None]
    if lost:
        few = f"{', '.join(lost[:SHOWN])}{' …' if len(lost) > SHOWN else ''}"
        told = f"{len(lost)} of {len(found)} model files are not in {folder} ({few}); restore the folder, or"
        return [_bad(f"{told} send each again with `muster model register`.")]
    return [_good(f"No model file is missing in {folder}.")]


def _slack_settings(ctx: Context) -> list[Check]:
    missing = [_bad(told) for field, told in SLACK_SETTINGS.items() if not getattr(ctx.settings, field)]
    return missing or [_good("Slack's token, signing secret, channel and first admin are set.")]


def _slack(ctx: Context) -> list[Check]:
    try:
        reply = ctx.slack.auth_test()
        checks = [_good(f"Slack knows us as @{reply['user']} in {reply['team']}."), _scopes(reply)]
        if ctx.settings.slack_channel:
            checks.append(_channel(ctx, ctx.settings.slack_channel))
        if ctx.settings.slack_app_token:
            checks.append(_socket(ctx, ctx.settings.slack_app_token))
    except SlackClientError as error:
        reason = _reason(error)
        if reason in WRONG_TOKEN:
            told = "copy the xoxb-… token again from your app's OAuth & Permissions"
            return [_bad(f"Slack refuses MUSTER_SLACK_BOT_TOKEN ({reason}): {told}.")]
        return [_bad(f"Slack refused: {reason}.")]
    except OSError as error:
        return [_bad(f"Slack cannot be reached at {ctx.settings.slack_api_url}: {error}.")]
    return checks


def _socket(ctx: Context, token: str) -> Check:
    try:
        ctx.slack.apps_connections_open(app_token=token)
    except SlackClientError as error:
        told = "make one under Basic Information, App-Level Tokens, with the scope connections:write"
        return _bad(f"Slack refuses MUSTER_SLACK_APP_TOKEN ({_reason(error)}): {told}.")
    return _good("Slack takes the app token of Socket Mode.")


def _scopes(reply: SlackResponse) -> Check:
    wanted = set(json.loads(MANIFEST.read_text())["oauth_config"]["scopes"]["bot"])
    granted = {scope.strip() for scope in _header(reply, "x-oauth-scopes").split(",") if scope.strip()}
    lacking = sorted(wanted - granted)
    if not granted or not lacking:
        return _good("The Slack app has the scopes it needs.")
    return _bad(f"The Slack app lacks {', '.join(lacking)}; paste manifest.json again and reinstall the app.")


def _header(reply: SlackResponse, name: str) -> str:
    headers: dict[str, Any] = {str(key).lower(): value for key, value in dict(reply.headers).items()}
    value = headers.get(name, "")
    return ",".join(value) if isinstance(value, list) else str(value)


def _channel(ctx: Context, channel: str) -> Check:
    try:
        facts: dict[str, Any] = ctx.slack.conversations_info(channel=channel).get("channel") or {}
    except SlackClientError as error:
        return _bad(f"Channel {channel} cannot be seen ({_reason(error)}); invite the bot there: /invite @muster.")
    if not facts.get("is_member"):
        return _bad(f"The bot is not in #{facts.get('name', channel)}; invite it there: /invite @muster.")
    return _good(f"The bot is in #{facts.get('name', channel)}.")


def _reason(error: SlackClientError) -> str:
    reply = getattr(error, "response", None)
    return str(reply["error"]) if reply is not None and "error" in reply else str(error)


def _jira(ctx: Context, *, live: bool) -> list[Check]:
    wanted = ctx.settings
    if ctx.jira is None:
        if not (wanted.jira_url or wanted.jira_project):
            return [_good("No Jira is set up; tickets wait until MUSTER_JIRA_URL, _TOKEN and _PROJECT are set.")]
        needs = {"_URL": wanted.jira_url, "_TOKEN": wanted.jira_token, "_PROJECT": wanted.jira_project}
        return [_half("MUSTER_JIRA", needs)]
    problems = ctx.jira.check() if live else ()
    told = "accepts our account and project" if live else "is set up"
    checks = [_wrong(problem) for problem in problems] or [_good(f"Jira {told}.")]
    if not ctx.settings.jira_webhook_secret:
        return [
            *checks,
            _good("Jira's webhook is not set up (MUSTER_JIRA_WEBHOOK_SECRET): issues are read once a day."),
        ]
    return [*checks, _good(f"Jira's webhook is heard at {ctx.settings.public_url}/jira/webhook.")]


def _confluence(ctx: Context, *, live: bool) -> list[Check]:
    wanted = ctx.settings
    if ctx.confluence is None:
        if not (wanted.confluence_url or wanted.confluence_space):
            told = "No Confluence is set up; pages are put there once MUSTER_CONFLUENCE_URL and _SPACE are set."
            return [_good(told)]
        needs = {"_URL": wanted.confluence_url, "_SPACE": wanted.confluence_space}
        needs |= {"_EMAIL": wanted.confluence_email or wanted.jira_email}
        needs |= {"_TOKEN": wanted.confluence_token or wanted.jira_token}
        return [_half("MUSTER_CONFLUENCE", needs)]
    problems = ctx.confluence.check() if live else ()
    told = "accepts our account and space" if live else "is set up"
    return [_wrong(problem) for problem in problems] or [_good(f"Confluence {told}.")]


def _mail(ctx: Context, *, live: bool) -> list[Check]:
    wrong = [address for address in ctx.settings.mail_to if not is_address(address)]
    checks = [_bad(f"MUSTER_MAIL_TO: {address!r} is no mail address.") for address in wrong]
    if ctx.mail is None:
        needs = {"_SMTP_HOST": ctx.settings.smtp_host, "_MAIL_FROM": ctx.settings.mail_from}
        if ctx.settings.mail_to or any(needs.values()):
            return [*checks, _half("MUSTER", needs)]
        return [_good("No mail is set up; digests go by mail once MUSTER_SMTP_HOST, MUSTER_MAIL_FROM and _TO are set.")]
    if not ctx.settings.mail_to:
        checks.append(_bad("Mail: MUSTER_MAIL_TO names nobody."))
    problems = ctx.mail.check() if live else ()
    checks += [_wrong(problem) for problem in problems]
    return checks or [_good("The mail server takes our connection." if live else "Mail is set up.")]


def _half(prefix: str, needs: Mapping[str, str | None]) -> Check:
    missing = ", ".join(prefix + name for name, value in needs.items() if not value)
    return _bad(f"Half set up: {missing} is missing beside what is set.")


def _wrong(problem: Problem) -> Check:
    return _bad(f"MUSTER_{problem.path.upper()}: {problem.message}.")


def _clock(settings: Settings) -> list[Check]:
    # A pretended Slack, which nobody reaches by HTTPS, has pretended time.
    if settings.clock_file is None or settings.slack_api_url.startswith("http://"):
        return []
    return [_bad("MUSTER_CLOCK_FILE is set: all time is the sandbox's; take it away in production.")]


def noise(ctx: Context) -> list[Check]:
    """Return whether counts of people can be noised, where they shall be."""
    per_week, per_query = ctx.settings.dp_epsilon_per_week, ctx.settings.dp_epsilon_per_query
    if per_week is None:
        return []
    if per_query > per_week:
        told = "MUSTER_DP_EPSILON_PER_QUERY is above MUSTER_DP_EPSILON_PER_WEEK: no count can be told; lower it."
        return [_bad(told)]
    if ctx.noise is None:
        return [_bad(f"{MISSING}.")]
    told = f"OpenDP noises the digest's counts: {per_week:g} a week, {per_query:g} a query"
    try:
        with reading(ctx.databases.control) as session:
            polls = feedback.list_polls(session, ctx.settings.app)
            known = artifact_store.models(session, app=ctx.settings.app)
    except SQLAlchemyError:
        return []  # told already
    models = {poll.model for poll in polls} | {name for _, name in known}
    asked, paid = most_queries(len(models)), affordable(Budget(per_week=per_week, per_query=per_query))
    if paid >= asked:
        return [_good(f"{told}.")]
    turns = f"{paid} of the {asked} queries that {len(models)} models may need are told, in turn"
    return [_good(f"{told}. Each week {turns}; MUSTER_DP_EPSILON_PER_WEEK={asked * per_query:g} tells all.")]


def _good(sentence: str) -> Check:
    return Check(passed=True, sentence=sentence)


def _bad(sentence: str) -> Check:
    return Check(passed=False, sentence=sentence)
