"""What Slack would say: the published schemas, slack_sdk's models, and the limits neither knows."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft7Validator
from slack_sdk.models.blocks import Block
from slack_sdk.models.views import View

from bot.views.blocks import Message

CONTRACTS = Path(__file__).parents[3] / "shared" / "contracts"
DATA_BLOCKS = ("data_visualization", "data_table")


def accepted(message: Message) -> None:
    assert message.text
    assert len(message.blocks) <= 50
    payload = {"channel": "C1", "text": message.text, "blocks": list(message.blocks)}
    _check_sdk(payload["blocks"])
    for block in message.blocks:
        if block["type"] == "data_visualization":
            _check_chart(block)
    known = [block for block in message.blocks if block["type"] != "data_visualization"]
    _check_schema("slack-message.schema.json", {**payload, "blocks": known})
    assert sum(len(text) for text in _all_text(payload["blocks"])) <= 12_000
    assert sum(block["type"] == "data_visualization" for block in message.blocks) <= 2


def accepted_view(view: dict[str, Any]) -> None:
    assert len(view["blocks"]) <= 100
    assert len(view.get("private_metadata", "")) <= 3000
    assert not any(block["type"] in DATA_BLOCKS for block in view["blocks"])
    assert len(view.get("title", {"text": ""})["text"]) <= 24
    View(**view).validate_json()
    _check_sdk(view["blocks"])
    _check_schema("slack-view.schema.json", view)


def _check_sdk(blocks: Any) -> None:
    for block in blocks:
        if block["type"] in DATA_BLOCKS:
            continue
        parsed = Block.parse(block)
        assert parsed is not None, block
        parsed.validate_json()
        if block["type"] == "actions":
            ids = [element["action_id"] for element in block["elements"]]
            assert ids
            assert len(set(ids)) == len(ids)
        for field in block.get("fields", []):
            assert len(field["text"]) <= 2000


def _check_chart(block: dict[str, Any]) -> None:
    assert set(block) <= {"type", "title", "chart", "block_id"}
    assert 1 <= len(block["title"]) <= 50
    chart = block["chart"]
    categories = chart["axis_config"]["categories"]
    assert len(set(categories)) == len(categories) <= 20
    assert all(1 <= len(label) <= 20 for label in categories)
    assert 1 <= len(chart["series"]) <= 6
    for series in chart["series"]:
        assert 1 <= len(series["name"]) <= 20
        assert [point["label"] for point in series["data"]] == categories


def _all_text(value: Any) -> list[str]:
    if isinstance(value, dict):
        own = [value["text"]] if isinstance(value.get("text"), str) else []
        return own + [text for part in value.values() for text in _all_text(part)]
    return [text for part in value for text in _all_text(part)] if isinstance(value, list) else []


def _check_schema(name: str, payload: dict[str, Any]) -> None:
    validator = schema(name)
    errors = [f"{list(error.absolute_path)}: {error.message[:300]}" for error in validator.iter_errors(payload)]
    assert not errors, errors


@cache
def schema(name: str) -> Draft7Validator:
    path = CONTRACTS / name
    if not path.exists():
        pytest.skip(f"no {path}: the contracts lie beside the repository, not in it")
    return Draft7Validator(json.loads(path.read_text()))
