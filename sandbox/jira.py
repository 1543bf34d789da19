"""A pretended Jira project, in the Cloud or a Data Center: its issues, its workflow, a search index that lags behind.

`sandbox.jira_web` speaks REST v3 for it, `sandbox.jira_v2` REST v2; here is the state behind it. Every method may be
called from any thread.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Literal

from core.clock import Clock
from sandbox import jira_search
from sandbox.faults import Faults

PROJECT = "EDGE"
PROJECT_NAME = "Edge models"
PROJECT_ID = "10000"
EMAIL = "muster@example.com"
TOKEN = "sandbox-jira-token"
WEBHOOK_SECRET = "sandbox-jira-webhook-secret"
ACCOUNTS: Mapping[str, str] = {"5b10ac8d82e05b22cc7d4ef5": "Mia", "5b10a0effa615349cb016cd8": "Dana"}
"""Who may be assigned issues; Data Center knows them by their names in lower case."""
COMPONENTS = ("Keyword spotter", "Next word")
ISSUE_TYPES: Mapping[str, str] = {"10001": "Task", "10002": "Bug", "10003": "Story"}
FIRST_ID = 10_100
FIRST_NUMBER = 88
LONGEST_HANG_S = 15.0

Hook = Callable[[str, Mapping[str, Any]], None]
"""(name of the event, what happened) → None; `sandbox.jira_webhook` sends it out."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Status:
    id: str
    name: str
    category: str
    transition: str
    resolution: str | None = None


STATUSES: Mapping[str, Status] = {
    status.id: status
    for status in (
        Status(id="1", name="To Do", category="new", transition="11"),
        Status(id="3", name="In Progress", category="indeterminate", transition="21"),
        Status(id="4", name="Done", category="done", transition="31", resolution="Done"),
        Status(id="5", name="Won't do", category="done", transition="41", resolution="Won't Do"),
    )
}
CATEGORY_NAMES: Mapping[str, tuple[int, str]] = {
    "new": (2, "To Do"),
    "indeterminate": (4, "In Progress"),
    "done": (3, "Done"),
}


@dataclass(slots=True, kw_only=True)
class Issue:
    """`seen` is what the search may know, oldest first: (moment, the issue's facts at that moment)."""

    id: int
    key: str
    type_id: str
    summary: str
    description: dict[str, Any] | str | None
    labels: list[str]
    created: datetime
    updated: datetime
    status: str = "1"
    properties: dict[str, Any] = field(default_factory=dict)
    comments: list[dict[str, Any]] = field(default_factory=list)
    links: list[dict[str, Any]] = field(default_factory=list)
    assignee: str | None = None
    components: tuple[str, ...] = ()
    related: list[str] = field(default_factory=list)
    seen: list[tuple[datetime, dict[str, Any]]] = field(default_factory=list)
    is_deleted: bool = False

    def facts(self) -> dict[str, Any]:
        """Return what search compares."""
        status = STATUSES[self.status]
        return {
            "id": self.id,
            "key": self.key,
            "project": self.key.rpartition("-")[0],
            "summary": self.summary,
            "text": "",
            "labels": list(self.labels),
            "status": status.name,
            "category": CATEGORY_NAMES[status.category][1],
            "created": self.created,
            "updated": self.updated,
        }


class JiraWorld:
    """`base_url` is where people and clients reach it; set it once the port is known."""

    def __init__(
        self,
        faults: Faults,
        clock: Clock,
        *,
        base_url: str = "http://127.0.0.1/jira",
        changed: Callable[[], None] = lambda: None,
        hook: Hook = lambda _name, _facts: None,
        hang_s: float = LONGEST_HANG_S,
    ) -> None:
        """`hang_s` is how long an unanswered request is held open, in real seconds; a client gives up sooner."""
        self.faults = faults
        self.clock = clock
        self.base_url = base_url
        self.changed = changed
        self.hook = hook
        self.hang_s = hang_s
        self.drops_when_down = False
        self.deployment: Literal["Cloud", "Server"] = "Cloud"
        self.closing = threading.Event()
        self._lock = threading.RLock()
        self._issues: list[Issue] = []

    def create(self, fields: Mapping[str, Any], properties: Mapping[str, Any]) -> Issue:
        """Add an issue; the fields are taken to be checked."""
        with self._lock:
            number = len(self._issues)
            now = self.clock()
            issue = Issue(
                id=FIRST_ID + number,
                key=f"{PROJECT}-{FIRST_NUMBER + number}",
                type_id=_type_id(fields["issuetype"]),
                summary=fields["summary"],
                description=fields.get("description"),
                labels=list(fields.get("labels") or ()),
                properties=dict(properties),
                assignee=(fields.get("assignee") or {}).get("accountId") or (fields.get("assignee") or {}).get("name"),
                components=tuple(each["name"] for each in fields.get("components") or ()),
                created=now,
                updated=now,
            )
            self._issues.append(issue)
        self._touched(issue, "jira:issue_created", {})
        return issue

    def find(self, ref: str) -> Issue | None:
        """Find by key or id; exact at once."""
        with self._lock:
            return next((issue for issue in self.all() if ref.upper() == issue.key or ref == str(issue.id)), None)

    def all(self) -> tuple[Issue, ...]:
        """Return what is there, oldest first."""
        with self._lock:
            return tuple(issue for issue in self._issues if not issue.is_deleted)

    def search(self, jql: str, reconcile: Sequence[int]) -> list[Issue]:
        """Return what the index finds; it knows only what is older than its lag, but `reconcile` exactly.

        Raises: JqlError: the query is not understood.
        """
        query = jira_search.parse(jql)
        horizon = self.clock() - timedelta(seconds=self.faults.amount("jira_lag_s"))
        with self._lock:
            known = [self._indexed(issue, horizon, exactly=issue.id in reconcile) for issue in self.all()]
            found = query.sorted([facts for facts in known if facts is not None and query.matches(facts)])
            by_id = {issue.id: issue for issue in self.all()}
            return [by_id[facts["id"]] for facts in found]

    def edit(self, issue: Issue, fields: Mapping[str, Any]) -> None:
        with self._lock:
            issue.summary = fields.get("summary", issue.summary)
            issue.description = fields.get("description", issue.description)
            issue.labels = list(fields.get("labels", issue.labels) or ())
        self._touched(issue, "jira:issue_updated", {"items": [{"field": name} for name in fields]})

    def move(self, issue: Issue, status: Status) -> None:
        with self._lock:
            before = STATUSES[issue.status]
            issue.status = status.id
        items = [_moved("status", before.name, status.name)]
        if before.resolution != status.resolution:
            items.append(_moved("resolution", before.resolution, status.resolution))
        self._touched(issue, "jira:issue_updated", {"items": items})

    def transitions(self, issue: Issue) -> list[Status]:
        """Return where the issue may go: anywhere but where it is."""
        return [status for status in STATUSES.values() if status.id != issue.status]

    def relate(self, one: Issue, other: Issue) -> None:
        """Link two issues; the same link again changes nothing."""
        with self._lock:
            for issue, key in ((one, other.key), (other, one.key)):
                if key not in issue.related:
                    issue.related.append(key)
        self.changed()

    def comment(self, issue: Issue, body: Mapping[str, Any] | str, author: str = "Muster") -> dict[str, Any]:
        with self._lock:
            at = self.clock()
            comment = {"id": str(issue.id * 100 + len(issue.comments)), "body": body, "author": author, "created": at}
            issue.comments.append(comment)
        self._touched(issue, "comment_created", {})
        return comment

    def put_link(self, issue: Issue, link: Mapping[str, Any]) -> tuple[int, bool]:
        """Put a remote link, by its `globalId` when it has one; return its id and whether it is new."""
        with self._lock:
            same = [one for one in issue.links if link.get("globalId") and one["globalId"] == link["globalId"]]
            if same:
                same[0].update(link)
                number, is_new = int(same[0]["id"]), False
            else:
                number, is_new = 20_000 + 100 * (issue.id - FIRST_ID) + len(issue.links), True
                issue.links.append({"globalId": None, **link, "id": number})
        self.changed()
        return number, is_new

    def drop_link(self, issue: Issue, global_id: str) -> bool:
        with self._lock:
            kept = [link for link in issue.links if link["globalId"] != global_id]
            is_gone = len(kept) < len(issue.links)
            issue.links = kept
        self.changed()
        return is_gone

    def put_property(self, issue: Issue, key: str, value: object) -> bool:
        """Set a property; return whether it is new."""
        with self._lock:
            is_new = key not in issue.properties
            issue.properties[key] = value
        self.changed()
        return is_new

    def drop_property(self, issue: Issue, key: str) -> bool:
        with self._lock:
            return issue.properties.pop(key, None) is not None

    def delete(self, issue: Issue) -> None:
        """Take an issue away as an admin does; its key is never given again."""
        with self._lock:
            issue.is_deleted = True
        self.changed()
        self.hook("jira:issue_deleted", {"issue": issue, "changelog": {}})

    def facts(self) -> list[dict[str, Any]]:
        """Return what the sandbox's page lists, newest first."""
        with self._lock:
            return [
                {
                    "key": issue.key,
                    "summary": issue.summary,
                    "status": STATUSES[issue.status].name,
                    "labels": list(issue.labels),
                    "url": self.browse_url(issue.key),
                    "comments": len(issue.comments),
                    "created": issue.created.isoformat(),
                }
                for issue in reversed(self.all())
            ]

    def browse_url(self, key: str) -> str:
        return f"{self.base_url}/browse/{key}"

    def close(self) -> None:
        """Let go of every request that is held open."""
        self.closing.set()

    def _touched(self, issue: Issue, event: str, changelog: Mapping[str, Any]) -> None:
        with self._lock:
            issue.updated = self.clock()
            issue.seen.append((issue.updated, issue.facts()))
        self.changed()
        self.hook(event, {"issue": issue, "changelog": changelog})

    def _indexed(self, issue: Issue, horizon: datetime, *, exactly: bool) -> dict[str, Any] | None:
        if exactly:
            return issue.facts()
        return next((facts for at, facts in reversed(issue.seen) if at <= horizon), None)


def _moved(field_name: str, before: str | None, after: str | None) -> dict[str, str | None]:
    return {"field": field_name, "fromString": before, "toString": after}


def _type_id(kind: Mapping[str, Any]) -> str:
    named = [number for number, name in ISSUE_TYPES.items() if name == kind.get("name")]
    return named[0] if named else str(kind["id"])
