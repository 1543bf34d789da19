"""The Web API's views.* methods and blocks.validate."""

from __future__ import annotations

from typing import Any

from sandbox.slack.calls import ApiError, Args
from sandbox.slack.limits import Refusal, check_message, check_view
from sandbox.slack.service import Slack
from sandbox.slack.state import Json
from sandbox.slack.windows import Window


def open_view(slack: Slack, args: Args) -> Json:
    view = _checked(args, kind="modal")
    window = slack.windows.open(_triggered(slack, args), view)
    return {"view": window.facts()}


def push_view(slack: Slack, args: Args) -> Json:
    view = _checked(args, kind="modal")
    window = slack.windows.push(_triggered(slack, args), view)
    if window is None:
        raise ApiError("push_limit_reached")
    return {"view": window.facts()}


def update_view(slack: Slack, args: Args) -> Json:
    window = slack.windows.find(args.text("view_id"), external_id=args.text("external_id"))
    if window is None:
        raise ApiError("not_found")
    _check_hash(window, args)
    return {"view": slack.windows.update(window, _checked(args, kind=window.view["type"])).facts()}


def publish_view(slack: Slack, args: Args) -> Json:
    user = args.needed("user_id")
    person = slack.workspace.people.get(user)
    if person is None or person.is_bot:
        raise ApiError("invalid_arguments", response_metadata={"messages": ["[ERROR] unknown user_id"]})
    view = _checked(args, kind="home")
    before = slack.windows.homes().get(user)
    if before:
        _check_hash(before, args)
    return {"view": slack.windows.publish(user, view).facts()}


def validate_blocks(_slack: Slack, args: Args) -> Json:
    given = [name for name in ("blocks", "view", "message") if args.has(name)]
    if len(given) != 1:
        words = "must provide exactly one of `blocks`, `view`, or `message`"
        raise ApiError("invalid_arguments", response_metadata={"messages": [words]})
    value = args.structure(given[0], "invalid_json")
    refusal = _judge(given[0], value)
    if refusal:
        errors = [
            {"code": "failed_constraint", "message": complaint.message, "pointer": complaint.pointer}
            for complaint in refusal.complaints
        ]
        error = "invalid_blocks" if refusal.complaints else refusal.error
        raise ApiError(error, errors=errors, response_metadata={"messages": list(refusal.messages)})
    return {}


def _judge(name: str, value: Any) -> Refusal | None:
    match name:
        case "view":
            return check_view(value)
        case "blocks":
            return check_message("text beside the blocks", value)
        case _ if isinstance(value, dict):
            return check_message(value.get("text"), value.get("blocks"))
        case _:
            return Refusal(error="invalid_blocks")


def _checked(args: Args, *, kind: str) -> Json:
    view = args.structure("view", "invalid_arguments")
    refusal = check_view(view)
    if refusal:
        more = refusal.answer()
        raise ApiError(refusal.error, **{name: more[name] for name in more if name not in ("ok", "error")})
    if view["type"] != kind:
        messages = [f"[ERROR] must be a {kind} view [json-pointer:/view/type]"]
        raise ApiError("invalid_arguments", response_metadata={"messages": messages})
    return dict(view)


def _triggered(slack: Slack, args: Args) -> str:
    user, error = slack.trigger_ids.use(args.needed("trigger_id", "invalid_trigger_id"))
    if user is None:
        raise ApiError(error or "invalid_trigger_id")
    return user


def _check_hash(window: Window, args: Args) -> None:
    """A hash says which state the app believes to change; another since then wins."""
    if args.has("hash") and args.text("hash") != window.hash:
        raise ApiError("hash_conflict")
