"""What Slack refuses, in Slack's words."""

from __future__ import annotations

import pytest

from sandbox.slack.limits import check_message, check_view
from tests.sandbox.kit import (
    GOOD,
    GOOD_VIEWS,
    Json,
    button,
    chart,
    data_table,
    field,
    modal,
    mrkdwn,
    options,
    plain,
    rich,
    rows,
    section,
    select,
)

BAD: dict[str, tuple[list[Json], str]] = {
    "too many blocks": ([{"type": "divider"}] * 51, "no more than 50 items allowed [json-pointer:/blocks]"),
    "unknown block": ([{"type": "hologram"}], "unsupported type: hologram [json-pointer:/blocks/0/type]"),
    "block without a type": ([{"text": plain()}], "missing required field: type [json-pointer:/blocks/0]"),
    "unknown key": ([section(color="red")], "invalid additional property: color [json-pointer:/blocks/0]"),
    "long section": ([section("x" * 3001)], "must be less than 3001 characters [json-pointer:/blocks/0/text/text]"),
    "empty text": ([section("")], "must be more than 0 characters [json-pointer:/blocks/0/text/text]"),
    "text of a wrong type": (
        [{"type": "section", "text": {"type": "html", "text": "x"}}],
        "unsupported type: html [json-pointer:/blocks/0/text/type]",
    ),
    "text that is no object": (
        [{"type": "section", "text": "hello"}],
        "must provide an object [json-pointer:/blocks/0/text]",
    ),
    "section of nothing": ([{"type": "section"}], "must define either `text` or `fields` [json-pointer:/blocks/0]"),
    "eleven fields": (
        [{"type": "section", "fields": [plain()] * 11}],
        "no more than 10 items allowed [json-pointer:/blocks/0/fields]",
    ),
    "long field": (
        [{"type": "section", "fields": [plain("x" * 2001)]}],
        "must be less than 2001 characters [json-pointer:/blocks/0/fields/0/text]",
    ),
    "long header": (
        [{"type": "header", "text": plain("x" * 151)}],
        "must be less than 151 characters [json-pointer:/blocks/0/text/text]",
    ),
    "header in mrkdwn": (
        [{"type": "header", "text": mrkdwn()}],
        "unsupported type: mrkdwn [json-pointer:/blocks/0/text/type]",
    ),
    "empty actions": (
        [{"type": "actions", "elements": []}],
        "no less than 1 items required [json-pointer:/blocks/0/elements]",
    ),
    "26 actions": (
        [{"type": "actions", "elements": [button(str(i)) for i in range(26)]}],
        "no more than 25 items allowed [json-pointer:/blocks/0/elements]",
    ),
    "same action twice": (
        [{"type": "actions", "elements": [button(), button()]}],
        '`action_id` "a" already exists for another element [json-pointer:/blocks/0]',
    ),
    "same block_id twice": (
        [section(block_id="b"), section(block_id="b")],
        '`block_id` "b" already exists for another block [json-pointer:/blocks]',
    ),
    "long button": (
        [{"type": "actions", "elements": [{"type": "button", "text": plain("x" * 76)}]}],
        "must be less than 76 characters [json-pointer:/blocks/0/elements/0/text/text]",
    ),
    "long value": (
        [{"type": "actions", "elements": [button(value="x" * 2001)]}],
        "must be less than 2001 characters [json-pointer:/blocks/0/elements/0/value]",
    ),
    "made-up style": (
        [{"type": "actions", "elements": [button(style="warning")]}],
        "must be one of: primary, danger [json-pointer:/blocks/0/elements/0/style]",
    ),
    "101 options": (
        [section(accessory=select(101))],
        "no more than 100 items allowed [json-pointer:/blocks/0/accessory/options]",
    ),
    "eleven in context": (
        [{"type": "context", "elements": [mrkdwn()] * 11}],
        "no more than 10 items allowed [json-pointer:/blocks/0/elements]",
    ),
    "button in context": (
        [{"type": "context", "elements": [button()]}],
        "unsupported type: button [json-pointer:/blocks/0/elements/0/type]",
    ),
    "alert in a message": (
        [{"type": "alert", "text": plain()}],
        "unsupported type: alert [json-pointer:/blocks/0/type]",
    ),
    "two tables": (
        [{"type": "table", "rows": rows(2)}] * 2,
        "no more than 1 `table` blocks allowed [json-pointer:/blocks]",
    ),
    "101 rows of a table": (
        [{"type": "table", "rows": rows(101)}],
        "no more than 100 items allowed [json-pointer:/blocks/0/rows]",
    ),
    "21 columns": ([data_table(2, 21)], "no more than 20 items allowed [json-pointer:/blocks/0/rows/0]"),
    "102 rows of a data table": ([data_table(102)], "no more than 101 items allowed [json-pointer:/blocks/0/rows]"),
    "heading alone": ([data_table(1)], "no less than 2 items required [json-pointer:/blocks/0/rows]"),
    "uneven rows": (
        [data_table(rows=[*rows(1, 2), *rows(1, 3)])],
        "all rows must have the same number of cells [json-pointer:/blocks/0/rows]",
    ),
    "rich heading": (
        [data_table(rows=[[rich()], [rich()]])],
        "unsupported type: rich_text [json-pointer:/blocks/0/rows/0/0/type]",
    ),
    "cells too full": (
        [data_table(rows=[[{"type": "raw_text", "text": "x" * 6000}]] * 2)],
        "cells must hold no more than 10000 characters in all [json-pointer:/blocks/0/rows]",
    ),
    "three charts": ([chart()] * 3, "no more than 2 `data_visualization` blocks allowed [json-pointer:/blocks]"),
    "seven series": ([chart(2, 7)], "no more than 6 items allowed [json-pointer:/blocks/0/chart/series]"),
    "21 points": ([chart(21)], "no more than 20 items allowed [json-pointer:/blocks/0/chart/series/0/data]"),
    "points without category": (
        [
            chart(
                chart={
                    "type": "bar",
                    "series": [{"name": "s", "data": [{"label": "a", "value": 1}]}],
                    "axis_config": {"categories": ["b"]},
                }
            )
        ],
        "labels must match the categories of axis_config [json-pointer:/blocks/0/chart/series/0/data]",
    ),
    "value that is no number": (
        [
            {
                "type": "data_visualization",
                "title": "t",
                "chart": {"type": "pie", "segments": [{"label": "a", "value": float("nan")}]},
            }
        ],
        "must be a finite number [json-pointer:/blocks/0/chart/segments/0/value]",
    ),
    "long chart title": ([chart(title="x" * 51)], "must be less than 51 characters [json-pointer:/blocks/0/title]"),
    "blocks that are no list": ({"type": "divider"}, "must provide an array [json-pointer:/blocks]"),  # type: ignore[dict-item]
}


@pytest.mark.parametrize("blocks", [pytest.param(blocks, id=name) for name, blocks in GOOD.items()])
def test_slack_takes(blocks: list[Json]) -> None:
    assert check_message("hello", blocks) is None


@pytest.mark.parametrize(
    ("blocks", "complaint"), [pytest.param(blocks, said, id=name) for name, (blocks, said) in BAD.items()]
)
def test_slack_refuses(blocks: list[Json], complaint: str) -> None:
    refusal = check_message("hello", blocks)

    assert refusal is not None
    assert refusal.error == "invalid_blocks"
    assert f"[ERROR] {complaint}" in refusal.messages


def test_every_mistake_is_named() -> None:
    refusal = check_message("hello", [section(""), {"type": "hologram"}])

    assert refusal is not None
    assert len(refusal.messages) == 2
    assert refusal.answer()["response_metadata"] == {"messages": list(refusal.messages)}


@pytest.mark.parametrize(
    ("text", "blocks", "error"),
    [
        pytest.param("", None, "no_text", id="neither text nor blocks"),
        pytest.param(None, [], "no_text", id="empty blocks"),
        pytest.param("x" * 40_001, None, "msg_too_long", id="text over 40 000"),
        pytest.param("ok", [section("x" * 2900)] * 5, "msg_blocks_too_long", id="legal blocks over 13 200"),
        pytest.param("ok", [section("x" * 2600)] * 5, None, id="13 000 in all"),
    ],
)
def test_a_message_as_a_whole(text: str | None, blocks: list[Json] | None, error: str | None) -> None:
    refusal = check_message(text, blocks)

    assert (refusal.error if refusal else None) == error


BAD_VIEWS: dict[str, tuple[Json, str]] = {
    "long title": (modal(title=plain("x" * 25)), "must be less than 25 characters [json-pointer:/view/title/text]"),
    "no title": ({"type": "modal", "blocks": []}, "missing required field: title [json-pointer:/view]"),
    "input without submit": (
        {"type": "modal", "title": plain(), "blocks": [field()]},
        "missing required field: submit [json-pointer:/view]",
    ),
    "101 blocks": (modal(*[{"type": "divider"}] * 101), "no more than 100 items allowed [json-pointer:/view/blocks]"),
    "long private_metadata": (
        modal(private_metadata="x" * 3001),
        "must be less than 3001 characters [json-pointer:/view/private_metadata]",
    ),
    "chart in a modal": (modal(chart()), "unsupported type: data_visualization [json-pointer:/view/blocks/0/type]"),
    "table in a home": (
        {"type": "home", "blocks": [data_table()]},
        "unsupported type: data_table [json-pointer:/view/blocks/0/type]",
    ),
    "unknown surface": ({"type": "hologram", "blocks": []}, "unsupported type: hologram [json-pointer:/view/type]"),
    "button as an input": (
        modal(field(button())),
        "unsupported type: button [json-pointer:/view/blocks/0/element/type]",
    ),
    "both kinds of options": (
        modal(field(select(option_groups=[{"label": plain(), "options": options(1)}]))),
        "must define exactly one of `options` or `option_groups` [json-pointer:/view/blocks/0/element]",
    ),
}


@pytest.mark.parametrize("view", [pytest.param(view, id=name) for name, view in GOOD_VIEWS.items()])
def test_slack_shows(view: Json) -> None:
    assert check_view(view) is None


@pytest.mark.parametrize(
    ("view", "complaint"), [pytest.param(view, said, id=name) for name, (view, said) in BAD_VIEWS.items()]
)
def test_slack_does_not_show(view: Json, complaint: str) -> None:
    refusal = check_view(view)

    assert refusal is not None
    assert refusal.error == "invalid_arguments"
    assert f"[ERROR] {complaint}" in refusal.messages
