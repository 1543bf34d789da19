"""Jira Cloud v3 and Data Center v2, the calls that tickets need.

Jira cannot create idempotently, and its search sees a new issue only after seconds or minutes. Reading an issue
by its key is exact, though, and keys are counted up: so `look_up` reads the keys after a known one, tells the
search to reconcile them, and can say that an issue is certainly not there.
https://developer.atlassian.com/cloud/jira/platform/search-and-reconcile/
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal
from urllib.parse import quote

from core.errors import Problem, UpstreamError
from integrations import adf
from integrations.http import JsonClient, Method, OutcomeUnknownError, Reply
from integrations.jira_dialect import CLOUD, DATA_CENTER, Dialect, Kind

Category = Literal["new", "indeterminate", "done"]

SUMMARY_CHARACTERS = 255
RECONCILE_AT_MOST = 50
# Numbers that failed creates have used up; more than this in a row means the end.
GAP = 20
WALK_AT_MOST = 200
COMMENTS_READ = 100
FIELDS = ("summary", "status", "resolution", "labels")
# Statuses and transitions of the category "done" that mean it was not.
NOT_DONE = re.compile(r"won.?t|wont|reject|declin|invalid|duplicate|not a bug|cannot|cancel", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Issue:
    """`category` is that of its status: new, indeterminate or done."""

    id: str
    key: str
    summary: str = ""
    status: str = ""
    category: str = "new"
    resolution: str | None = None
    labels: tuple[str, ...] = ()
    properties: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """`certain`: no issue with the mark exists but `issue`. `newest` is the highest key number the search knows."""

    issue: Issue | None
    certain: bool
    newest: int


class IssueGoneError(UpstreamError):
    """Somebody deleted the issue, or took it out of our sight."""

    def __init__(self, key: str) -> None:
        super().__init__("jira", f"{key} is not there any more", permanent=True)


class JiraClient:
    def __init__(
        self, http: JsonClient, *, project: str, issue_type: str, kind: Kind | Literal["auto"] = "cloud"
    ) -> None:
        """`kind` auto asks the server once which of the two it is."""
        self._http = http
        self.project = project
        self.issue_type = issue_type
        self._dialect = {"cloud": CLOUD, "datacenter": DATA_CENTER}.get(kind)

    @property
    def dialect(self) -> Dialect:
        if self._dialect is None:
            told = self._told(self._http.request("GET", "/rest/api/2/serverInfo"), "deploymentType")
            self._dialect = CLOUD if told == "Cloud" else DATA_CENTER
        return self._dialect

    def browse_url(self, key: str) -> str:
        return f"{self._http.base_url}/browse/{quote(key, safe='')}"

    def create(
        self,
        *,
        summary: str,
        description: adf.Node,
        labels: Sequence[str],
        properties: Mapping[str, object],
        assignee: str | None = None,
        component: str | None = None,
    ) -> str:
        """Create an issue, marked in the same call, and return its key."""
        fields: dict[str, Any] = {
            "project": {"key": self.project},
            "issuetype": {"name": self.issue_type},
            "summary": one_line(summary),
            "description": self.dialect.text(description),
            "labels": list(labels),
        }
        if assignee is not None:
            fields["assignee"] = self.dialect.account(assignee)
        if component is not None:
            fields["components"] = [{"name": component}]
        marks = [{"key": name, "value": value} for name, value in properties.items()]
        body = {"fields": fields, "properties": marks}
        return str(self._told(self._http.request("POST", f"{self.dialect.api}/issue", body), "key"))

    def find(self, key: str, *, properties: Sequence[str] = ()) -> Issue | None:
        """Read one issue; exact at once, unlike search."""
        params = {"fields": ",".join(FIELDS)}
        if properties:
            params["properties"] = ",".join(properties)
        reply = self._http.request("GET", self._issue(key), params=params, accept=frozenset({404}))
        return None if reply.status == 404 else _parsed(reply.body)

    def search(
        self, jql: str, *, properties: Sequence[str] = (), reconcile: Sequence[int] = (), limit: int = 50
    ) -> tuple[Issue, ...]:
        """Search, which may not know the newest issues yet; those with ids in `reconcile` it does know."""
        body: dict[str, Any] = {"jql": jql, "maxResults": limit, "fields": list(FIELDS)}
        if not self.dialect.has_lagging_search:
            found = self._told(self._http.request("POST", f"{self.dialect.api}/search", body), "issues")
            issues = tuple(_parsed(each) for each in found)
            if not properties:
                return issues
            again = (self.find(issue.key, properties=properties) for issue in issues)
            return tuple(issue for issue in again if issue is not None)
        if properties:
            body["properties"] = list(properties)
        if reconcile:
            body["reconcileIssues"] = list(reconcile[-RECONCILE_AT_MOST:])
        reply = self._http.request("POST", f"{self.dialect.api}/search/jql", body)
        return tuple(_parsed(each) for each in self._told(reply, "issues"))

    def look_up(self, *, label: str, mark: str, value: Mapping[str, object], after: int | None = None) -> Found:
        """Look for the oldest issue whose property `mark` is `value`; labels alone are copied with clones.

        `after` is the highest key number known before an attempt: every later key is read, so that the answer
        does not hang on the search's index. Without it the answer is never certain.
        """
        newest = self._newest()
        later, complete = self._walk(after, newest, mark) if after is not None else ([], False)
        jql = f"project = {_quoted(self.project)} AND labels = {_quoted(label)} ORDER BY created ASC"
        labeled = self.search(jql, properties=[mark], reconcile=[int(issue.id) for issue in later])
        ours = [issue for issue in (*later, *labeled) if issue.properties.get(mark) == value]
        oldest = min(ours, key=lambda issue: key_number(issue.key), default=None)
        return Found(issue=oldest, certain=oldest is not None or complete, newest=newest)

    def _newest(self) -> int:
        found = self.search(f"project = {_quoted(self.project)} ORDER BY key DESC", limit=1)
        return max((key_number(issue.key) for issue in found), default=0)

    def _walk(self, after: int, newest: int, mark: str) -> tuple[list[Issue], bool]:
        """Read the keys after `after` one by one; return what is there and whether the end was reached."""
        found: list[Issue] = []
        missing = 0
        for number in range(after + 1, after + 1 + WALK_AT_MOST):
            issue = self.find(f"{self.project}-{number}", properties=[mark])
            if issue is not None:
                found.append(issue)
            missing = 0 if issue is not None or number <= newest else missing + 1
            # Where nothing at all is known the first key may be any: projects lose their oldest issues.
            if missing >= (GAP if after or newest or found else WALK_AT_MOST):
                return found, True
        return found, False

    def comment(self, key: str, body: adf.Node) -> None:
        """Raises: IssueGoneError."""
        self._of(key, "POST", "/comment", {"body": self.dialect.text(body)})

    def has_comment(self, key: str, words: str) -> bool:
        """Whether one of the newest comments says `words`. Raises: IssueGoneError."""
        params = {"orderBy": "-created", "maxResults": str(COMMENTS_READ)}
        comments = self._told(self._of(key, "GET", "/comment", params=params), "comments")
        return any(words in self.dialect.plain(each.get("body")) for each in comments)

    def move(self, key: str, *categories: Category) -> bool:
        """Take a transition to a status of the first category that has one; False when the workflow has none from here.

        A status of "done" that means it will not be done is never taken. Raises: IssueGoneError.
        """
        transitions = self._told(self._of(key, "GET", "/transitions"), "transitions")
        for category in categories:
            for transition in transitions:
                to = transition["to"]
                if to["statusCategory"]["key"] == category and not NOT_DONE.search(
                    f"{to['name']} {transition['name']}"
                ):
                    self._of(key, "POST", "/transitions", {"transition": {"id": transition["id"]}})
                    return True
        return False

    def relate(self, key: str, to: str) -> None:
        """Link two issues as related; Jira takes the same link again for the one that is there."""
        body = {"type": {"name": "Relates"}, "inwardIssue": {"key": key}, "outwardIssue": {"key": to}}
        self._http.request("POST", f"{self.dialect.api}/issueLink", body, accept=frozenset({404}))

    def put_link(self, key: str, *, global_id: str, title: str, url: str) -> None:
        """Put a link on the issue; the same `global_id` again only updates it."""
        body = {
            "globalId": global_id,
            "application": {"type": "muster", "name": "Muster"},
            "object": {"url": url, "title": one_line(title)},
        }
        self._of(key, "POST", "/remotelink", body)

    def put_property(self, key: str, name: str, value: object) -> None:
        self._of(key, "PUT", f"/properties/{quote(name, safe='')}", value)

    def find_account(self, query: str) -> tuple[str, str] | None:
        """Return the account that may be assigned issues here and its name, when the query fits exactly one."""
        name = "query" if self.dialect.kind == "cloud" else "username"
        params = {"project": self.project, name: query, "maxResults": "2"}
        reply = self._http.request("GET", f"{self.dialect.api}/user/assignable/search", params=params)
        found = reply.body if isinstance(reply.body, list) else []
        if len(found) != 1:
            return None
        account = found[0].get("accountId" if self.dialect.kind == "cloud" else "name")
        return (str(account), str(found[0].get("displayName") or account)) if account else None

    def components(self) -> tuple[str, ...]:
        reply = self._http.request("GET", f"{self.dialect.api}/project/{quote(self.project, safe='')}/components")
        return tuple(str(each["name"]) for each in reply.body or () if isinstance(each, dict))

    def _issue(self, key: str) -> str:
        return f"{self.dialect.api}/issue/{quote(key, safe='')}"

    def _of(
        self, key: str, method: Method, path: str, body: object = None, *, params: Mapping[str, str] | None = None
    ) -> Reply:
        """Raises: IssueGoneError: there is no such issue."""
        gone = frozenset({404})
        reply = self._http.request(method, self._issue(key) + path, body, params=params, accept=gone)
        if reply.status == 404:
            raise IssueGoneError(key)
        return reply

    def _told(self, reply: Reply, name: str) -> Any:
        """Return one part of an answer; something between Jira and us may have answered in its place."""
        if not isinstance(reply.body, dict) or name not in reply.body:
            raise OutcomeUnknownError(self._http.service, f"answered HTTP {reply.status} without {name!r}")
        return reply.body[name]

    def check(self) -> tuple[Problem, ...]:
        """Return what keeps tickets from being opened, with what to do about it; nothing when all is well."""
        try:
            reply = self._http.request("GET", f"{self.dialect.api}/myself", accept=frozenset({401, 403}))
            if reply.status in (401, 403):
                return (Problem("jira_token", "Jira does not accept the account and token; make a new API token"),)
            path = f"{self.dialect.api}/issue/createmeta/{quote(self.project, safe='')}/issuetypes"
            reply = self._http.request("GET", path, accept=frozenset({403, 404}))
        except UpstreamError as error:
            return (Problem("jira_url", error.message.removeprefix("jira: ")),)
        if reply.status in (403, 404):
            return (
                Problem("jira_project", f"{self.project!r} does not exist or the account may not create issues in it"),
            )
        names = [str(each["name"]) for each in reply.body.get("issueTypes") or reply.body.get("values") or ()]
        if self.issue_type not in names:
            return (
                Problem("jira_issue_type", f"{self.project} has no {self.issue_type!r}; it has {', '.join(names)}"),
            )
        return ()


def one_line(plain: str) -> str:
    """Return the text as Jira wants a summary: one line of at most 255 characters, never empty."""
    line = " ".join(adf.clean(plain).split()) or "–"
    return line if len(line) <= SUMMARY_CHARACTERS else line[: SUMMARY_CHARACTERS - 1] + "…"


def key_number(key: str) -> int:
    """Return 91 of EDGE-91, 0 of anything else."""
    number = key.rpartition("-")[2]
    return int(number) if number.isdigit() else 0


def _quoted(word: str) -> str:
    """Return a JQL string."""
    return '"' + word.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _parsed(body: Mapping[str, Any]) -> Issue:
    fields = body.get("fields") or {}
    status = fields.get("status") or {}
    resolution = fields.get("resolution") or {}
    return Issue(
        id=str(body["id"]),
        key=str(body["key"]),
        summary=str(fields.get("summary") or ""),
        status=str(status.get("name") or ""),
        category=str((status.get("statusCategory") or {}).get("key") or "new"),
        resolution=resolution.get("name"),
        labels=tuple(fields.get("labels") or ()),
        properties=body.get("properties") or {},
    )
