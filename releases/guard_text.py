"""Guardrails as people type them: `latency_p95<+10% crash_rate<+0.2pt csat>-5pt:pause`. Pure.

`<+10%` allows a tenth more than the baseline, `<+0.2pt` allows 0.2 percentage points more; `csat>-5pt` allows five
points less. `:pause`, `:halt` or `:rollback` says what a breach does; unsaid, it rolls back.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable
from typing import Final, get_args

from core.errors import InvalidInputError, Problem
from releases.guardrails import Guardrail, OnFail
from releases.metrics import METRICS, metric_of

NONE: Final = "none"
_CLAUSE: Final = re.compile(
    r"([a-z][a-z0-9_]*)\s*([<>])=?\s*([+-]?)\s*(\d{1,4}(?:\.\d{1,6})?)\s*(%|pts?|pp)(?::(\w+))?"
)
_DASHES: Final = str.maketrans("−–—", "---")
_ON_FAIL: Final[tuple[OnFail, ...]] = get_args(OnFail)


def parse(text: str) -> tuple[Guardrail, ...]:
    """Read clauses separated by spaces, commas or "and"; "none" is no guardrail.

    Raises: InvalidInputError: with every mistake.
    """
    plain = text.translate(_DASHES).lower().strip()
    if plain == NONE:
        return ()
    problems: list[Problem] = []
    guardrails: list[Guardrail] = []
    for clause in _clauses(plain):
        read = _read(clause, problems)
        if read and any(read.metric == earlier.metric for earlier in guardrails):
            problems.append(Problem("", f"{read.metric} is guarded twice; keep one"))
        elif read:
            guardrails.append(read)
    if problems:
        raise InvalidInputError(*problems)
    return tuple(guardrails)


def text(guardrails: Iterable[Guardrail]) -> str:
    """Return the guardrails in the words `parse` reads."""
    return " ".join(_clause(guardrail) for guardrail in guardrails) or NONE


def _clauses(plain: str) -> list[str]:
    """Split at spaces that do not stand beside a sign, so `csat > -5 pt` stays one clause."""
    joined = re.sub(r"\s*([<>]=?)\s*", r"\1", re.sub(r"\s+(%|pts?\b|pp\b)", r"\1", plain))
    joined = re.sub(r"([<>]=?[+-])\s+", r"\1", joined)
    return [word for word in re.split(r"[\s,;]+", joined) if word and word != "and"]


def _read(clause: str, problems: list[Problem]) -> Guardrail | None:
    found = _CLAUSE.fullmatch(clause)
    if found is None:
        problems.append(Problem("", f"{clause!r} must read like crash_rate<+0.2pt, latency_p95<+10% or csat>-5pt"))
        return None
    name, sign, plus, number, unit, on_fail = found.groups()
    metric = metric_of(name)
    if metric is None:
        close = difflib.get_close_matches(name, METRICS, n=1)
        hint = f"did you mean {close[0]}?" if close else "known are " + ", ".join((*METRICS, "over_100ms"))
        problems.append(Problem("", f"no metric is called {name!r}; {hint}"))
        return None
    before = len(problems)
    wanted = "<+" if metric.better == "lower" else ">-"
    if sign + (plus or wanted[1]) != wanted:
        worse = "rise" if metric.better == "lower" else "fall"
        problems.append(Problem("", f"{name} may not {worse} too far, so it is written {name}{wanted}{number}{unit}"))
    if unit != "%" and not metric.is_share:
        problems.append(Problem("", f"{name} is no share, so its margin is in percent, such as {name}{wanted}10%"))
    if metric.better == "higher" and float(number) > 100:
        problems.append(Problem("", f"{name} cannot fall by more than 100"))
    if on_fail and on_fail not in _ON_FAIL:
        problems.append(Problem("", f"{on_fail!r} must be rollback, halt or pause"))
    if len(problems) > before:
        return None
    act: OnFail = next((act for act in _ON_FAIL if act == on_fail), "rollback")
    return Guardrail(metric=name, margin=float(number) / 100, relative=unit == "%", on_fail=act)


def _clause(guardrail: Guardrail) -> str:
    sign = "<+" if guardrail.better == "lower" else ">-"
    act = "" if guardrail.on_fail == "rollback" else f":{guardrail.on_fail}"
    number = f"{guardrail.margin * 100:.6f}".rstrip("0").rstrip(".")
    return f"{guardrail.metric}{sign}{number}{'%' if guardrail.relative else 'pt'}{act}"
