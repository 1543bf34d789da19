"""REST of the pretended Confluence (v2, attachments v1) and its pages for people, with Confluence's own refusals.

Mount it at /wiki: the base address for clients is then http://host:port/wiki.
"""

from __future__ import annotations

from typing import Any

import flask
from flask import request
from flask.typing import ResponseReturnValue

from sandbox import confluence_page, line
from sandbox.confluence import (
    HOME_ID,
    SPACE,
    SPACE_ID,
    SPACE_NAME,
    ConfluenceWorld,
    Page,
    Property,
    RubbishError,
    StaleError,
    TakenError,
    webui,
)
from sandbox.jira import EMAIL, TOKEN

API = "/api/v2"


class RefusedError(Exception):
    """An answer in the error shape of v2."""

    def __init__(self, status: int, title: str) -> None:
        super().__init__(title)
        self.status = status
        self.body = {"errors": [{"status": status, "code": "ERROR", "title": title, "detail": None}]}


class ConfluenceApi:
    def __init__(self, confluence: ConfluenceWorld) -> None:
        self.confluence = confluence

    def gate(self) -> ResponseReturnValue | None:
        """Answer in place of the API when it is down or the account is wrong."""
        if self.confluence.faults.on("confluence_down"):
            return "<html><body><h1>Service Unavailable</h1></body></html>", 503
        login = request.authorization
        if login is None or login.type != "basic" or (login.username, login.password) != (EMAIL, TOKEN):
            raise RefusedError(401, "Unauthorized")
        return None

    def spaces(self) -> ResponseReturnValue:
        wanted = request.args.get("keys", SPACE).split(",")
        space = {"id": SPACE_ID, "key": SPACE, "name": SPACE_NAME, "status": "current", "homepageId": HOME_ID}
        return {"results": [space] if SPACE in wanted else [], "_links": {"base": self.confluence.base_url}}

    def pages(self) -> ResponseReturnValue:
        title = request.args.get("title")
        found = [page for page in self.confluence.all() if title in (None, page.title)]
        return {"results": [self._shown(page) for page in found], "_links": {"base": self.confluence.base_url}}

    def create(self) -> ResponseReturnValue:
        body = _body()
        if str(body.get("spaceId")) != SPACE_ID:
            raise RefusedError(404, "Space not found")
        page = self._written(lambda: self.confluence.create(*_content(body), parent=body.get("parentId")))
        if self.confluence.faults.take("confluence_lost"):
            line.drop()
            return "", 503
        return self._whole(page)

    def read(self, page_id: str) -> ResponseReturnValue:
        if page_id == HOME_ID:
            return {"id": HOME_ID, "status": "current", "title": SPACE_NAME, "version": {"number": 1}}
        return self._whole(self._find(page_id))

    def edit(self, page_id: str) -> ResponseReturnValue:
        page, body = self._find(page_id), _body()
        if str(body.get("id")) != page_id or page.is_trashed:
            raise RefusedError(404, "Page not found")
        if self.confluence.faults.take("confluence_conflict"):
            self.confluence.write_note(page, "Written at the same time.")
        title, value = _content(body)
        version = int((body.get("version") or {}).get("number") or 0)
        self._written(lambda: self.confluence.edit(page, title=title, body=value, version=version))
        return self._whole(page)

    def delete(self, page_id: str) -> ResponseReturnValue:
        self.confluence.trash(self._find(page_id))
        return "", 204

    def properties(self, page_id: str) -> ResponseReturnValue:
        wanted = request.args.get("key")
        found = [each for each in self._find(page_id).properties.values() if wanted in (None, each.key)]
        return {"results": [_property(each) for each in found], "_links": {}}

    def add_property(self, page_id: str) -> ResponseReturnValue:
        body = _body()
        made = self.confluence.add_property(self._find(page_id), str(body.get("key")), body.get("value"))
        if made is None:
            raise RefusedError(409, "A property with this key exists already")
        return _property(made)

    def put_property(self, page_id: str, property_id: str) -> ResponseReturnValue:
        found = [each for each in self._find(page_id).properties.values() if each.id == property_id]
        body = _body()
        if not found:
            raise RefusedError(404, "Property not found")
        if not self.confluence.set_property(found[0], body.get("value"), int(body["version"]["number"])):
            raise RefusedError(409, "Version conflict")
        return _property(found[0])

    def attach(self, page_id: str) -> ResponseReturnValue:
        page, file = self._find(page_id), request.files.get("file")
        if request.headers.get("X-Atlassian-Token") not in ("nocheck", "no-check"):
            return {"statusCode": 403, "message": "XSRF check failed"}, 403
        if file is None:
            return {"statusCode": 400, "message": "At least one file is needed"}, 400
        version = self.confluence.attach(page, str(file.filename), str(file.mimetype), file.read())
        return {"results": [{"id": f"att{page.id}", "title": file.filename, "version": {"number": version}}], "size": 1}

    def _find(self, page_id: str) -> Page:
        page = self.confluence.find(page_id)
        if page is None:
            raise RefusedError(404, "Page not found")
        return page

    def _written(self, write: Any) -> Any:
        try:
            return write()
        except TakenError as error:
            told = "A page with this title already exists: A page already exists with the same TITLE in this space"
            raise RefusedError(400, told) from error
        except RubbishError as error:
            raise RefusedError(400, f"Error parsing xhtml: {error}") from error
        except StaleError as error:
            raise RefusedError(409, "Version must be incremented when updating a page") from error

    def _shown(self, page: Page) -> dict[str, Any]:
        return {
            "id": page.id,
            "status": "trashed" if page.is_trashed else "current",
            "title": page.title,
            "spaceId": SPACE_ID,
            "parentId": page.parent or HOME_ID,
            "version": {"number": page.version, "createdAt": page.updated.isoformat()},
            "body": {"storage": {"representation": "storage", "value": page.body}},
            "_links": {"webui": webui(page)},
        }

    def _whole(self, page: Page) -> dict[str, Any]:
        return {**self._shown(page), "_links": {"webui": webui(page), "base": self.confluence.base_url}}


def blueprint(confluence: ConfluenceWorld) -> flask.Blueprint:
    """Return Confluence's API and its pages for people, to be registered under `url_prefix="/wiki"`."""
    whole = flask.Blueprint("confluence", __name__)
    whole.register_blueprint(_api(ConfluenceApi(confluence)))
    whole.register_blueprint(confluence_page.blueprint(confluence))
    return whole


def _api(api: ConfluenceApi) -> flask.Blueprint:
    rest = flask.Blueprint("confluence_rest", __name__)
    page = f"{API}/pages/<page_id>"
    routes = (
        ("GET", f"{API}/spaces", api.spaces),
        ("GET", f"{API}/pages", api.pages),
        ("POST", f"{API}/pages", api.create),
        ("GET", page, api.read),
        ("PUT", page, api.edit),
        ("DELETE", page, api.delete),
        ("GET", f"{page}/properties", api.properties),
        ("POST", f"{page}/properties", api.add_property),
        ("PUT", f"{page}/properties/<property_id>", api.put_property),
        ("PUT", "/rest/api/content/<page_id>/child/attachment", api.attach),
    )
    for method, rule, view in routes:
        rest.add_url_rule(rule, view.__name__, view, methods=[method])
    rest.before_request(api.gate)
    rest.register_error_handler(RefusedError, lambda error: (error.body, error.status))
    return rest


def _content(body: dict[str, Any]) -> tuple[str, str]:
    """Return title and storage format. Raises: RefusedError."""
    written = body.get("body") or {}
    title = body.get("title")
    if not isinstance(title, str) or not title.strip() or len(title) > 255:
        raise RefusedError(400, "Title must be between 1 and 255 characters")
    if written.get("representation") != "storage" or not isinstance(written.get("value"), str):
        raise RefusedError(400, "Must supply a body with representation 'storage'")
    return title, written["value"]


def _property(one: Property) -> dict[str, Any]:
    return {"id": one.id, "key": one.key, "value": one.value, "version": {"number": one.version}}


def _body() -> dict[str, Any]:
    body = request.get_json(force=True, silent=True)
    if not isinstance(body, dict):
        raise RefusedError(400, "Invalid request payload")
    return body
