"""How measurements read in sentences: 10.0× smaller, 21 % faster (18–22), accuracy −0.2 pp (−0.6…+0.2). Pure."""

from __future__ import annotations

from optimize.benchmark import Ratio
from optimize.evaluate import Comparison


def smaller(times: float) -> str:
    if times >= 1:
        return f"{times:.1f}× smaller" if times < 100 else f"{times:.0f}× smaller"
    return f"{1 / times:.1f}× larger"


def faster(ratio: Ratio) -> str:
    """Return "21 % faster (18–22)", "12 % slower (8–15)", or that no difference was seen."""
    near, far = (1 - ratio.high) * 100, (1 - ratio.low) * 100
    if ratio.is_faster:
        return f"{(1 - ratio.value) * 100:.0f} % faster ({near:.0f}–{far:.0f})"
    if ratio.is_slower:
        return f"{(ratio.value - 1) * 100:.0f} % slower ({-far:.0f}–{-near:.0f})"
    return f"as fast (×{ratio.low:.2f}–{ratio.high:.2f})"


def accuracy(found: Comparison | None) -> str:
    if found is None:
        return "accuracy not measured"
    if found.difference is None or found.low is None or found.high is None:
        return f"accuracy not measured, {found.flips} of {found.n} answers changed"
    return f"accuracy {points(found.difference)} ({number(found.low)}…{number(found.high)})"


def points(fraction: float) -> str:
    return f"{number(fraction)} pp"


def number(fraction: float) -> str:
    """Return points with sign and one decimal; zero has none."""
    text = f"{abs(fraction) * 100:.1f}"
    return text if text == "0.0" else f"{'−' if fraction < 0 else '+'}{text}"


def percent(fraction: float) -> str:
    return f"{fraction * 100:.1f} %"


def amount_text(metric: str, amount: float) -> str:
    if metric in ("latency", "load"):
        return f"{amount:.3g} ms"
    for unit, size in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if amount >= size:
            return f"{amount / size:.3g} {unit}"
    return f"{amount:.0f} B"
