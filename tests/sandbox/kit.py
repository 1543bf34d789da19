"""Block Kit that Slack takes, for tests to send or to spoil."""

from __future__ import annotations

from typing import Any

Json = dict[str, Any]


def plain(text: str = "Go") -> Json:
    return {"type": "plain_text", "text": text}


def mrkdwn(text: str = "*Go*") -> Json:
    return {"type": "mrkdwn", "text": text}


def button(action: str = "a", **more: Any) -> Json:
    return {"type": "button", "text": plain(), "action_id": action, **more}


def section(text: str = "hello", **more: Any) -> Json:
    return {"type": "section", "text": mrkdwn(text), **more}


def options(count: int) -> list[Json]:
    return [{"text": plain(f"Choice {i}"), "value": str(i)} for i in range(count)]


def select(count: int = 2, **more: Any) -> Json:
    return {"type": "static_select", "placeholder": plain(), "options": options(count), "action_id": "s", **more}


def rows(count: int, columns: int = 2) -> list[list[Json]]:
    return [[{"type": "raw_text", "text": f"{r}.{c}"} for c in range(columns)] for r in range(count)]


def data_table(count: int = 3, columns: int = 2, **more: Any) -> Json:
    return {"type": "data_table", "caption": "Cohorts", "rows": rows(count, columns), **more}


def chart(labels: int = 2, series: int = 1, **more: Any) -> Json:
    names = [f"Chip {i}" for i in range(labels)]
    lines = [{"name": f"Series {s}", "data": [{"label": name, "value": 0.5} for name in names]} for s in range(series)]
    body = {"type": "bar", "series": lines, "axis_config": {"categories": names}}
    return {"type": "data_visualization", "title": "CSAT", "chart": body, **more}


def rich(text: str = "x") -> Json:
    passage = {"type": "rich_text_section", "elements": [{"type": "text", "text": text, "style": {"bold": True}}]}
    return {"type": "rich_text", "elements": [passage]}


def field(element: Json | None = None, **more: Any) -> Json:
    return {"type": "input", "label": plain("Why"), "element": element or {"type": "plain_text_input"}, **more}


def modal(*blocks: Json, **more: Any) -> Json:
    return {"type": "modal", "title": plain("Start"), "submit": plain(), "blocks": list(blocks), **more}


GOOD: dict[str, list[Json]] = {
    "texts": [section(), section("x" * 3000), {"type": "header", "text": plain("x" * 150)}, {"type": "divider"}],
    "fields": [{"type": "section", "fields": [mrkdwn("x" * 2000)] + [plain()] * 9}],
    "fifty blocks": [{"type": "divider"}] * 50,
    "actions": [{"type": "actions", "elements": [button(str(i), value="v" * 2000) for i in range(25)]}],
    "confirm": [
        {
            "type": "actions",
            "elements": [
                button(
                    style="danger",
                    confirm={"title": plain(), "text": mrkdwn(), "confirm": plain(), "deny": plain()},
                ),
                select(100, initial_option=options(1)[0]),
            ],
        }
    ],
    "same action in two blocks": [
        {"type": "actions", "elements": [button()]},
        {"type": "actions", "elements": [button()]},
    ],
    "context": [{"type": "context", "elements": [mrkdwn()] * 10}],
    "accessory": [section(accessory=button(url="https://example.com"))],
    "image": [{"type": "image", "image_url": "https://example.com/a.png", "alt_text": "a"}],
    "table": [{"type": "table", "rows": rows(100, 20), "column_settings": [{"align": "right"}]}],
    "data table": [data_table(101, 4, page_size=10, row_header_column_index=0)],
    "numbers and rich cells": [
        data_table(rows=[*rows(1), [{"type": "raw_number", "text": "86 %", "value": 0.86}, rich()]])
    ],
    "rich text": [rich()],
    "markdown": [{"type": "markdown", "text": "x" * 12_000}],
    "two charts": [chart(20, 6), chart()],
    "pie": [
        {
            "type": "data_visualization",
            "title": "t",
            "chart": {"type": "pie", "segments": [{"label": "a", "value": 1}]},
        }
    ],
    "input in a message": [field()],
}

GOOD_VIEWS: dict[str, Json] = {
    "modal": modal(field(), {"type": "alert", "text": mrkdwn(), "level": "warning"}, section()),
    "hundred blocks": modal(*[{"type": "divider"} for _ in range(100)]),
    "every input": modal(
        field({"type": "number_input", "is_decimal_allowed": True, "action_id": "n", "min_value": "1"}),
        field({"type": "plain_text_input", "multiline": True, "max_length": 3000, "placeholder": plain()}),
        field({"type": "multi_static_select", "options": options(2), "max_selected_items": 2}),
        field({"type": "users_select", "initial_user": "U0MIA"}),
        field({"type": "conversations_select", "default_to_current_conversation": True}),
        field({"type": "radio_buttons", "options": options(10)}, optional=True),
        field({"type": "checkboxes", "options": options(1), "initial_options": options(1)}),
        field({"type": "datepicker", "initial_date": "2026-11-16"}, hint=plain()),
        private_metadata="x" * 3000,
        notify_on_close=True,
    ),
    "home": {"type": "home", "blocks": [section(), {"type": "actions", "elements": [button()]}]},
}
