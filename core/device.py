"""DeviceContext: the coarse facts about a device that a phone sends along, under their wire and their short names.

Phones say `os.name` or `device.class`; people type `platform` or `tier`. Both rooms that need it (feedback, releases)
find it here. Pure.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from types import MappingProxyType
from typing import Final

MAX_VALUE_CHARS: Final = 80
MAX_RAM_GB: Final = 4096.0

FIELDS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "os.name": "platform",
        "os.version": "os",
        "device.manufacturer": "manufacturer",
        "device.model": "device",
        "device.class": "tier",
        "soc": "chipset",
        "ram_gb": "ram_gb",
        "locale": "locale",
        "geo.country": "country",
        "app.version": "app_version",
        "model.name": "model",
        "model.version": "model_version",
        "model.variant": "variant",
        "runtime": "runtime",
        "accelerator": "accelerator",
        "cohort": "cohort",
    }
)
"""Wire name → the short name used in commands and rules."""

WIRE_NAMES: Final[Mapping[str, str]] = MappingProxyType({short: wire for wire, short in FIELDS.items()})
NUMBER_FIELDS: Final = frozenset({"ram_gb"})
VERSION_FIELDS: Final = frozenset({"os", "app_version", "model_version"})


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceContext:
    """Facts about one device; None is "not told". `platform` is lower case, `country` upper case."""

    platform: str | None = None
    os: str | None = None
    manufacturer: str | None = None
    device: str | None = None
    tier: str | None = None
    chipset: str | None = None
    ram_gb: float | None = None
    locale: str | None = None
    country: str | None = None
    app_version: str | None = None
    model: str | None = None
    model_version: str | None = None
    variant: str | None = None
    runtime: str | None = None
    accelerator: str | None = None
    cohort: str | None = None

    @classmethod
    def from_wire(cls, context: Mapping[str, object]) -> DeviceContext:
        """Read what a phone sent: wire or short names, `model` nested or flat.

        Never fails: unknown names are skipped, unusable values count as not told, long ones are clipped.
        """
        told: dict[str, object] = {}
        for name, value in _flat(context).items():
            field = short_name(name)
            if field is not None and (name in FIELDS or field not in told):
                told[field] = value
        words = {field: _word(value) for field, value in told.items() if field not in NUMBER_FIELDS}
        if words.get("platform"):
            words["platform"] = str(words["platform"]).lower()
        if words.get("country"):
            words["country"] = str(words["country"]).upper()
        return cls(ram_gb=_gigabytes(told.get("ram_gb")), **words)

    def to_wire(self) -> dict[str, object]:
        """Return the facts in the shape phones send them (`model` nested); what was not told is left out."""
        wire: dict[str, object] = {}
        model: dict[str, object] = {}
        for field, value in asdict(self).items():
            name = WIRE_NAMES[field]
            if value is not None and name.startswith("model."):
                model[name.removeprefix("model.")] = value
            elif value is not None:
                wire[name] = value
        return wire | ({"model": model} if model else {})

    def value(self, field: str) -> str | float | None:
        """Return the fact called `field` (wire or short name), None if it was not told.

        Raises: KeyError: there is no such field.
        """
        short = short_name(field)
        if short is None:
            raise KeyError(field)
        found: str | float | None = getattr(self, short)
        return found

    def label(self, field: str) -> str | None:
        """Return the fact called `field` as people read it: numbers without a needless `.0`."""
        found = self.value(field)
        return f"{found:g}" if isinstance(found, float) else found


def short_name(name: str) -> str | None:
    """Return the short name of a field given by its wire or short name, in any case; None if there is none."""
    lowered = name.lower()
    return FIELDS.get(lowered) or (lowered if lowered in WIRE_NAMES else None)


def _flat(context: Mapping[str, object]) -> dict[str, object]:
    flat = {str(name): value for name, value in context.items()}
    nested = flat.get("model")
    if isinstance(nested, Mapping):
        del flat["model"]
        flat |= {f"model.{name}": value for name, value in nested.items()}
    return flat


def _word(value: object) -> str | None:
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return None
    text = f"{value:g}" if isinstance(value, float) else str(value)
    printable = "".join(character if character.isprintable() else " " for character in text[: 4 * MAX_VALUE_CHARS])
    return " ".join(printable.split())[:MAX_VALUE_CHARS].strip() or None


def _gigabytes(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return None
    try:
        number = float(value)
    except (ValueError, OverflowError):
        return None
    return number if math.isfinite(number) and 0 < number <= MAX_RAM_GB else None
