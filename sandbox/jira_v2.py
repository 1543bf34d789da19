"""REST v2 of a pretended Jira Data Center: wiki markup, personal access tokens, and the search of old."""

from __future__ import annotations

from typing import Any

import flask
from flask import request
from flask.typing import ResponseReturnValue

from sandbox import jira_page, jira_rules, jira_web
from sandbox.jira import TOKEN, JiraWorld
from sandbox.jira_search import JqlError
from sandbox.jira_web import JiraApi, RefusedError

API = "/rest/api/2"
UNKNOWN = frozenset({"properties", "reconcileIssues", "nextPageToken"})


class DataCenterApi(JiraApi):
    api = API
    check_text = staticmethod(jira_rules.check_markup)

    def may_enter(self) -> bool:
        return request.headers.get("Authorization") == f"Bearer {TOKEN}"

    def gate(self) -> ResponseReturnValue | None:
        """Everybody may ask what server it is; in the Cloud there is nothing else here for us."""
        if request.path.endswith("/serverInfo"):
            return None
        if self.jira.deployment == "Cloud":
            return {"errorMessages": ["The sandbox's Cloud speaks v3 only."], "errors": {}}, 410
        return super().gate()

    def search(self) -> ResponseReturnValue:
        body: dict[str, Any] = request.get_json(force=True, silent=True) or {}
        if unknown := UNKNOWN & body.keys():
            raise RefusedError(400, f'Unrecognized field "{min(unknown)}"')
        try:
            found = self.jira.search(str(body.get("jql") or ""), [])
        except JqlError as error:
            raise RefusedError(400, str(error)) from error
        start, size = int(body.get("startAt", 0)), int(body.get("maxResults", 50))
        fields = list(body.get("fields") or ["*navigable"])
        issues = [self._issue(issue, fields, []) for issue in found[start : start + size]]
        return {"startAt": start, "maxResults": size, "total": len(found), "issues": issues}


class CloudApi(JiraApi):
    def gate(self) -> ResponseReturnValue | None:
        if self.jira.deployment != "Cloud":
            return {"errorMessages": ["There is no API of version 3 here."], "errors": {}}, 404
        return super().gate()


def blueprint(jira: JiraWorld) -> flask.Blueprint:
    """Return both versions of Jira's API and its pages for people, to be registered under `url_prefix="/jira"`."""
    whole = flask.Blueprint("jira", __name__)
    whole.register_blueprint(jira_web.rest(CloudApi(jira), "v3"))
    whole.register_blueprint(jira_web.rest(DataCenterApi(jira), "v2"))
    whole.register_blueprint(jira_page.blueprint(jira))
    return whole
