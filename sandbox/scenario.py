"""Scenario files: read with every mistake and its line, and played against a world started for them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import MISSING, fields
from pathlib import Path
from typing import Any

import yaml

from core.errors import InvalidInputError, Problem
from core.segments import EVERYONE, Segment, parse
from feedback.poll_yaml import parse_yaml
from feedback.reading import Fields
from sandbox import tour
from sandbox.habits import Fault
from sandbox.member import Manner
from sandbox.script import Act, ModelFile, Register, Scenario, Step
from sandbox.script_acts import MOST, read_act

ROLES = ("operator", "approver", "admin")
FOLDER = Path(__file__).parent / "scenarios"


def load(path: Path) -> Scenario:
    """Read a scenario file. Raises: InvalidInputError: with every mistake and its line."""
    return read(path.read_text())


def read(text: str) -> Scenario:
    """Read a scenario. Raises: InvalidInputError: with every mistake and its line."""
    try:
        node = yaml.compose(text, Loader=yaml.SafeLoader)
        tree = yaml.safe_load(text)
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise InvalidInputError(Problem("", f"not YAML: {error.problem}", line)) from error
    problems: list[Problem] = []
    scenario = _scenario(Fields(tree, "", problems))
    if problems:
        lines = _lines(node)
        found = [Problem(each.path.rstrip("."), each.message, _line(lines, each.path)) for each in problems]
        raise InvalidInputError(*sorted(found, key=lambda each: (each.line or 0, each.path)))
    return scenario


def main(path: Path, json_path: Path | None) -> int:
    """Play a scenario file; the exit status is 0 only if every expectation held."""
    return tour.play_alone(load(path), json_path)


def _scenario(top: Fields) -> Scenario:
    files = tuple(_file(each) for each in _each(top, "artifacts"))
    if len([file for file in files if file.is_baseline]) > 1:
        top.wrong("artifacts", "must have at most one baseline")
    start = top.moment("start")
    if start is None or (start.minute, start.second, start.microsecond) != (0, 0, 0):
        top.wrong("start", "must be a whole hour such as 2026-11-09T06:00:00Z")
    scenario = Scenario(
        name=top.needed_text("name"),
        about=top.text("about", longest=2000) or "",
        start=start,  # type: ignore[arg-type]  # a missing one is a problem, and then nothing is returned
        model=top.needed_text("model"),
        manner=_manner(top.inner("phones")),
        better_since=top.text("better_since"),
        files=files,
        faults=tuple(_fault(each) for each in _each(top, "faults")),
        poll=_poll(top),
        roles=_roles(top.inner("roles")),
        steps=tuple(_step(each, files) for each in _each(top, "steps")),
    )
    if not scenario.steps:
        top.wrong("steps", "must be at least one")
    top.done()
    return scenario


def _manner(told: Fields | None) -> Manner:
    if told is None:
        return Manner()
    values: dict[str, Any] = {}
    for each in fields(Manner):
        assert each.default is not MISSING
        is_share = isinstance(each.default, float)
        value = told.number(each.name, 0, 1) if is_share else told.integer(each.name, 1, MOST)
        if value is not None:
            values[each.name] = value
    told.done()
    return Manner(**values)


def _file(told: Fields) -> ModelFile:
    file = ModelFile(
        version=told.needed_text("version"),
        variant=told.text("variant") or "fp32",
        kilobytes=told.integer("kilobytes", 1, 10_000) or 16,
        is_baseline=told.flag("baseline"),
        trained=_widths(told),
    )
    told.done()
    return file


def _widths(told: Fields) -> tuple[int, ...]:
    """Read the hidden units of a perceptron that is to be trained, layer by layer."""
    widths = [item for _, item in told.each("trained", at_most=4)]
    if not all(isinstance(width, int) and 1 <= width <= 2048 for width in widths):
        told.wrong("trained", "must be hidden units such as [256, 128]")
        return ()
    return tuple(int(width) for width in widths if isinstance(width, int))


def _fault(told: Fields) -> Fault:
    where: Segment = EVERYONE
    text = told.text("where", longest=1000)
    if text is not None:
        try:
            where = parse(text)
        except InvalidInputError as error:
            for problem in error.problems:
                told.wrong("where", problem.message)
    names = ("crash", "timeout", "fallback", "satisfied")
    fault = Fault(
        version=told.needed_text("version"),
        where=where,
        after_hours=told.number("after_hours", 0, 1000) or 0.0,
        latency_factor=told.number("latency_factor", 0.01, 100),
        **{name: told.number(name, 0, 1) for name in names},
    )
    told.done()
    return fault


def _poll(top: Fields) -> str | None:
    node = top.raw("poll")
    if node is None:
        return None
    text = yaml.safe_dump(node, allow_unicode=True, sort_keys=False)
    try:
        parse_yaml(text)
    except InvalidInputError as error:
        top.problems.extend(Problem(f"poll.{each.path}", each.message) for each in error.problems)
    return text


def _roles(told: Fields | None) -> dict[str, str]:
    if told is None:
        return {}
    for who, role in told.items():
        if role not in ROLES:
            told.wrong(who, f"must be one of {', '.join(ROLES)}, not {role!r}")
    return {who: str(role) for who, role in told.items()}


def _step(told: Fields, files: tuple[ModelFile, ...]) -> Step:
    title, text = told.needed_text("title"), told.text("text", longest=2000) or ""
    acts: list[Act] = []
    for path, item in told.each("do", at_most=200):
        act = read_act(path, item, told.problems)
        if isinstance(act, Register) and act.version not in {file.version for file in files}:
            told.problems.append(Problem(f"{path}.register", f"there is no artifact of version {act.version}"))
        if act is not None:
            acts.append(act)
    told.done()
    return Step(title=title, text=text, acts=tuple(acts))


def _each(top: Fields, name: str) -> list[Fields]:
    return [Fields(item, path, top.problems) for path, item in top.each(name, at_most=200)]


def _lines(node: yaml.Node | None, path: str = "") -> dict[str, int]:
    """Return the line in which each value stands, by its path."""
    if node is None:
        return {}
    found = {path: node.start_mark.line + 1}
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            name = f"{path}.{key.value}" if path else str(key.value)
            found |= _lines(value, name) | {name: key.start_mark.line + 1}
    elif isinstance(node, yaml.SequenceNode):
        for number, value in enumerate(node.value):
            found |= _lines(value, f"{path}[{number}]")
    return found


def _line(lines: Mapping[str, int], path: str) -> int:
    """Return the line of a path, or of the nearest part of it that is there."""
    path = path.rstrip(".")
    while path and path not in lines:
        path = path[: max(path.rfind("."), path.rfind("["), 0)]
    return lines.get(path, 1)
