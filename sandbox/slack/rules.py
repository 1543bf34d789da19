"""Small rules that a JSON value must keep, and the words in which Slack complains when it does not. Pure.

A rule takes a value, the JSON pointer where it stands and the list that complaints go to.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Complaint:
    """One complaint: what is wrong, and where."""

    message: str
    pointer: str

    def __str__(self) -> str:
        return f"{self.message} [json-pointer:{self.pointer}]"


Complaints = list[Complaint]
Rule = Callable[[object, str, Complaints], None]


def string(*, longest: int | None = None, shortest: int = 0) -> Rule:
    def check(value: object, at: str, complaints: Complaints) -> None:
        if not isinstance(value, str):
            complaints.append(Complaint("must be a string", at))
            return
        if len(value) < shortest:
            complaints.append(Complaint(f"must be more than {shortest - 1} characters", at))
        if longest is not None and len(value) > longest:
            complaints.append(Complaint(f"must be less than {longest + 1} characters", at))

    return check


def number(*, least: float | None = None, most: float | None = None, whole: bool = False) -> Rule:
    def check(value: object, at: str, complaints: Complaints) -> None:
        if isinstance(value, bool) or not isinstance(value, int | float):
            complaints.append(Complaint("must be a number", at))
        elif value != value or value in (float("inf"), float("-inf")):
            complaints.append(Complaint("must be a finite number", at))
        elif whole and value != int(value):
            complaints.append(Complaint("must be an integer", at))
        elif least is not None and value < least:
            complaints.append(Complaint(f"must be at least {least:g}", at))
        elif most is not None and value > most:
            complaints.append(Complaint(f"must be at most {most:g}", at))

    return check


def boolean(value: object, at: str, complaints: Complaints) -> None:
    if not isinstance(value, bool):
        complaints.append(Complaint("must be a boolean", at))


def constant(*allowed: object) -> Rule:
    def check(value: object, at: str, complaints: Complaints) -> None:
        if value not in allowed:
            complaints.append(Complaint(f"must be one of: {', '.join(map(str, allowed))}", at))

    return check


def array(of: Rule, *, fewest: int = 0, most: int | None = None) -> Rule:
    def check(value: object, at: str, complaints: Complaints) -> None:
        if not isinstance(value, list):
            complaints.append(Complaint("must provide an array", at))
            return
        if len(value) < fewest:
            complaints.append(Complaint(f"no less than {fewest} items required", at))
        if most is not None and len(value) > most:
            complaints.append(Complaint(f"no more than {most} items allowed", at))
        for place, item in enumerate(value):
            of(item, f"{at}/{place}", complaints)

    return check


def shape(needed: Mapping[str, Rule], allowed: Mapping[str, Rule] | None = None) -> Rule:
    """An object with every field of `needed`, some of `allowed`, and no other."""
    known = {**needed, **(allowed or {})}

    def check(value: object, at: str, complaints: Complaints) -> None:
        if not isinstance(value, dict):
            complaints.append(Complaint("must provide an object", at))
            return
        complaints.extend(Complaint(f"missing required field: {name}", at) for name in needed if name not in value)
        for name, part in value.items():
            rule = known.get(name)
            if rule is None:
                complaints.append(Complaint(f"invalid additional property: {name}", at))
            else:
                rule(part, f"{at}/{name}", complaints)

    return check


def typed(kinds: Callable[[], Mapping[str, Rule]]) -> Rule:
    """An object whose `type` names the rule it must keep. `kinds` is asked late, so rules may hold one another."""

    def check(value: object, at: str, complaints: Complaints) -> None:
        if not isinstance(value, dict):
            complaints.append(Complaint("must provide an object", at))
            return
        kind = value.get("type")
        if "type" not in value:
            complaints.append(Complaint("missing required field: type", at))
            return
        rule = kinds().get(kind) if isinstance(kind, str) else None
        if rule is None:
            complaints.append(Complaint(f"unsupported type: {kind}", f"{at}/type"))
            return
        rule(value, at, complaints)

    return check


def both(*rules: Rule) -> Rule:
    """Keep every rule."""

    def check(value: object, at: str, complaints: Complaints) -> None:
        for rule in rules:
            rule(value, at, complaints)

    return check


def whatever(value: object, at: str, complaints: Complaints) -> None:
    """Anything goes."""
