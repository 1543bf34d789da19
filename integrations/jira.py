"""Jira Cloud v3, the calls that tickets need.

Jira cannot create idempotently, and its search sees a new issue only after seconds or minutes. Reading an issue
by its key is exact, though, and keys are counted up: so `look_up` reads the keys after a known one, tells the
search to reconcile them, and can say that an issue is certainly not there.
https://developer.atlassian.com/cloud/jira/platform/search-and-reconcile/
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal
from urllib.parse import quote

from core.errors import Problem, UpstreamError
from integrations import adf
from integrations.http import JsonClient, OutcomeUnknownError, Reply

Category = Literal["new", "indeterminate", "done"]

SUMMARY_CHARACTERS = 255
RECONCILE_AT_MOST = 50
# Numbers that failed creates have used up; more than this in a row means the end.
GAP = 20
WALK_AT_MOST = 200
COMMENTS_READ = 100
FIELDS = ("summary", "status", "resolution", "labels")
API = "/rest/api/3"


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


class JiraClient:
    def __init__(self, http: JsonClient, *, project: str, issue_type: str) -> None:
        self._http = http
        self.project = project
        self.issue_type = issue_type

    def browse_url(self, key: str) -> str:
        return f"{self._http.base_url}/browse/{quote(key, safe='')}"

    def create(
        self, *, summary: str, description: adf.Node, labels: Sequence[str], properties: Mapping[str, object]
    ) -> str:
        """Create an issue, marked in the same call, and return its key."""
        body = {
            "fields": {
                "project": {"key": self.project},
                "issuetype": {"name": self.issue_type},
                "summary": one_line(summary),
                "description": description,
                "labels": list(labels),
            },
            "properties": [{"key": name, "value": value} for name, value in properties.items()],
        }
        return str(self._told(self._http.request("POST", f"{API}/issue", body), "key"))

    def find(self, key: str, *, properties: Sequence[str] = ()) -> Issue | None:
        """Read one issue; exact at once, unlike search."""
        params = {"fields": ",".join(FIELDS)}
        if properties:
            params["properties"] = ",".join(properties)
        reply = self._http.request("GET", _issue(key), params=params, accept=frozenset({404}))
        return None if reply.status == 404 else _parsed(reply.body)

    def search(
        self, jql: str, *, properties: Sequence[str] = (), reconcile: Sequence[int] = (), limit: int = 50
    ) -> tuple[Issue, ...]:
        """Search, which may not know the newest issues yet; those with ids in `reconcile` it does know."""
        body: dict[str, Any] = {"jql": jql, "maxResults": limit, "fields": list(FIELDS)}
        if properties:
            body["properties"] = list(properties)
        if reconcile:
            body["reconcileIssues"] = list(reconcile[-RECONCILE_AT_MOST:])
        reply = self._http.request("POST", f"{API}/search/jql", body)
        return tuple(_parsed(each) for each in self._told(reply, "issues"))

    def look_up(self, *, label: str, mark: str, value: str, after: int | None = None) -> Found:
        """Look for the oldest issue whose property `mark` names `value`; labels alone are copied with clones.

        `after` is the highest key number known before an attempt: every later key is read, so that the answer
        does not hang on the search's index. Without it the answer is never certain.
        """
        newest = self._newest()
        later, complete = self._walk(after, newest, mark) if after is not None else ([], False)
        jql = f"project = {_quoted(self.project)} AND labels = {_quoted(label)} ORDER BY created ASC"
        labeled = self.search(jql, properties=[mark], reconcile=[int(issue.id) for issue in later])
        ours = [issue for issue in (*later, *labeled) if issue.properties.get(mark) == {"fingerprint": value}]
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
        self._http.request("POST", f"{_issue(key)}/comment", {"body": body})

    def has_comment(self, key: str, words: str) -> bool:
        """Whether one of the newest comments says `words`."""
        params = {"orderBy": "-created", "maxResults": str(COMMENTS_READ)}
        reply = self._http.request("GET", f"{_issue(key)}/comment", params=params)
        return any(words in adf.plain_text(each.get("body") or {}) for each in self._told(reply, "comments"))

    def move(self, key: str, category: Category) -> bool:
        """Take the first transition to a status of that category; False when the workflow has none from here."""
        reply = self._http.request("GET", f"{_issue(key)}/transitions")
        for transition in self._told(reply, "transitions"):
            if transition["to"]["statusCategory"]["key"] == category:
                self._http.request("POST", f"{_issue(key)}/transitions", {"transition": {"id": transition["id"]}})
                return True
        return False

    def put_link(self, key: str, *, global_id: str, title: str, url: str) -> None:
        """Put a link on the issue; the same `global_id` again only updates it."""
        body = {
            "globalId": global_id,
            "application": {"type": "muster", "name": "Muster"},
            "object": {"url": url, "title": one_line(title)},
        }
        self._http.request("POST", f"{_issue(key)}/remotelink", body)

    def put_property(self, key: str, name: str, value: object) -> None:
        self._http.request("PUT", f"{_issue(key)}/properties/{quote(name, safe='')}", value)

    def _told(self, reply: Reply, name: str) -> Any:
        """Return one part of an answer; something between Jira and us may have answered in its place."""
        if not isinstance(reply.body, dict) or name not in reply.body:
            raise OutcomeUnknownError(self._http.service, f"answered HTTP {reply.status} without {name!r}")
        return reply.body[name]

    def check(self) -> tuple[Problem, ...]:
        """Return what keeps tickets from being opened, with what to do about it; nothing when all is well."""
        try:
            reply = self._http.request("GET", f"{API}/myself", accept=frozenset({401, 403}))
            if reply.status in (401, 403):
                return (Problem("jira_token", "Jira does not accept the account and token; make a new API token"),)
            path = f"{API}/issue/createmeta/{quote(self.project, safe='')}/issuetypes"
            reply = self._http.request("GET", path, accept=frozenset({403, 404}))
        except UpstreamError as error:
            return (Problem("jira_url", error.message),)
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


def _issue(key: str) -> str:
    return f"{API}/issue/{quote(key, safe='')}"


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
