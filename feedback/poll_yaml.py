"""Poll files: YAML with the fields of the JSON definition; every mistake is told with its line. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from typing import Final

import yaml

from core.errors import InvalidInputError, Problem
from feedback.poll_definition import Poll
from feedback.poll_json import from_json

MAX_CHARS: Final = 64_000
MAX_DEPTH: Final = 12


def parse_yaml(text: str, find: Callable[[str], Poll | None] = lambda _: None) -> Poll:
    """Read a poll file; `find` gives the poll that is there.

    Raises: InvalidInputError: with every mistake and the line it is in.
    """
    if len(text) > MAX_CHARS:
        raise InvalidInputError(Problem("", f"a poll file has at most {MAX_CHARS} characters"))
    try:
        _refuse_tricks(text)
        loader = yaml.SafeLoader(text)
        root = loader.get_single_node()
        tree = _Tree(loader)
        node = tree.build(root, "", 1) if root is not None else None
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise InvalidInputError(Problem("", f"not YAML: {error.problem}", line)) from error
    except yaml.YAMLError as error:
        raise InvalidInputError(Problem("", "not YAML: it holds characters that YAML does not allow", 1)) from error
    return _checked(node, tree, find)


def _checked(node: object, tree: _Tree, find: Callable[[str], Poll | None]) -> Poll:
    found = list(tree.problems)
    poll = None
    try:
        poll = from_json(node, is_new=True, find=find)
    except InvalidInputError as error:
        found += [replace(problem, line=tree.line(problem.path)) for problem in error.problems]
    if found or poll is None:
        raise InvalidInputError(*sorted(found, key=lambda problem: (problem.line or 0, problem.path)))
    return poll


class _Tree:
    """Plain values of YAML nodes and, by path, the line each stands in."""

    def __init__(self, loader: yaml.SafeLoader) -> None:
        self._loader = loader
        self._lines = {"": 1}
        self.problems: list[Problem] = []

    def build(self, node: yaml.Node, path: str, line: int) -> object:
        self._lines[path] = line
        if isinstance(node, yaml.MappingNode):
            return self._mapping(node, path)
        if isinstance(node, yaml.SequenceNode):
            return [
                self.build(item, f"{path}[{index}]", item.start_mark.line + 1) for index, item in enumerate(node.value)
            ]
        try:
            return self._loader.construct_object(node, deep=True)
        except (ValueError, OverflowError):  # a date like 2026-13-45 is one to YAML's patterns, but not to the calendar
            return str(node.value)

    def line(self, path: str) -> int:
        """Return the line of the nearest thing written at `path` or around it."""
        while path not in self._lines:
            path = re.sub(r"(\.[^.\[\]]*|\[[^\]]*\]|[^.\[\]]+)$", "", path)
        return self._lines[path]

    def _mapping(self, node: yaml.MappingNode, path: str) -> dict[str, object]:
        values: dict[str, object] = {}
        for key, value in node.value:
            name = str(key.value) if isinstance(key, yaml.ScalarNode) else "?"
            inner, line = f"{path}.{name}" if path else name, key.start_mark.line + 1
            if name in values:
                self.problems.append(Problem(inner, "stands twice", line))
            values[name] = self.build(value, inner, line)
        return values


def _refuse_tricks(text: str) -> None:
    """Refuse aliases, which can blow up a small file, and nesting deeper than any poll needs."""
    depth = 0
    for event in yaml.parse(text, Loader=yaml.SafeLoader):
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        message = "aliases are not allowed" if isinstance(event, yaml.AliasEvent) else "nested too deeply"
        if isinstance(event, yaml.AliasEvent) or depth > MAX_DEPTH:
            line = event.start_mark.line + 1 if event.start_mark else None
            raise InvalidInputError(Problem("", message, line))
