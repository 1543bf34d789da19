"""Cohorts: the groups of devices that segments pick out. Pure."""

from __future__ import annotations

from core.device import WIRE_NAMES, short_name
from core.errors import InvalidInputError, Problem
from core.segments import Is, Segment, all_of, comparison, suggestion


def attribute(name: str) -> str:
    """Return the short name of the attribute that reports are split by. Raises: InvalidInputError: there is none."""
    short = short_name(name)
    if short is None:
        raise InvalidInputError(Problem("by", f"no attribute {name!r}{suggestion(name, list(WIRE_NAMES))}"))
    return short


def of(**values: str) -> Segment:
    """Return the segment of devices with these values: `of(chipset="Helio G35", accelerator="nnapi")`."""
    return all_of([_is(name, value) for name, value in sorted(values.items())])


def _is(name: str, value: str) -> Is:
    found = comparison(name, "eq", [value])
    if isinstance(found, Is):
        return found
    raise InvalidInputError(*(Problem("by", message) for message in found))
