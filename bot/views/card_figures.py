"""Figures of a report card as text and as one table: sizes, times, accuracy with their intervals. Pure.

What a job wrote is read leniently: a field that is not there shows as "–".
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bot.views import figures
from bot.views.blocks import Block, Cell, table

Facts = Mapping[str, Any]


def compared(found: Facts) -> Block:
    """Before and after, side by side."""
    before, after = found.get("before") or {}, found.get("after") or {}
    evidence = found.get("evidence") or {}
    rows: list[list[Cell]] = [
        ["size", *(size(one.get("size_bytes")) for one in (before, after)), times(found.get("size_x"))],
        ["gzip", *(size(one.get("gzip_bytes")) for one in (before, after)), "–"],
        ["latency p50", *(ms((one.get("latency") or {}).get("p50_ms")) for one in (before, after)),
         ratio_text(evidence.get("ratio"))],
        ["latency p95", *(ms((one.get("latency") or {}).get("p95_ms")) for one in (before, after)), "–"],
        ["load", *(ms(one.get("load_ms")) for one in (before, after)), "–"],
        ["memory", *(size(one.get("memory_bytes")) for one in (before, after)), "–"],
        *accuracy_rows(evidence.get("device"), "accuracy"),
    ]  # fmt: skip
    return table(["figure", "before", "after", "change (95 %)"], rows, caption="Before and after")


def left(found: Facts) -> dict[str, float]:
    """Return what is left of the parent, in percent, by figure; what was not measured is left out."""
    before, after = found.get("before") or {}, found.get("after") or {}
    ratio = (found.get("evidence") or {}).get("ratio")
    parts = {name: (before.get(key), after.get(key)) for name, key in (("size", "size_bytes"), ("gzip", "gzip_bytes"))}
    parts |= {"memory": (before.get("memory_bytes"), after.get("memory_bytes"))}
    shares = {name: 100 * now / was for name, (was, now) in parts.items() if was and now is not None}
    if ratio:
        shares["time"] = 100 * ratio["value"]
    return {name: round(share, 1) for name, share in shares.items()}


def accuracy_rows(found: Facts | None, name: str) -> list[list[Cell]]:
    if not found:
        return [[name, "–", "–", "not measured"]]
    rows: list[list[Cell]] = []
    if found.get("difference") is not None:
        was, now = (figures.share(found[key]) for key in ("accuracy_before", "accuracy_after"))
        rows.append([name, was, now, difference_text(found)])
        if found.get("p") is not None:
            turned = f"{figures.count(found['broke'])} wrong, {figures.count(found['mended'])} right"
            rows.append(["turned", "–", turned, f"McNemar's exact p {found['p']:.3g}"])
    else:
        rows.append([name, "–", "–", "no labels"])
    at_most = figures.share(found["flips_high"])
    rows.append(["answers changed", "–", f"{found['flips']} of {found['n']}", f"at most {at_most}"])
    return rows


def difference_text(found: Facts) -> str:
    """−0.2 pt (−0.6 to +0.2)."""
    middle, low, high = (figures.signed(round(100 * found[key], 2)) for key in ("difference", "low", "high"))
    return f"{middle}{figures.NARROW}pt ({low} to {high})"


def ratio_text(ratio: Facts | None) -> str:
    """×0.79 (0.78 to 0.82)."""
    return f"×{ratio['value']:.2f} ({ratio['low']:.2f} to {ratio['high']:.2f})" if ratio else "–"


def times(size_x: float | None) -> str:
    if not size_x:
        return "–"
    return f"{size_x:.1f}× smaller" if size_x >= 1 else f"{1 / size_x:.1f}× larger"


def size(size_bytes: float | None) -> str:
    return figures.size(int(size_bytes)) if size_bytes is not None else "–"


def ms(value: float | None) -> str:
    return f"{value:.3g}{figures.NARROW}ms" if value is not None else "–"
