"""Cohorts: the groups of devices that segments pick out. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from core.device import WIRE_NAMES, DeviceContext, short_name
from core.errors import InvalidInputError, Problem
from core.segments import Is, Segment, all_of, comparison, suggestion, text


@dataclass(frozen=True, slots=True, kw_only=True)
class Cohort:
    """The group a segment picks out in a period, with how many installs are in it."""

    segment: Segment
    installs: int

    @property
    def label(self) -> str:
        """Its rule as people type it."""
        return text(self.segment)


def attribute(name: str) -> str:
    """Return the short name of the attribute that reports are split by. Raises: InvalidInputError: there is none."""
    short = short_name(name)
    if short is None:
        raise InvalidInputError(Problem("by", f"no attribute {name!r}{suggestion(name, list(WIRE_NAMES))}"))
    return short


def of(**values: str) -> Segment:
    """Return the segment of devices with these values: `of(chipset="Helio G35", accelerator="nnapi")`."""
    return all_of([_is(name, value) for name, value in sorted(values.items())])


def split_by(name: str, devices: Iterable[DeviceContext]) -> tuple[Cohort, ...]:
    """Return one cohort for each value of an attribute, the largest first; devices that did not tell it are in none.

    Raises: InvalidInputError: there is no such attribute.
    """
    short = attribute(name)
    labels = Counter(label for device in devices if (label := device.label(short)) is not None)
    in_order = sorted(labels.items(), key=lambda item: (-item[1], item[0]))
    return tuple(Cohort(segment=_is(short, label), installs=count) for label, count in in_order)


def _is(name: str, value: str) -> Is:
    found = comparison(name, "eq", [value])
    if isinstance(found, Is):
        return found
    raise InvalidInputError(*(Problem("by", message) for message in found))
