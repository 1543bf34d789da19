"""The pretended Slack is never more lenient than the published schemas."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from sandbox.slack.block_rules import IN_MESSAGE, IN_MODAL
from sandbox.slack.limits import check_message
from tests.sandbox.kit import GOOD, GOOD_VIEWS, Json

CONTRACTS = Path(__file__).resolve().parents[3] / "shared" / "contracts"


def _schema(name: str) -> Any:
    path = CONTRACTS / name
    if not path.exists():
        pytest.skip("the published contracts are not beside this checkout")
    return json.loads(path.read_text())


def _message_problems(validator: Any, blocks: Any) -> bool:
    return not validator.is_valid({"channel": "C1", "text": "hello", "blocks": blocks})


def test_what_slack_takes_keeps_the_published_schema() -> None:
    validator = jsonschema.Draft7Validator(_schema("slack-message.schema.json"))

    wrong = [name for name, blocks in GOOD.items() if _message_problems(validator, blocks)]

    # The published types do not know charts yet.
    assert wrong == ["two charts", "pie"]


def test_views_that_slack_shows_keep_the_published_schema() -> None:
    validator = jsonschema.Draft7Validator(_schema("slack-view.schema.json"))

    assert all(validator.is_valid(view) for view in GOOD_VIEWS.values())


def test_what_the_published_schema_refuses_is_refused_here_too() -> None:
    validator = jsonschema.Draft7Validator(_schema("slack-message.schema.json"))
    known = [blocks for blocks in GOOD.values() if blocks[0]["type"] != "data_visualization"]
    # What our rules already refuse needs no second opinion.
    taken = [bad for blocks in known for bad in _broken(blocks) if check_message("hello", bad) is None]

    assert len(taken) > 10
    assert [bad for bad in taken if _message_problems(validator, bad)] == []


def _broken(value: Any) -> list[Any]:
    """Copies of a value with one thing spoilt: a key dropped, added, or given a value of another type."""
    spoilt: list[Any] = []
    for path in _paths(value[:3]):
        for spoil in (_drop, _add, _retype):
            copied = copy.deepcopy(value[:3])
            if spoil(copied, path):
                spoilt.append(copied)
    return spoilt


def _paths(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    items = value.items() if isinstance(value, dict) else enumerate(value[:2]) if isinstance(value, list) else ()
    return [found for key, part in items for found in [(*path, key), *_paths(part, (*path, key))]]


def _parent(value: Any, path: tuple[Any, ...]) -> Any:
    for key in path[:-1]:
        value = value[key]
    return value


def _drop(value: Any, path: tuple[Any, ...]) -> bool:
    parent = _parent(value, path)
    if isinstance(parent, dict):
        del parent[path[-1]]
        return True
    return False


def _add(value: Any, path: tuple[Any, ...]) -> bool:
    target = _parent(value, path)[path[-1]]
    if isinstance(target, dict):
        target["no_such_key"] = 1
        return True
    return False


def _retype(value: Any, path: tuple[Any, ...]) -> bool:
    _parent(value, path)[path[-1]] = [["wrong"]]
    return True


def test_every_published_block_is_known_here() -> None:
    definitions = _schema("slack-message.schema.json")["definitions"]
    names = [each["$ref"].rpartition("/")[2] for each in definitions["KnownBlock"]["anyOf"]]
    kinds = {_kind(definitions[name]) for name in names}

    assert kinds <= set(IN_MESSAGE) | set(IN_MODAL)


def _kind(definition: Json) -> str:
    return str((definition.get("properties") or definition["anyOf"][0]["properties"])["type"]["const"])
