"""The sandbox's own door, `/sandbox/…`: see the world, act as somebody in it, break it, and turn its clock."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import flask

from core.errors import AppError, InvalidInputError, Problem
from sandbox.slack.people import Outcome
from sandbox.world import World

KEEP_ALIVE_S = 15.0

Body = dict[str, Any]
Act = Callable[[Body], Outcome]


def blueprint(world: World) -> flask.Blueprint:
    routes = flask.Blueprint("sandbox", __name__, url_prefix="/sandbox")
    routes.register_error_handler(AppError, _explain)

    @routes.get("/state")
    def state() -> Body:
        return world.state()

    @routes.get("/events")
    def events() -> flask.Response:
        headers = {"Cache-Control": "no-cache", "X-Accel-Buffering": "no"}
        return flask.Response(_stream(world), mimetype="text/event-stream", headers=headers)

    @routes.post("/faults")
    def faults() -> Body:
        world.faults.set(**_body())
        return {"ok": True, "faults": world.faults.values()}

    @routes.post("/clock")
    def clock() -> Body:
        _turn_clock(world, _body())
        return {"ok": True, "clock": world.clock().isoformat(), "rate": world.clock.rate}

    for name, act in _acts(world).items():
        routes.add_url_rule(f"/{name}", name, _answering(act), methods=["POST"])
    return routes


def _acts(world: World) -> dict[str, Act]:
    people = world.people
    return {
        "say": lambda body: people.say(
            _needed(body, "user"), _needed(body, "channel"), _needed(body, "text"), body.get("thread_ts")
        ),
        "click": lambda body: people.click(
            _needed(body, "user"),
            action_id=_needed(body, "action_id"),
            block_id=body.get("block_id"),
            channel=body.get("channel"),
            ts=body.get("ts"),
            view_id=body.get("view_id"),
            selected=body.get("selected", body.get("value")),
        ),
        "submit": lambda body: people.submit(
            _needed(body, "user"), _needed(body, "view_id"), _values(body.get("values"))
        ),
        "close": lambda body: people.close(_needed(body, "user"), _needed(body, "view_id")),
        "shortcut": lambda body: people.shortcut(
            _needed(body, "user"), _needed(body, "callback_id"), body.get("channel"), body.get("ts")
        ),
        "home": lambda body: people.open_home(_needed(body, "user")),
    }


def _answering(act: Act) -> Callable[[], Body]:
    def answer() -> Body:
        return act(_body()).facts()

    return answer


def _body() -> Body:
    body = flask.request.get_json(force=True, silent=True)
    if not isinstance(body, dict):
        raise InvalidInputError(Problem("", "the body must be a JSON object"))
    return body


def _needed(body: Body, name: str) -> str:
    value = body.get(name)
    if not isinstance(value, str) or not value.strip():
        raise InvalidInputError(Problem(name, "is needed"))
    return value


def _values(values: object) -> Body:
    if values is None:
        return {}
    if not isinstance(values, dict) or not all(isinstance(part, dict) for part in values.values()):
        raise InvalidInputError(Problem("values", "must be {block_id: {action_id: {…}}}"))
    return values


def _turn_clock(world: World, body: Body) -> None:
    unknown = set(body) - {"advance_s", "rate"}
    if unknown or not body:
        raise InvalidInputError(Problem(", ".join(sorted(unknown)), "the clock knows advance_s and rate"))
    wrong = [
        Problem(name, "must be a number, 0 or more")
        for name, value in body.items()
        if isinstance(value, bool) or not isinstance(value, int | float) or not value >= 0
    ]
    if wrong:
        raise InvalidInputError(*wrong)
    if "rate" in body:
        world.set_rate(float(body["rate"]))
    if "advance_s" in body:
        world.advance(timedelta(seconds=float(body["advance_s"])))


def _explain(error: AppError) -> tuple[Body, int]:
    problems = [{"path": problem.path, "message": problem.message} for problem in error.problems]
    return {"ok": False, "error": error.message, "problems": problems}, error.status


def _stream(world: World) -> Iterator[str]:
    """One line at each change; a comment now and then, so that a dead listener is noticed."""
    seen = world.changes.last
    yield f"data: {json.dumps({'seq': seen})}\n\n"
    while not world.changes.is_closed:
        last = world.changes.wait(seen, KEEP_ALIVE_S)
        yield f"data: {json.dumps({'seq': last})}\n\n" if last != seen else ": still here\n\n"
        seen = last
