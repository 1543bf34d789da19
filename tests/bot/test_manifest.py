"""The manifest and the listeners name the same things, and Slack would take the manifest."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from bot import app, forms
from bot.answer import COMMANDS
from bot.words import NOUNS
from core.settings import Settings
from tests.bot.slack_rules import schema

ROOT = Path(__file__).parents[2]
MANIFEST: dict[str, Any] = json.loads((ROOT / "manifest.json").read_text())


@pytest.mark.parametrize("version", ["v1", "v2"])
def test_slack_takes_the_manifest(version: str) -> None:
    errors = [error.message for error in schema(f"slack-manifest-{version}.schema.json").iter_errors(MANIFEST)]

    assert errors == []


def test_the_slash_command_of_the_manifest_is_the_default_setting() -> None:
    default = next(field.default for field in Settings.__dataclass_fields__.values() if field.name == "slack_command")

    assert [command["command"] for command in MANIFEST["features"]["slash_commands"]] == [default]


def test_every_shortcut_has_a_listener_and_the_other_way_round() -> None:
    named = {shortcut["callback_id"] for shortcut in MANIFEST["features"]["shortcuts"]}

    assert named == set(app.SHORTCUTS)
    assert named <= set(forms.FORMS)


def test_every_event_has_a_listener_and_the_other_way_round() -> None:
    assert set(MANIFEST["settings"]["event_subscriptions"]["bot_events"]) == set(app.EVENTS)


def test_events_commands_and_clicks_go_to_the_one_door() -> None:
    urls = set(re.findall(r"https://[^\"]+", json.dumps(MANIFEST)))

    assert {url.partition("example.com")[2] for url in urls} == {"/slack/events"}


def test_every_method_we_call_has_its_scope() -> None:
    called = set(re.findall(r"\.((?:chat|views|conversations|users|files|reactions)_\w+)\(", _code()))
    scopes = {
        "chat_postMessage": "chat:write",
        "chat_postEphemeral": "chat:write",
        "chat_update": "chat:write",
        "chat_getPermalink": None,
        "chat_unfurl": "links:write",
        "conversations_info": "channels:read",
        "files_info": "files:read",
        "views_open": None,
        "views_publish": None,
    }

    assert called <= set(scopes)
    assert {scope for name in called if (scope := scopes[name])} <= set(MANIFEST["oauth_config"]["scopes"]["bot"])


def test_every_noun_has_a_command_that_runs() -> None:
    missing = []
    for noun, module in COMMANDS.items():
        path = ROOT / (module.replace(".", "/") + ".py")
        if not path.exists() or "\ndef run(" not in path.read_text():
            missing.append(noun)

    assert missing == []
    assert [noun.name for noun in NOUNS] == list(COMMANDS)


def test_every_form_that_we_build_has_a_listener() -> None:
    views = (ROOT / "bot/views/forms.py").read_text()

    assert set(re.findall(r'modal\(\s*"(\w+)"', views)) == set(forms.FORMS)


def test_what_listens_imports_nothing_that_answers() -> None:
    code = (
        "import sys, bot.web, bot.socket; "
        "print([m for m in sys.modules if m.split('.')[0] in ('pandas', 'sklearn', 'scipy', 'sandbox')"
        " or m.startswith('bot.flows') or m.startswith('bot.commands.feedback')])"
    )

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=True)

    assert done.stdout.strip() == "[]"


def _code() -> str:
    return "\n".join(path.read_text() for path in (ROOT / "bot").rglob("*.py"))
