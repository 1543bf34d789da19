"""REST v3 of the pretended Jira, as much as its clients need, with Jira's own answers and failures.

`sandbox.jira_v2` mounts it at /jira: the base address for clients is then http://host:port/jira.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import flask
from flask import request
from flask.typing import ResponseReturnValue

from sandbox import jira_project, jira_rules, jira_shapes, line
from sandbox.jira import (
    EMAIL,
    ISSUE_TYPES,
    PROJECT,
    PROJECT_ID,
    TOKEN,
    Issue,
    JiraWorld,
)
from sandbox.jira_search import JqlError

API = "/rest/api/3"
NO_ISSUE = "Issue does not exist or you do not have permission to see it."
RETRY_AFTER_S = 1
RECONCILE_AT_MOST = 50
RESULTS_AT_MOST = 5_000


class RefusedError(Exception):
    """An answer in Jira's error shape."""

    def __init__(self, status: int, *messages: str, errors: Mapping[str, str] | None = None) -> None:
        super().__init__(*messages)
        self.status = status
        self.body = {"errorMessages": list(messages), "errors": dict(errors or {})}


class JiraApi:
    """The API of the Cloud; `check_text` and `may_enter` are what Data Center does in another way."""

    api = API
    check_text = staticmethod(jira_rules.check_document)

    def __init__(self, jira: JiraWorld) -> None:
        self.jira = jira

    def may_enter(self) -> bool:
        login = request.authorization
        return login is not None and login.type == "basic" and (login.username, login.password) == (EMAIL, TOKEN)

    def check(self, fields: Mapping[str, Any], *, creating: bool) -> dict[str, str]:
        errors = jira_rules.check_fields(
            fields, project=PROJECT, issue_types=ISSUE_TYPES, creating=creating, check_text=self.check_text
        )
        return errors | jira_project.check_people(fields, cloud=self.api == API)

    def gate(self) -> ResponseReturnValue | None:
        """Answer in place of the API when a fault is on or the account is wrong."""
        if self.jira.faults.on("jira_down"):
            if self.jira.drops_when_down:
                return _dropped()
            return "<html><body><h1>Service Unavailable</h1></body></html>", 503
        if self.jira.faults.take("jira_429"):
            return self._too_many()
        if not self.may_enter():
            body = {"message": "Client must be authenticated to access this resource.", "status-code": 401}
            return body, 401, {"X-Seraph-Loginreason": "AUTHENTICATED_FAILED"}
        return None

    def _too_many(self) -> ResponseReturnValue:
        until = self.jira.clock() + timedelta(seconds=RETRY_AFTER_S)
        headers = {
            "Retry-After": str(RETRY_AFTER_S),
            "RateLimit-Reason": "jira-burst-based",
            "X-RateLimit-Reset": until.strftime("%Y-%m-%dT%H:%MZ"),
        }
        return {"errorMessages": ["Rate limit exceeded."], "errors": {}}, 429, headers

    def myself(self) -> ResponseReturnValue:
        return {**jira_shapes.ACCOUNT, "self": self._self("myself"), "timeZone": "Etc/UTC", "accountType": "atlassian"}

    def server_info(self) -> ResponseReturnValue:
        version = "1001.0.0-SNAPSHOT" if self.jira.deployment == "Cloud" else "9.17.5"
        return {"baseUrl": self.jira.base_url, "version": version, "deploymentType": self.jira.deployment}

    def issue_types(self, project: str) -> ResponseReturnValue:
        if project not in (PROJECT, PROJECT_ID):
            raise RefusedError(404, f"No project could be found with key '{project}'.")
        types = [{"id": number, "name": name, "subtask": False} for number, name in ISSUE_TYPES.items()]
        return {"startAt": 0, "maxResults": 50, "total": len(types), "issueTypes": types}

    def create(self) -> ResponseReturnValue:
        body = _body()
        fields = body.get("fields") or {}
        errors = self.check(fields, creating=True)
        properties = {str(each.get("key")): each.get("value") for each in body.get("properties") or ()}
        for key, value in properties.items():
            if complaint := jira_rules.check_property(key, value):
                errors["properties"] = complaint
        if errors:
            raise RefusedError(400, errors=errors)
        issue = self.jira.create(fields, properties)
        if self.jira.faults.take("jira_timeout_after_create"):
            self.jira.closing.wait(self.jira.hang_s)
            return _dropped()
        return {"id": str(issue.id), "key": issue.key, "self": self._self(f"issue/{issue.id}")}, 201

    def read(self, ref: str) -> ResponseReturnValue:
        fields = [name for name in request.args.get("fields", "*all").split(",") if name]
        properties = [name for name in request.args.get("properties", "").split(",") if name]
        return self._issue(self._find(ref), fields, properties)

    def edit(self, ref: str) -> ResponseReturnValue:
        issue = self._find(ref)
        fields = _body().get("fields") or {}
        errors = self.check(fields, creating=False)
        if errors:
            raise RefusedError(400, errors=errors)
        self.jira.edit(issue, fields)
        return "", 204

    def delete(self, ref: str) -> ResponseReturnValue:
        self.jira.delete(self._find(ref))
        return "", 204

    def search(self) -> ResponseReturnValue:
        body = _body() if request.method == "POST" else _query()
        reconcile = body.get("reconcileIssues") or []
        if len(reconcile) > RECONCILE_AT_MOST:
            raise RefusedError(400, "The number of issues to reconcile must not exceed 50.")
        if not body.get("jql"):
            raise RefusedError(400, "Unbounded JQL queries are not allowed here. Please add a search restriction.")
        try:
            found = self.jira.search(str(body["jql"]), [int(each) for each in reconcile])
        except JqlError as error:
            raise RefusedError(400, str(error)) from error
        start = int(body.get("nextPageToken") or 0)
        end = start + min(int(body.get("maxResults", 50)), RESULTS_AT_MOST)
        fields = list(body.get("fields") or ["id"])
        issues = [self._issue(issue, fields, list(body.get("properties") or ())) for issue in found[start:end]]
        page: dict[str, Any] = {"issues": issues, "isLast": end >= len(found)}
        return page if page["isLast"] else {**page, "nextPageToken": str(end)}

    def transitions(self, ref: str) -> ResponseReturnValue:
        shown = [jira_shapes.transition(status) for status in self.jira.transitions(self._find(ref))]
        return {"expand": "transitions", "transitions": shown}

    def transition(self, ref: str) -> ResponseReturnValue:
        issue = self._find(ref)
        wanted = str((_body().get("transition") or {}).get("id"))
        for status in self.jira.transitions(issue):
            if status.transition == wanted:
                self.jira.move(issue, status)
                return "", 204
        raise RefusedError(400, f"Transition id '{wanted}' is not valid for this issue.")

    def comments(self, ref: str) -> ResponseReturnValue:
        comments = [jira_shapes.comment(each) for each in self._find(ref).comments]
        if request.args.get("orderBy", "").startswith("-"):
            comments.reverse()
        start, size = int(request.args.get("startAt", 0)), int(request.args.get("maxResults", 50))
        page = comments[start : start + size]
        return {"startAt": start, "maxResults": size, "total": len(comments), "comments": page}

    def comment(self, ref: str) -> ResponseReturnValue:
        issue = self._find(ref)
        body = _body()
        if complaint := self.check_text(body.get("body")):
            raise RefusedError(400, errors={"comment": complaint})
        return jira_shapes.comment(self.jira.comment(issue, body["body"])), 201

    def links(self, ref: str) -> ResponseReturnValue:
        wanted = request.args.get("globalId")
        links = [link for link in self._find(ref).links if wanted is None or link["globalId"] == wanted]
        return flask.jsonify(links)

    def put_link(self, ref: str) -> ResponseReturnValue:
        issue = self._find(ref)
        body = _body()
        if errors := jira_rules.check_link(body):
            raise RefusedError(400, errors=errors)
        number, is_new = self.jira.put_link(issue, body)
        return {"id": number, "self": self._self(f"issue/{issue.id}/remotelink/{number}")}, 201 if is_new else 200

    def drop_link(self, ref: str) -> ResponseReturnValue:
        if not self.jira.drop_link(self._find(ref), request.args.get("globalId", "")):
            raise RefusedError(404, "The remote issue link does not exist.")
        return "", 204

    def property(self, ref: str, key: str) -> ResponseReturnValue:
        properties = self._find(ref).properties
        if key not in properties:
            raise RefusedError(404, f"The property with key '{key}' does not exist.")
        return {"key": key, "value": properties[key]}

    def put_property(self, ref: str, key: str) -> ResponseReturnValue:
        issue = self._find(ref)
        value = request.get_json(force=True, silent=True)
        if complaint := jira_rules.check_property(key, value):
            raise RefusedError(400, complaint)
        return {}, 201 if self.jira.put_property(issue, key, value) else 200

    def drop_property(self, ref: str, key: str) -> ResponseReturnValue:
        if not self.jira.drop_property(self._find(ref), key):
            raise RefusedError(404, f"The property with key '{key}' does not exist.")
        return "", 204

    def _find(self, ref: str) -> Issue:
        issue = self.jira.find(ref)
        if issue is None:
            raise RefusedError(404, NO_ISSUE)
        return issue

    def _self(self, path: str) -> str:
        return f"{self.jira.base_url}{self.api}/{path}"

    def _issue(self, issue: Issue, fields: list[str], properties: list[str]) -> dict[str, Any]:
        if fields == ["id"]:
            return {"id": str(issue.id)}
        known = jira_shapes.fields(issue)
        wanted = known if {"*all", "*navigable"} & set(fields) else {n: known[n] for n in fields if n in known}
        shown: dict[str, Any] = {
            "id": str(issue.id),
            "key": issue.key,
            "self": self._self(f"issue/{issue.id}"),
            "fields": wanted,
        }
        if properties:
            shown["properties"] = {name: issue.properties[name] for name in properties if name in issue.properties}
        return shown


def rest(api: JiraApi, name: str) -> flask.Blueprint:
    """Return the routes of one version of the API."""
    rest = flask.Blueprint(name, __name__)
    base = api.api
    issue = f"{base}/issue/<ref>"
    project = jira_project.Project(api.jira, cloud=base == API)
    routes = (
        ("GET", f"{base}/myself", api.myself),
        ("GET", f"{base}/serverInfo", api.server_info),
        ("GET", f"{base}/issue/createmeta/<project>/issuetypes", api.issue_types),
        ("GET", f"{base}/user/assignable/search", project.assignable),
        ("GET", f"{base}/project/<key>/components", project.components),
        ("POST", f"{base}/issueLink", project.relate),
        ("POST", f"{base}/issue", api.create),
        ("GET", issue, api.read),
        ("PUT", issue, api.edit),
        ("DELETE", issue, api.delete),
        ("POST GET", f"{base}/search/jql" if base == API else f"{base}/search", api.search),
        ("GET", f"{issue}/transitions", api.transitions),
        ("POST", f"{issue}/transitions", api.transition),
        ("GET", f"{issue}/comment", api.comments),
        ("POST", f"{issue}/comment", api.comment),
        ("GET", f"{issue}/remotelink", api.links),
        ("POST", f"{issue}/remotelink", api.put_link),
        ("DELETE", f"{issue}/remotelink", api.drop_link),
        ("GET", f"{issue}/properties/<key>", api.property),
        ("PUT", f"{issue}/properties/<key>", api.put_property),
        ("DELETE", f"{issue}/properties/<key>", api.drop_property),
    )
    for methods, rule, view in routes:
        rest.add_url_rule(rule, view.__name__, view, methods=methods.split())
    rest.before_request(api.gate)
    rest.register_error_handler(RefusedError, lambda error: (error.body, error.status))
    return rest


def _dropped() -> ResponseReturnValue:
    line.drop()
    return "", 503


def _body() -> dict[str, Any]:
    body = request.get_json(force=True, silent=True)
    if not isinstance(body, dict):
        raise RefusedError(400, "Invalid request payload. Refer to the REST API documentation and try again.")
    return body


def _query() -> dict[str, Any]:
    lists = {name: request.args.get(name, "").split(",") for name in ("fields", "properties", "reconcileIssues")}
    return {**request.args, **{name: [each for each in value if each] for name, value in lists.items()}}
