"""Segments: rules over a DeviceContext, read from and written as text and JSON, and matched against devices.

`parse("ram_gb<4 and not country=DE")` → a rule; `matches(rule, device)`; `text(rule)` is its canonical form.
The meaning of the parts is in core/segment_rules.py, the reader of text in core/segment_text.py. Pure.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import assert_never

from core.device import NUMBER_FIELDS, VERSION_FIELDS, WIRE_NAMES
from core.errors import InvalidInputError, Problem
from core.segment_rules import (
    EVERYONE,
    MAX_DEPTH,
    MAX_VALUES,
    PARTS,
    SYMBOLS,
    All,
    AnyOf,
    Is,
    Not,
    Segment,
    all_of,
    any_of,
    comparison,
    fields_of,
    matches,
    suggestion,
)
from core.segment_text import parse

__all__ = [
    "EVERYONE",
    "All",
    "Is",
    "Not",
    "Segment",
    "all_of",
    "any_of",
    "comparison",
    "fields_of",
    "from_json",
    "matches",
    "parse",
    "suggestion",
    "text",
    "to_json",
]


def text(segment: Segment) -> str:
    """Return the rule in the words `parse` reads; the same rule always gives the same text."""
    return _text(segment, inside="")


def to_json(segment: Segment) -> dict[str, object]:
    """Return the rule in the shape of a poll's `targeting`: `{"all": [{"field", "operator", "value"}, …]}`."""
    return {"all": [_node(segment)]} if isinstance(segment, Is) else _node(segment)


def from_json(node: object, path: str = "targeting") -> Segment:
    """Read a poll's `targeting`; nothing (None or `{}`) is everyone.

    Raises: InvalidInputError: with every mistake and its path, which starts with `path`.
    """
    problems: list[Problem] = []
    segment = EVERYONE if node is None or node == {} else _read(node, path, problems, 0)
    if problems:
        raise InvalidInputError(*problems)
    return segment


def _text(segment: Segment, *, inside: str) -> str:
    match segment:
        case All(()):
            return "everyone"
        case Is(field, operator, values):
            words = [_quoted(value) for value in values]
            many = operator in ("in", "not_in")
            return f"{field}{SYMBOLS[operator]}" + (f"({', '.join(words)})" if many else words[0])
        case Not(part):
            return f"not {_text(part, inside='not')}"
        case All(parts):
            joined = " and ".join(_text(part, inside="and") for part in parts)
            return f"({joined})" if inside == "not" else joined
        case AnyOf(parts):
            joined = " or ".join(_text(part, inside="or") for part in parts)
            return f"({joined})" if inside else joined
        case _:
            assert_never(segment)


def _quoted(value: str) -> str:
    is_plain = all(character.isalnum() or character in "._-+:/" for character in value)
    if is_plain and value.lower() not in ("and", "or", "not", "in", "everyone"):
        return value
    escaped = value.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def _node(segment: Segment) -> dict[str, object]:
    match segment:
        case All(parts):
            return {"all": [_node(part) for part in parts]}
        case AnyOf(parts):
            return {"any": [_node(part) for part in parts]}
        case Not(part):
            return {"not": _node(part)}
        case Is(field, operator, values):
            typed: list[object] = [float(value) if field in NUMBER_FIELDS else value for value in values]
            prefix = "semver_" if field in VERSION_FIELDS and operator not in ("in", "not_in", *PARTS) else ""
            value: object = typed if operator in ("in", "not_in") else typed[0]
            return {"field": WIRE_NAMES[field], "operator": f"{prefix}{operator}", "value": value}
        case _:
            assert_never(segment)


def _read(node: object, path: str, problems: list[Problem], depth: int) -> Segment:
    if not isinstance(node, Mapping) or depth > MAX_DEPTH:
        problems.append(Problem(path, "must be a rule" if depth <= MAX_DEPTH else "is nested too deeply"))
        return EVERYONE
    for key, join in (("all", all_of), ("any", any_of)):
        if key in node:
            return join(_read_list(node, key, path, problems, depth))
    if "not" in node:
        return Not(_read(node["not"], f"{path}.not", problems, depth + 1))
    missing = [name for name in ("field", "operator", "value") if name not in node]
    if missing:
        problems.append(Problem(path, f'must have {", ".join(missing)} (or be {{"all": […]}}, "any" or "not")'))
        return EVERYONE
    value = node["value"]
    raw = value if isinstance(value, list) else [value]
    if any(isinstance(item, bool) or not isinstance(item, str | int | float) for item in raw):
        problems.append(Problem(f"{path}.value", "must be text, a number, or a list of them"))
        return EVERYONE
    found = comparison(str(node["field"]), str(node["operator"]), [str(item) for item in raw])
    if isinstance(found, Is):
        return found
    problems.extend(Problem(path, message) for message in found)
    return EVERYONE


def _read_list(node: Mapping[str, object], key: str, path: str, problems: list[Problem], depth: int) -> list[Segment]:
    parts = node[key]
    if not isinstance(parts, list) or len(node) != 1 or len(parts) > MAX_VALUES:
        problems.append(Problem(f"{path}.{key}", f"must stand alone and be a list of at most {MAX_VALUES} rules"))
        return []
    return [_read(part, f"{path}.{key}[{index}]", problems, depth + 1) for index, part in enumerate(parts)]
