"""Which optional packages are installed here; nothing is imported to find out. Pure but for that look."""

from __future__ import annotations

import importlib.util

from core.errors import Problem


def missing(extra: str, *modules: str) -> Problem | None:
    """Return which of the modules are not installed, and how to get them."""
    absent = [module for module in modules if lacks(module)]
    if not absent:
        return None
    return Problem("backend", f"{', '.join(absent)} not installed; run: pip install --editable '.[{extra}]'")


def lacks(module: str) -> bool:
    try:
        return importlib.util.find_spec(module) is None
    except ModuleNotFoundError:
        return True
