"""What a new version of a poll changes, said field by field; questions and choices are named by their ids. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from feedback.poll_definition import Poll
from feedback.poll_json import to_json

# A file neither starts nor stops a poll, and its version follows from what changed.
NOT_OF_THE_FILE: Final = frozenset({"status", "version"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """`before` or `after` is None where the field was not there; values are JSON."""

    path: str
    before: str | None
    after: str | None


def changes(before: Poll | None, after: Poll) -> tuple[Change, ...]:
    """Return what differs, in the order of the fields of `after`; of a new poll, everything."""
    old, new = {} if before is None else _flat(_of_file(before)), _flat(_of_file(after))
    paths = [*new, *(path for path in old if path not in new)]
    return tuple(
        Change(path=path, before=old.get(path), after=new.get(path)) for path in paths if old.get(path) != new.get(path)
    )


def _of_file(poll: Poll) -> dict[str, object]:
    return {name: value for name, value in to_json(poll).items() if name not in NOT_OF_THE_FILE and value is not None}


def _flat(node: object, path: str = "") -> dict[str, str]:
    if isinstance(node, Mapping) and node:
        return _joined((f"{path}.{name}" if path else str(name), value) for name, value in node.items())
    if isinstance(node, list) and node and all(isinstance(item, Mapping) and "id" in item for item in node):
        flat = _joined((f"{path}.{item['id']}", _without_id(item)) for item in node)
        return flat | {f"{path} (order)": ", ".join(str(item["id"]) for item in node)}
    return {path: json.dumps(node, ensure_ascii=False)}


def _joined(parts: Iterable[tuple[str, object]]) -> dict[str, str]:
    found: dict[str, str] = {}
    for path, value in parts:
        found |= _flat(value, path)
    return found


def _without_id(item: Mapping[str, object]) -> dict[str, object]:
    return {name: value for name, value in item.items() if name != "id"}
