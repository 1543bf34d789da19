"""What flows and commands work with: settings, clock, databases, Slack, Jira …, made once per process."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, cast

from slack_sdk import WebClient

from bot.noise import NoiseSource, open_noise
from core.clock import Clock, clock_from
from core.db import Databases, open_databases
from core.engine import attach
from core.settings import Settings
from integrations.confluence import ConfluenceClient
from integrations.http import JsonClient
from integrations.jira import JiraClient
from integrations.mail import MailClient, Security

SLACK_TIMEOUT_S = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """`slack` speaks as the bot; `jira`, `confluence`, `mail` and `noise` are None where they are not set up."""

    settings: Settings
    clock: Clock
    databases: Databases
    slack: WebClient
    jira: JiraClient | None
    confluence: ConfluenceClient | None = None
    mail: MailClient | None = None
    noise: NoiseSource | None = None


def open_context(settings: Settings) -> Context:
    """Connect to everything the settings name; nothing is asked over the network yet."""
    databases = open_databases(settings.database_url, settings.ingest_database_url)
    attach(databases, settings)
    return Context(
        settings=settings,
        clock=clock_from(settings.clock_file),
        databases=databases,
        slack=slack_client(settings),
        jira=jira_client(settings),
        confluence=confluence_client(settings),
        mail=mail_client(settings),
        noise=open_noise(settings),
    )


def slack_client(settings: Settings) -> WebClient:
    return WebClient(token=settings.slack_bot_token, base_url=settings.slack_api_url, timeout=SLACK_TIMEOUT_S)


def jira_client(settings: Settings) -> JiraClient | None:
    """Return a client when address, token and project are set. Without an account the token is a personal one."""
    if not (settings.jira_url and settings.jira_token and settings.jira_project):
        return None
    if settings.jira_email:
        http = JsonClient("jira", settings.jira_url, auth=(settings.jira_email, settings.jira_token))
    else:
        http = JsonClient("jira", settings.jira_url, headers={"Authorization": f"Bearer {settings.jira_token}"})
    return JiraClient(
        http,
        project=settings.jira_project,
        issue_type=settings.jira_issue_type,
        kind=cast(Literal["cloud", "datacenter", "auto"], settings.jira_kind),
    )


def confluence_client(settings: Settings) -> ConfluenceClient | None:
    """Return a client when address, space and an account are set; the account may be Jira's."""
    email = settings.confluence_email or settings.jira_email
    token = settings.confluence_token or settings.jira_token
    if not (settings.confluence_url and settings.confluence_space and email and token):
        return None
    http = JsonClient("confluence", settings.confluence_url, auth=(email, token))
    return ConfluenceClient(http, space=settings.confluence_space, parent=settings.confluence_parent)


def mail_client(settings: Settings) -> MailClient | None:
    """Return a client when server and sender are set."""
    if not (settings.smtp_host and settings.mail_from):
        return None
    return MailClient(
        host=settings.smtp_host,
        port=settings.smtp_port,
        sender=settings.mail_from,
        security=cast(Security, settings.smtp_security),
        user=settings.smtp_user,
        password=settings.smtp_password,
    )
