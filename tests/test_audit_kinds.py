"""What may be asked for of the audit log is what is recorded there, and it is documented."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from bot.flows import release, undo
from core import audit
from releases.acts import Halt, Resume, RollBack

ROOT = Path(__file__).parent.parent
ROOMS = ("core", "feedback", "releases", "optimize", "integrations", "bot")
OF_RELEASES = {f"release.{kind}" for kind in (*release.KINDS.values(), "started", "returned")}
# What is put together where it is recorded.
COMPOSED = {
    ("bot/flows/release.py", "f'release.{kind}'"): OF_RELEASES
    | {f"release.cohort_{release.KINDS[act]}" for act in (Halt, RollBack, Resume)},
    ("bot/flows/polls.py", "what"): {"poll.started", "poll.stopped"},
    ("bot/flows/undo.py", "UNDONE"): {undo.UNDONE},
    ("bot/commands/role.py", "f'role.{request.verb}'"): {"role.grant", "role.revoke"},
}


def recorded() -> Iterator[tuple[str, ast.expr]]:
    """Yield each `what` that is given to `audit.record`, and the file it is in."""
    for path in (path for room in ROOMS for path in (ROOT / room).rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and ast.unparse(node.func) == "audit.record":
                (what,) = (each.value for each in node.keywords if each.arg == "what")
                yield path.relative_to(ROOT).as_posix(), what


def test_the_list_of_kinds_is_what_the_code_records() -> None:
    plain = {what.value for _, what in recorded() if isinstance(what, ast.Constant)}
    composed = {(file, ast.unparse(what)) for file, what in recorded() if not isinstance(what, ast.Constant)}

    assert composed == set(COMPOSED)
    assert plain.union(*COMPOSED.values()) == audit.KINDS


def test_nothing_is_recorded_by_another_name() -> None:
    """The list above would not see it."""
    files = [path for room in ROOMS for path in (ROOT / room).rglob("*.py")]

    assert [
        path
        for path in files
        if re.search(r"from core\.audit import .*\brecord\b|import core\.audit", path.read_text())
    ] == []


@pytest.mark.parametrize("kind", sorted(audit.KINDS))
def test_every_kind_is_documented(kind: str) -> None:
    section = (ROOT / "docs" / "operating.md").read_text().partition("## Webhooks")[2].partition("\n## ")[0]

    assert f"`{kind}`" in section
