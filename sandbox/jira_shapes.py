"""Issues, statuses and comments in the shapes of Jira's REST API. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sandbox.jira import CATEGORY_NAMES, EMAIL, ISSUE_TYPES, PROJECT, PROJECT_ID, PROJECT_NAME, STATUSES, Issue, Status

ACCOUNT = {"accountId": "5b10a2844c20165700ede21g", "displayName": "Muster", "emailAddress": EMAIL, "active": True}


def fields(issue: Issue) -> dict[str, Any]:
    at = STATUSES[issue.status]
    return {
        "summary": issue.summary,
        "description": issue.description,
        "labels": list(issue.labels),
        "status": status(at),
        "resolution": {"name": at.resolution} if at.resolution else None,
        "issuetype": {"id": issue.type_id, "name": ISSUE_TYPES[issue.type_id], "subtask": False},
        "project": {"id": PROJECT_ID, "key": PROJECT, "name": PROJECT_NAME},
        "created": moment(issue.created),
        "updated": moment(issue.updated),
    }


def status(one: Status) -> dict[str, Any]:
    number, name = CATEGORY_NAMES[one.category]
    category = {"id": number, "key": one.category, "name": name}
    return {"id": one.id, "name": one.name, "statusCategory": category}


def transition(to: Status) -> dict[str, Any]:
    return {"id": to.transition, "name": to.name, "to": status(to), "isGlobal": True, "hasScreen": False}


def comment(one: Mapping[str, Any]) -> dict[str, Any]:
    author = {**ACCOUNT, "displayName": one["author"]}
    return {"id": one["id"], "author": author, "body": one["body"], "created": moment(one["created"])}


def moment(at: datetime) -> str:
    return at.strftime("%Y-%m-%dT%H:%M:%S.000+0000")
