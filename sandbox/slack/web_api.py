"""The pretended Slack by HTTP: `/api/<method>`, response URLs and uploads.

https://docs.slack.dev/apis/web-api
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import flask

from sandbox import line
from sandbox.slack import chat_api, directory_api, files_api, views_api
from sandbox.slack.calls import ApiError, Args
from sandbox.slack.rates import LIMITS
from sandbox.slack.responses import respond
from sandbox.slack.service import Slack
from sandbox.slack.state import APP, BOT, BOT_USER, TEAM, Json

Method = Callable[[Slack, Args], Json]


def _auth_test(slack: Slack, _args: Args) -> Json:
    return {
        "url": f"{slack.base_url}/",
        "team": "Muster sandbox",
        "user": "muster",
        "team_id": TEAM,
        "user_id": BOT_USER,
        "bot_id": BOT,
        "app_id": APP,
        "is_enterprise_install": False,
    }


def _open_connection(slack: Slack, _args: Args) -> Json:
    url = slack.sockets.open_line()
    if url is None:
        raise ApiError("too_many_websockets")
    return {"url": url}


# Method → what does it, and the scope it needs.
METHODS: Mapping[str, tuple[Method, str | None]] = {
    "api.test": (lambda _slack, _args: {}, None),
    "auth.test": (_auth_test, None),
    "apps.connections.open": (_open_connection, None),
    "blocks.validate": (views_api.validate_blocks, None),
    "chat.postMessage": (chat_api.post_message, "chat:write"),
    "chat.postEphemeral": (chat_api.post_ephemeral, "chat:write"),
    "chat.update": (chat_api.update, "chat:write"),
    "chat.delete": (chat_api.delete, "chat:write"),
    "chat.unfurl": (chat_api.unfurl, "links:write"),
    "chat.getPermalink": (chat_api.get_permalink, None),
    "reactions.add": (chat_api.add_reaction, "reactions:write"),
    "conversations.list": (directory_api.list_conversations, "channels:read"),
    "conversations.info": (directory_api.conversation_info, "channels:read"),
    "conversations.history": (directory_api.history, "channels:history"),
    "conversations.replies": (directory_api.replies, "channels:history"),
    "conversations.join": (directory_api.join, "channels:join"),
    "conversations.open": (directory_api.open_direct, "im:write"),
    "conversations.members": (directory_api.members, "channels:read"),
    "users.info": (directory_api.user_info, "users:read"),
    "users.list": (directory_api.list_users, "users:read"),
    "views.open": (views_api.open_view, None),
    "views.push": (views_api.push_view, None),
    "views.update": (views_api.update_view, None),
    "views.publish": (views_api.publish_view, None),
    "files.info": (files_api.info, "files:read"),
    "files.getUploadURLExternal": (files_api.get_upload_url, "files:write"),
    "files.completeUploadExternal": (files_api.complete_upload, "files:write"),
}
BY_APP_TOKEN = frozenset({"apps.connections.open"})
WITHOUT_TOKEN = frozenset({"api.test"})


def blueprint(slack: Slack) -> flask.Blueprint:
    routes = flask.Blueprint("slack", __name__)

    @routes.route("/api/<method>", methods=["GET", "POST"])
    def call(method: str) -> flask.Response:
        if slack.faults.on("slack_down"):
            return flask.Response("Service Unavailable", 503)
        if slack.faults.take("slack_429"):
            return _slow_down(1)
        return _call(slack, method)

    @routes.post("/response/<token>")
    def response(token: str) -> tuple[Json, int] | flask.Response:
        if slack.faults.on("slack_down"):
            return flask.Response("Service Unavailable", 503)
        answer, status = respond(slack, token, flask.request.get_json(force=True, silent=True))
        return answer, status

    @routes.route("/upload/<file_id>", methods=["POST", "PUT"])
    def upload(file_id: str) -> tuple[str, int]:
        if flask.request.mimetype == "multipart/form-data":
            content = b"".join(sent.read() for sent in flask.request.files.values())
        else:
            content = flask.request.get_data()
        file = slack.files.fill(file_id, content)
        return (f"OK - {file.size_bytes}", 200) if file else ("no such upload", 400)

    @routes.get("/upload/<file_id>")
    def download(file_id: str) -> flask.Response:
        file = slack.files.find(file_id)
        if file is None or file.content is None:
            return flask.Response("not found", 404)
        kind = "application/octet-stream"
        return flask.Response(file.content, mimetype=kind, headers={"Content-Disposition": "attachment"})

    @routes.get("/files-pri/<file_id>/<name>")
    def private(file_id: str, name: str) -> flask.Response:  # noqa: ARG001 (the name is for people)
        """Who has no token that may read files is shown a log-in page, as Slack does."""
        file, token = slack.files.find(file_id), flask.request.headers.get("Authorization", "")
        is_ours = token == f"Bearer {slack.credentials.bot_token}" and "files:read" in slack.credentials.scopes
        if not is_ours or file is None or file.content is None:
            return flask.Response("<html>Sign in to Slack</html>", 200, mimetype="text/html")
        return flask.Response(file.content, mimetype="application/octet-stream")

    return routes


def _call(slack: Slack, name: str) -> flask.Response:
    try:
        args, token = _read()
        _check_token(slack, name, token)
        method = _method(slack, name)
        wait_s = _throttle(slack, name, args)
        if wait_s is not None:
            return _slow_down(wait_s)
        answer = {"ok": True, **method(slack, args)}
    except ApiError as error:
        slack.workspace.count_rejected()
        answer = error.answer
    reply = flask.jsonify(answer)
    reply.headers["x-oauth-scopes"] = ",".join(slack.credentials.scopes)
    if name.startswith("chat.") and answer["ok"] and slack.faults.take("slack_lost"):
        line.drop()
    return reply


def _read() -> tuple[Args, str | None]:
    """The arguments and the token, from the query, a form or JSON, and the header."""
    request = flask.request
    values: dict[str, Any] = {**request.args.to_dict(), **request.form.to_dict()}
    if request.mimetype == "application/json":
        body = request.get_json(silent=True)
        if body is None and request.get_data():
            raise ApiError("invalid_json")
        if body is not None and not isinstance(body, dict):
            raise ApiError("json_not_object")
        values |= body or {}
    elif request.method == "POST" and request.get_data() and not values:
        raise ApiError("invalid_post_type")
    bearer = request.headers.get("Authorization", "")
    token = bearer.removeprefix("Bearer ").strip() if bearer.startswith("Bearer ") else values.get("token")
    return Args(values), token


def _check_token(slack: Slack, name: str, token: str | None) -> None:
    if name in WITHOUT_TOKEN:
        return
    if not token:
        raise ApiError("not_authed")
    known = {slack.credentials.bot_token, slack.credentials.app_token}
    if token not in known:
        raise ApiError("invalid_auth")
    by_app = token == slack.credentials.app_token
    if by_app != (name in BY_APP_TOKEN) and name != "auth.test":
        raise ApiError("not_allowed_token_type")


def _method(slack: Slack, name: str) -> Method:
    if name not in METHODS:
        raise ApiError("unknown_method", req_method=name)
    method, scope = METHODS[name]
    if scope and scope not in slack.credentials.scopes:
        raise ApiError("missing_scope", needed=scope, provided=",".join(slack.credentials.scopes))
    return method


def _throttle(slack: Slack, name: str, args: Args) -> int | None:
    limit = LIMITS.get(name)
    if limit is None:
        return None
    key = f"{name} {args.text('channel')}" if name == "chat.postMessage" else name
    return slack.rates.take(key, limit)


def _slow_down(wait_s: int) -> flask.Response:
    reply = flask.jsonify({"ok": False, "error": "ratelimited"})
    reply.status_code = 429
    reply.headers["Retry-After"] = str(wait_s)
    return reply
