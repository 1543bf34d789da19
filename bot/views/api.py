"""The OpenAPI document as a page that people read: routes with what they take and answer, then the shapes. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, Final

from bot.views import pages

Node = Mapping[str, Any]
METHODS: Final = ("get", "put", "post", "patch", "delete")
TITLES: Final = {"/v1": "Collector and catalog", "/ofrep": "Which variant to run (OFREP)", "": "Service"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """What a value is, in words; `name` is the shape of ours that it links to."""

    words: str
    name: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """A parameter or a field; `where` is query, path or header."""

    name: str
    kind: Kind
    needed: bool
    about: str
    where: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    anchor: str
    method: str
    path: str
    summary: str
    has_key: bool
    lines: tuple[Line, ...]
    body: Kind | None
    answers: tuple[tuple[str, str, Kind | None], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    name: str
    about: str
    lines: tuple[Line, ...]
    kind: Kind


def api_page(document: Node) -> str:
    """Return the page, whole in itself."""
    routes = [
        _route(path, method, each[method])
        for path, each in document["paths"].items()
        for method in METHODS
        if method in each
    ]
    groups = [(title, [route for route in routes if _group(route.path) == start]) for start, title in TITLES.items()]
    shapes = [_shape(name, schema) for name, schema in document["components"]["schemas"].items()]
    return pages.render(
        "api.html", style=style(), info=document["info"], groups=[group for group in groups if group[1]], shapes=shapes
    )  # fmt: skip


@cache
def style() -> str:
    """Return the style sheet of the page, which stands in it to the letter."""
    return pages.style() + (pages.TEMPLATES / "api.css").read_text()


def kind(schema: Node) -> Kind:
    """Say what a schema takes, in a few words."""
    if "$ref" in schema:
        name = str(schema["$ref"]).rpartition("/")[2]
        return Kind(words=name, name=name)
    for several in ("anyOf", "oneOf"):
        if several in schema:
            parts = [kind(part) for part in schema[several]]
            linked = next((part.name for part in parts if part.name), None)
            return Kind(words=" or ".join(part.words for part in parts), name=linked if len(parts) <= 2 else None)
    if "enum" in schema or "const" in schema:
        values = schema.get("enum", [schema.get("const")])
        return Kind(words=" · ".join(str(value) for value in values))
    if schema.get("type") == "array":
        inner = kind(schema.get("items") or {})
        return Kind(words=f"list of {inner.words}", name=inner.name)
    if schema.get("type") == "object" and isinstance(schema.get("additionalProperties"), Mapping):
        inner = kind(schema["additionalProperties"])
        return Kind(words=f"mapping to {inner.words}", name=inner.name)
    told = schema.get("type", "anything")
    words = " or ".join(told) if isinstance(told, list) else str(told)
    return Kind(words=words + _limits(schema))


def _limits(schema: Node) -> str:
    low, high = schema.get("minimum"), schema.get("maximum")
    shortest, longest = schema.get("minLength"), schema.get("maxLength")
    if low is not None and high is not None:
        return f" {low:g} to {high:g}"
    if low is not None:
        return f" from {low:g}"
    if longest is not None:
        return f" of {shortest or 0} to {longest}"
    return f" ({schema['format']})" if "format" in schema else ""


def _route(path: str, method: str, node: Node) -> Route:
    answers = []
    for status, answer in sorted(node["responses"].items()):
        answers.append((status, str(answer.get("description", "")), _content(answer)))
    return Route(
        anchor=re.sub(r"\W+", "-", f"{method} {path}").strip("-"),
        method=method.upper(),
        path=path,
        summary=str(node.get("summary", "")),
        has_key=bool(node.get("security")),
        lines=tuple(_parameter(each) for each in node.get("parameters", ())),
        body=_content(node.get("requestBody") or {}),
        answers=tuple(answers),
    )


def _parameter(node: Node) -> Line:
    return Line(
        name=str(node["name"]),
        kind=kind(node.get("schema") or {}),
        needed=bool(node.get("required")),
        about=str(node.get("description", "")),
        where=str(node["in"]),
    )


def _content(node: Node) -> Kind | None:
    for media, told in (node.get("content") or {}).items():
        found = kind(told.get("schema") or {})
        return found if found.name else Kind(words=media if found.words in ("string", "anything") else found.words)
    return None


def _shape(name: str, schema: Node) -> Shape:
    needed = set(schema.get("required", ()))
    lines = tuple(
        Line(name=field, kind=kind(told), needed=field in needed, about=str(told.get("description", "")))
        for field, told in (schema.get("properties") or {}).items()
    )
    return Shape(name=name, about=str(schema.get("description", "")), lines=lines, kind=kind(schema))


def _group(path: str) -> str:
    return next(start for start in TITLES if path.startswith(start))
