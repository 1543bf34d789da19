"""Budget: what a variant must fit, with its one-line grammar.

    size<4MB latency<-40% accuracy>-1pt

A sign makes a limit relative to the parent (`latency<-40%`: at most 60 % of its time; `accuracy>-1pt`: at most one
percentage point less). All mistakes are told at once. Pure.
"""

from __future__ import annotations

import difflib
import re
from dataclasses import dataclass
from typing import Final

from core.errors import InvalidInputError, Problem

_BYTES: Final = {"b": 1, "kb": 1000, "mb": 1000**2, "gb": 1000**3, "kib": 1024, "mib": 1024**2, "gib": 1024**3}
_TIMES: Final = {"us": 0.001, "µs": 0.001, "ms": 1.0, "s": 1000.0}
_POINTS: Final = frozenset({"pt", "pts", "pp"})
# metric: (side of the limit, its absolute units)
_METRICS: Final[dict[str, tuple[str, dict[str, float]]]] = {
    "size": ("<", dict(_BYTES)),
    "gzip": ("<", dict(_BYTES)),
    "memory": ("<", dict(_BYTES)),
    "latency": ("<", dict(_TIMES)),
    "load": ("<", dict(_TIMES)),
    "accuracy": (">", {"%": 0.01}),
    "worst-class": (">", {"%": 0.01}),
    "flips": ("<", {"%": 0.01}),
}
METRICS: Final = tuple(_METRICS)
DEFAULT: Final = "accuracy>-1pt latency<-0%"
_CLAUSE: Final = re.compile(r"([a-z][a-z-]*)([<>])=?([+-]?)(\d{1,9}(?:\.\d{1,6})?)([a-zµ%]*)")
_DASHES: Final = str.maketrans("−–—", "---")


@dataclass(frozen=True, slots=True, kw_only=True)
class Limit:
    """`bound` in bytes, milliseconds or a fraction; relative ones as a fraction of the parent (−0.4) or, for
    accuracy, as a difference (−0.01)."""

    metric: str
    bound: float
    relative: bool
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    limits: tuple[Limit, ...]

    def find(self, metric: str) -> Limit | None:
        return next((limit for limit in self.limits if limit.metric == metric), None)

    @property
    def margin(self) -> float:
        """The largest loss of accuracy that fits, as a fraction; 1 pp when the budget does not say."""
        limit = self.find("accuracy")
        return -limit.bound if limit and limit.relative else 0.01

    def __str__(self) -> str:
        return " ".join(limit.text for limit in self.limits)


def parse_budget(text: str) -> Budget:
    """Read limits separated by spaces, commas or "and".

    Raises: InvalidInputError: with every mistake.
    """
    plain = re.sub(r"\s*([<>]=?)\s*", r"\1", text.translate(_DASHES).lower().strip())
    plain = re.sub(r"([<>]=?[+-])\s+", r"\1", re.sub(r"(\d)\s+(%|[a-zµ]+\b)(?![<>-])", r"\1\2", plain))
    problems: list[Problem] = []
    limits: list[Limit] = []
    for clause in (word for word in re.split(r"[\s,;]+", plain) if word and word != "and"):
        limit = _limit(clause, problems)
        if limit and any(limit.metric == earlier.metric for earlier in limits):
            problems.append(Problem("budget", f"{limit.metric} is limited twice; keep one"))
        elif limit:
            limits.append(limit)
    if not limits and not problems:
        problems.append(Problem("budget", f"is empty; for example {DEFAULT!r}"))
    if problems:
        raise InvalidInputError(*problems)
    return Budget(limits=tuple(limits))


def _limit(clause: str, problems: list[Problem]) -> Limit | None:
    found = _CLAUSE.fullmatch(clause)
    if found is None:
        problems.append(Problem("budget", f"cannot read {clause[:40]!r}; write it like size<4MB or accuracy>-1pt"))
        return None
    metric, side, sign, number, unit = found.groups()
    if metric not in _METRICS:
        near = difflib.get_close_matches(metric, METRICS, n=1, cutoff=0.5)
        hint = f"did you mean {near[0]}?" if near else "known are " + ", ".join(METRICS)
        problems.append(Problem("budget", f"no metric {metric!r}; {hint}"))
        return None
    right, units = _METRICS[metric]
    if side != right:
        problems.append(Problem("budget", f"{clause}: {metric} is limited from the other side, write {metric}{right}…"))
        return None
    if sign:
        return _relative(clause, metric, float(f"{sign}{number}"), unit, problems)
    if unit not in units:
        problems.append(Problem("budget", f"{clause}: {metric} is measured in {', '.join(units)}, or relative (−10%)"))
        return None
    return Limit(metric=metric, bound=float(number) * units[unit], relative=False, text=clause)


def _relative(clause: str, metric: str, value: float, unit: str, problems: list[Problem]) -> Limit | None:
    is_share = metric in ("accuracy", "worst-class")
    if metric == "flips":
        problems.append(Problem("budget", f"{clause}: flips have no parent to compare with; write flips<1%"))
    elif is_share and unit not in _POINTS:
        problems.append(Problem("budget", f"{clause}: a difference of {metric} is in points, write {metric}>-1pt"))
    elif not is_share and unit != "%":
        problems.append(Problem("budget", f"{clause}: a change of {metric} is in percent, write {metric}<-40%"))
    elif not -100 < value < 1000:
        problems.append(Problem("budget", f"{clause}: lies outside −100 and 1000"))
    else:
        return Limit(metric=metric, bound=value / 100, relative=True, text=clause)
    return None
