"""Versions of apps, systems and models in order: semantic versioning, read leniently ("14", "v5.4.1.2", "1.4.0-rc.1").

Precedence as in https://semver.org/#spec-item-11; missing numbers count as 0 and build metadata is ignored. Pure.
"""

from __future__ import annotations

import re

_VERSION = re.compile(r"v?(\d{1,18}(?:\.\d{1,18}){0,5})(?:-([0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)*))?(?:\+[0-9A-Za-z.-]*)?")

# (numbers without trailing zeros, is a final version, identifiers of the pre-release: numeric ones come first)
VersionKey = tuple[tuple[int, ...], bool, tuple[tuple[bool, int, str], ...]]


def version_key(text: str) -> VersionKey | None:
    """Return what `text` sorts by among versions, or None if it is not a version."""
    found = _VERSION.fullmatch(text.strip())
    if found is None:
        return None
    numbers = [int(part) for part in found[1].split(".")]
    while numbers and numbers[-1] == 0:
        numbers.pop()
    return tuple(numbers), found[2] is None, tuple(_identifier(part) for part in (found[2] or "").split(".") if part)


def compare(left: str, right: str) -> int | None:
    """Return -1, 0 or 1 as `left` is before, level with or after `right`; None if either is not a version."""
    a, b = version_key(left), version_key(right)
    if a is None or b is None:
        return None
    return (a > b) - (a < b)


def _identifier(part: str) -> tuple[bool, int, str]:
    is_number = part.isascii() and part.isdigit()
    return (False, int(part), "") if is_number else (True, 0, part)
