"""The meaning of segments: rules over a DeviceContext and whether a device matches.

A rule about a fact the device did not tell is neither true nor false, so it never matches, nor does its opposite:
`country!=DE` and `not country=DE` both leave out a device without a country (three-valued logic, as in SQL).
Words compare without regard to case, versions by precedence (core/versions.py). Import from core.segments. Pure.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal, assert_never, cast, get_args

from core.device import FIELDS, NUMBER_FIELDS, VERSION_FIELDS, WIRE_NAMES, DeviceContext, short_name
from core.versions import compare, version_key

Operator = Literal["eq", "neq", "in", "not_in", "lt", "lte", "gt", "gte", "contains", "starts_with", "ends_with"]
SYMBOLS: Final[Mapping[Operator, str]] = {
    "eq": "=",
    "neq": "!=",
    "in": " in ",
    "not_in": " not in ",
    "lt": "<",
    "lte": "<=",
    "gt": ">",
    "gte": ">=",
    "contains": " contains ",
    "starts_with": " starts_with ",
    "ends_with": " ends_with ",
}
ORDERED: Final = frozenset({"lt", "lte", "gt", "gte"})
# Parts of text, instead of regular expressions: every language agrees on them, and none of them can run for ever.
PARTS: Final[Mapping[str, Callable[[str, str], bool]]] = {
    "contains": str.__contains__,
    "starts_with": str.startswith,
    "ends_with": str.endswith,
}
MAX_DEPTH: Final = 10
MAX_VALUES: Final = 200


@dataclass(frozen=True, slots=True)
class All:
    """Every part holds; without parts, everybody."""

    parts: tuple[Segment, ...]


@dataclass(frozen=True, slots=True)
class AnyOf:
    """At least one part holds; made by `any_of`, so there are two or more."""

    parts: tuple[Segment, ...]


@dataclass(frozen=True, slots=True)
class Not:
    """The part does not hold."""

    part: Segment


@dataclass(frozen=True, slots=True)
class Is:
    """One comparison. `field` is a short name; numbers are kept as text; only `in` and `not_in` have several values."""

    field: str
    operator: Operator
    values: tuple[str, ...]


Segment = All | AnyOf | Not | Is
EVERYONE: Final = All(())


def matches(segment: Segment, device: DeviceContext) -> bool:
    """Return whether the rule is known to hold for `device`."""
    return _truth(segment, device) is True


def fields_of(segment: Segment) -> frozenset[str]:
    """Return the short names of the fields the rule looks at."""
    match segment:
        case All(parts) | AnyOf(parts):
            return frozenset().union(*(fields_of(part) for part in parts))
        case Not(part):
            return fields_of(part)
        case Is(field):
            return frozenset({field})
        case _:
            assert_never(segment)


def comparison(field: str, operator: str, values: Sequence[str]) -> Is | tuple[str, ...]:
    """Return the comparison, or everything that is wrong with it, in sentences."""
    short = short_name(field)
    if short is None:
        hint = suggestion(field, [*WIRE_NAMES, *FIELDS]) or f"; there are {', '.join(sorted(WIRE_NAMES))}"
        return (f"no field {field!r}{hint}",)
    plain = operator.removeprefix("semver_").replace("not_equals", "neq").replace("equals", "eq")
    if plain not in get_args(Operator) or (plain != operator and plain in PARTS):
        return (f"no operator {operator!r}; there are {', '.join(get_args(Operator))} and semver_…",)
    wrong = _wrong_values(short, plain, operator.startswith("semver_"), values)
    if wrong:
        return wrong
    if plain in ("in", "not_in") and len(values) == 1:
        plain = "eq" if plain == "in" else "neq"
    return Is(short, cast(Operator, plain), tuple(_canonical(short, value) for value in values))


def all_of(parts: Sequence[Segment]) -> Segment:
    """Return the rule that all parts hold, in its simplest form."""
    flat = [leaf for part in parts for leaf in (part.parts if isinstance(part, All) else (part,))]
    return flat[0] if len(flat) == 1 else All(tuple(flat))


def any_of(parts: Sequence[Segment]) -> Segment:
    """Return the rule that one of the parts holds, in its simplest form; of no parts, nobody."""
    flat = [leaf for part in parts for leaf in (part.parts if isinstance(part, AnyOf) else (part,))]
    if not flat:
        return Not(EVERYONE)
    return flat[0] if len(flat) == 1 else AnyOf(tuple(flat))


def suggestion(word: str, known: Sequence[str]) -> str:
    """Return `; did you mean "…"?` for the nearest known word, or nothing if none is near."""
    near = difflib.get_close_matches(word.lower(), known, n=1, cutoff=0.6)
    return f"; did you mean {near[0]!r}?" if near else ""


def _truth(segment: Segment, device: DeviceContext) -> bool | None:
    match segment:
        case Is():
            return _holds(segment, device)
        case Not(part):
            inner = _truth(part, device)
            return None if inner is None else not inner
        case All(parts):
            return _join([_truth(part, device) for part in parts], decisive=False)
        case AnyOf(parts):
            return _join([_truth(part, device) for part in parts], decisive=True)
        case _:
            assert_never(segment)


def _join(truths: list[bool | None], *, decisive: bool) -> bool | None:
    if decisive in truths:
        return decisive
    return None if None in truths else not decisive


def _holds(rule: Is, device: DeviceContext) -> bool | None:
    told = device.value(rule.field)
    if told is None:
        return None
    if rule.operator in ORDERED:
        order = _order(rule.field, told, rule.values[0])
        return None if order is None else _in_order(rule.operator, order)
    if rule.operator in PARTS:
        return PARTS[rule.operator](str(told).lower(), rule.values[0].lower())
    found = any(_same(rule.field, told, value) for value in rule.values)
    return found if rule.operator in ("eq", "in") else not found


def _in_order(operator: Operator, order: int) -> bool:
    if order == 0:
        return operator in ("lte", "gte")
    return operator in (("lt", "lte") if order < 0 else ("gt", "gte"))


def _order(field: str, told: str | float, value: str) -> int | None:
    if field in NUMBER_FIELDS:
        return (float(told) > float(value)) - (float(told) < float(value))
    return compare(str(told), value)


def _same(field: str, told: str | float, value: str) -> bool:
    if field in NUMBER_FIELDS:
        return float(told) == float(value)
    order = compare(str(told), value) if field in VERSION_FIELDS else None
    return order == 0 if order is not None else str(told).lower() == value.lower()


def _wrong_values(field: str, operator: str, is_semver: bool, values: Sequence[str]) -> tuple[str, ...]:
    wrong: list[str] = []
    if not values or len(values) > MAX_VALUES:
        wrong.append(f"must have 1 to {MAX_VALUES} values")
    elif operator not in ("in", "not_in") and len(values) != 1:
        wrong.append("takes one value; use 'in' for several")
    if is_semver and field not in VERSION_FIELDS:
        wrong.append(f"{field} is not a version; versions are {', '.join(sorted(VERSION_FIELDS))}")
    elif operator in ORDERED and field not in NUMBER_FIELDS | VERSION_FIELDS:
        wrong.append(f"{field} has no order; use = or in")
    elif operator in PARTS and field in NUMBER_FIELDS:
        wrong.append(f"{field} is a number; use =, <, <=, > or >=")
    if field in NUMBER_FIELDS:
        wrong += [f"{field} needs a number, not {value!r}" for value in values if _number(value) is None]
    elif operator in ORDERED and field in VERSION_FIELDS:
        wrong += [
            f"{field} needs a version like 3.2.0, not {value!r}" for value in values if version_key(value) is None
        ]
    if any(not value.strip() for value in values):
        wrong.append("a value must not be empty")
    return tuple(wrong)


def _number(value: str) -> float | None:
    try:
        number = float(value)
    except ValueError:
        return None
    return number if abs(number) < 1e9 else None


def _canonical(field: str, value: str) -> str:
    return f"{float(value):.12g}" if field in NUMBER_FIELDS else " ".join(value.split())
