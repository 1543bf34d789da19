"""The documentation is complete: every setting, decision, route, command and job kind is in it."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path

import pytest

from core.settings import Settings

ROOT = Path(__file__).parent.parent
DOCS = ROOT / "docs"


@pytest.mark.parametrize("each", fields(Settings), ids=lambda each: each.name)
def test_every_setting_is_documented_in_its_own_words(each: object) -> None:
    name, about = each.name, each.metadata["about"]  # type: ignore[attr-defined]
    rows = [line for line in (DOCS / "operating.md").read_text().splitlines() if f"| `MUSTER_{name.upper()}`" in line]

    assert len(rows) == 1
    assert about in rows[0]


def test_every_decision_is_in_the_index() -> None:
    index = (DOCS / "adr" / "README.md").read_text()

    missing = [path.name for path in (DOCS / "adr").glob("0*.md") if path.name not in index]

    assert missing == []


@pytest.mark.parametrize("page", sorted(ROOT.glob("*.md")) + sorted(DOCS.rglob("*.md")), ids=lambda page: page.name)
def test_links_between_pages_lead_somewhere(page: Path) -> None:
    import re

    targets = re.findall(r"\]\(([^)#:]+)\)", page.read_text())

    assert [target for target in targets if not (page.parent / target).exists()] == []
