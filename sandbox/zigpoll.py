"""A pretended Zigpoll: one private key, cursors as pages go, and the ways in which the real one surprises."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import flask

KEY = "zigpoll-private-key"
Row = dict[str, Any]


@dataclass(slots=True)
class Zigpoll:
    """`rows` are what was answered; `too_fast` refuses so many requests, `stuck` lets the cursor come again."""

    rows: list[Row] = field(default_factory=list)
    too_fast: int = 0
    stuck: bool = False
    asked: int = 0


def create_app(world: Zigpoll) -> flask.Flask:
    app = flask.Flask("zigpoll")

    @app.get("/responses")
    def responses() -> flask.Response | tuple[flask.Response, int] | tuple[flask.Response, int, dict[str, str]]:
        world.asked += 1
        if flask.request.headers.get("Authorization") != KEY:
            return flask.jsonify(error="Invalid key"), 422
        if world.too_fast > 0:
            world.too_fast -= 1
            return flask.jsonify(error="Too many requests"), 429, {"Retry-After": "0"}
        asked = flask.request.args
        mine = [row for row in world.rows if row["pollId"] == asked["pollId"]]
        start = int(asked.get("startCursor", "0"))
        end = min(start + int(asked.get("limit", "100")), len(mine))
        cursor = str(start if world.stuck and start else end)
        return flask.jsonify(data=mine[start:end], hasNextPage=end < len(mine) or world.stuck, endCursor=cursor)

    return app
