"""What the pretended Jira knows of people, components and links between issues, on both versions of its API."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import flask
from flask import request
from flask.typing import ResponseReturnValue

from sandbox.jira import ACCOUNTS, COMPONENTS, PROJECT, JiraWorld


class Project:
    def __init__(self, jira: JiraWorld, *, cloud: bool) -> None:
        self.jira = jira
        self.cloud = cloud

    def assignable(self) -> ResponseReturnValue:
        wanted = request.args.get("query" if self.cloud else "username", "").lower()
        found = [
            {"accountId": account, "displayName": name} if self.cloud else {"name": name.lower(), "displayName": name}
            for account, name in ACCOUNTS.items()
            if wanted in (account, name.lower(), f"{name.lower()}@example.com")
        ]
        return flask.jsonify(found)

    def components(self, key: str) -> ResponseReturnValue:
        if key != PROJECT:
            return {"errorMessages": [f"No project could be found with key '{key}'."], "errors": {}}, 404
        return flask.jsonify([{"id": str(number), "name": name} for number, name in enumerate(COMPONENTS, 10_000)])

    def relate(self) -> ResponseReturnValue:
        body = request.get_json(force=True, silent=True) or {}
        pair = [self.jira.find(str((body.get(name) or {}).get("key"))) for name in ("inwardIssue", "outwardIssue")]
        if (body.get("type") or {}).get("name") != "Relates":
            return {"errorMessages": ["No issue link type with that name."], "errors": {}}, 404
        if pair[0] is None or pair[1] is None:
            return {
                "errorMessages": ["Issue does not exist or you do not have permission to see it."],
                "errors": {},
            }, 404
        self.jira.relate(pair[0], pair[1])
        return "", 201


def check_people(fields: Mapping[str, Any], *, cloud: bool) -> dict[str, str]:
    """Return field → complaint about assignee and components."""
    errors = {}
    assignee = fields.get("assignee")
    known = set(ACCOUNTS) if cloud else {name.lower() for name in ACCOUNTS.values()}
    if assignee is not None and assignee.get("accountId" if cloud else "name") not in known:
        errors["assignee"] = "User does not exist or cannot be assigned issues."
    wrong = [each.get("name") for each in fields.get("components") or () if each.get("name") not in COMPONENTS]
    if wrong:
        errors["components"] = f"Component name '{wrong[0]}' is not valid"
    return errors
