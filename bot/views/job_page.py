"""A report card as a web page: what was measured, how sure it is, and the command that repeats it. Pure.

What a job wrote is read leniently: a field that is not there shows as "–".
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from markupsafe import Markup

from bot.views import card_figures as texts
from bot.views import charts, figures, pages
from bot.views.charts import Axis
from optimize.store import Job

Facts = Mapping[str, Any]
BADGES: Final = {"fits": "good", "breaks": "bad", "not proven": "watch", "not measured": "none"}
MARKS: Final = {"fits": "✓", "breaks": "✕", "not proven": "!", "not measured": "–"}
ACCELERATORS: Final = {"coreml": "Core ML", "nnapi": "NNAPI", "xnnpack": "XNNPACK"}
KINDS: Final = {"device": "as phones compute", "native": "on the machine that measured"}
SHOWN_TRIED: Final = 40


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One row of before and after."""

    name: str
    before: str
    after: str
    change: str = "–"


@dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    """One interval as a drawing and as text; `is_chosen` is the one that the card is about."""

    name: str
    figure: str
    detail: str
    svg: Markup
    is_chosen: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Bars:
    """Intervals on one axis, whose ends are named."""

    bars: tuple[Bar, ...]
    ends: tuple[str, str]


def job_page(job: Job, *, made: str) -> str:
    """Return the page; `made` says when the job ended or was ordered."""
    result = job.result or {}
    card = result.get("card") or {}
    evidence = card.get("evidence") or {}
    return pages.render(
        "job.html",
        job=job,
        made=made,
        title=_title(job),
        verdict=str(card.get("verdict") or job.state),
        badge=BADGES.get(str(card.get("verdict")), "none"),
        mark=MARKS.get(str(card.get("verdict")), "–"),
        badges=BADGES,
        marks=MARKS,
        summary=str(result.get("sentence") or (job.progress or {}).get("sentence") or "It waits for its turn."),
        checks=card.get("checks") or [],
        warnings=card.get("warnings") or [],
        lines=_lines(card) if card else [],
        latency=_latency(evidence.get("ratio")),
        accuracy=_accuracy(evidence),
        details=[(KINDS[kind], _details(evidence[kind])) for kind in KINDS if evidence.get(kind)],
        coverage=_coverage(evidence.get("coverage")),
        tried=_tried(result, str(result.get("recipe"))),
        refused=[each for each in result.get("tried") or [] if each.get("refused")],
        origin=card.get("origin") or {},
        cpu_s=result.get("cpu_s"),
    )


def _title(job: Job) -> str:
    if job.wanted.kind == "compare":
        return f"{job.source} against {job.wanted.other_version}"
    return f"{job.source} by {(job.result or {}).get('recipe') or job.wanted.recipe}"


def _lines(card: Facts) -> list[Line]:
    before, after, evidence = card.get("before") or {}, card.get("after") or {}, card.get("evidence") or {}
    energy = card.get("energy") or {}

    def line(name: str, key: str, text: Callable[[float | None], str]) -> Line:
        was, now = before.get(key), after.get(key)
        change = figures.ratio(now / was - 1) if was and now is not None else "–"
        return Line(name=name, before=text(was), after=text(now), change=change)

    ratio = texts.ratio_text(evidence.get("ratio"))
    return [
        Line(name="Size", before=texts.size(before.get("size_bytes")), after=texts.size(after.get("size_bytes")),
             change=texts.times(card.get("size_x"))),
        line("Compressed (gzip)", "gzip_bytes", texts.size),
        *(
            Line(name=f"Latency {name}", before=texts.ms((before.get("latency") or {}).get(key)),
                 after=texts.ms((after.get("latency") or {}).get(key)), change=ratio if name == "p50" else "–")
            for name, key in (("p50", "p50_ms"), ("p90", "p90_ms"), ("p95", "p95_ms"))
        ),
        line("Time to load", "load_ms", texts.ms),
        line("Memory, at most", "memory_bytes", texts.size),
        line("Parameters", "parameters", _count),
        line("Multiply-accumulates", "macs", _count),
        Line(name="Energy index (model, not measured)", before=_micro(energy.get("before")),
             after=_micro(energy.get("after"))),
    ]  # fmt: skip


def _latency(ratio: Facts | None) -> Bars | None:
    """The variant's time against its parent's, which is 100 %."""
    if not ratio:
        return None
    axis = charts.axis_of([ratio["low"], ratio["high"], 1.0, 0.0], least=0.0, most=20.0, step=0.2)
    said = texts.ratio_text(ratio)
    tone = "good" if ratio["high"] < 1 else "bad" if ratio["low"] > 1 else ""
    drawn = charts.interval(
        axis, value=ratio["value"], low=ratio["low"], high=ratio["high"], said=f"time {said}", tone=tone, before=1.0
    )
    bar = Bar(name="Time of one inference", figure=said, detail="thin line: the parent", svg=drawn)
    return Bars(bars=(bar,), ends=_ends(axis, percent=True))


def _accuracy(evidence: Facts) -> Bars | None:
    """The difference of accuracies in points; zero is the parent."""
    found = [
        (KINDS[kind], evidence[kind]) for kind in KINDS if (evidence.get(kind) or {}).get("difference") is not None
    ]
    if not found:
        return None
    marks = [100 * each[key] for _, each in found for key in ("low", "high")]
    axis = charts.axis_of([*marks, 0.0], least=-100.0, most=100.0, step=0.5)
    bars = []
    for name, each in found:
        middle, low, high = (100 * each[key] for key in ("difference", "low", "high"))
        said = texts.difference_text(each)
        tone = "good" if low > 0 else "bad" if high < 0 else ""
        drawn = charts.interval(axis, value=middle, low=low, high=high, said=f"{name}: {said}", tone=tone, before=0.0)
        bars.append(Bar(name=f"Accuracy {name}", figure=said, detail=f"n = {figures.count(each['n'])}", svg=drawn))
    return Bars(bars=tuple(bars), ends=_ends(axis, percent=False))


def _details(found: Facts) -> list[tuple[str, str]]:
    """Everything else that is known of the answers."""
    rows = [("inputs", figures.count(found["n"]))]
    if found.get("difference") is not None:
        was, now = (figures.share(found[key]) for key in ("accuracy_before", "accuracy_after"))
        rows += [
            ("accuracy before → after", f"{was} → {now}"),
            ("difference (95 %)", texts.difference_text(found)),
            ("right before, wrong after", figures.count(found["broke"])),
            ("wrong before, right after", figures.count(found["mended"])),
            ("McNemar's exact p", f"{found['p']:.3g}"),
        ]  # fmt: skip
    if found.get("worst_class") is not None:
        fell = figures.points(found["worst_difference"])
        rows.append(("worst class", f"{found['worst_class']}: {fell}, now {figures.share(found['worst_accuracy'])}"))
    rule = " by the rule of three" if found["flips"] == 0 else ""
    at_most = figures.share(found["flips_high"])
    rows.append(("answers changed", f"{found['flips']} of {figures.count(found['n'])} (at most {at_most}{rule})"))
    sqnr = found.get("sqnr_db")
    rows.append(("agreement of scores", f"{sqnr:.1f} dB SQNR" if sqnr is not None else "identical"))
    rows.append(("largest difference of scores", f"{found['max_difference']:.3g}"))
    return rows


def _coverage(coverage: Facts | None) -> list[Line]:
    """What accelerators run of both, with fixed shapes."""
    if not coverage:
        return []
    lines = []
    for key, name in ACCELERATORS.items():
        was, now = (((coverage.get(side) or {}).get("fixed") or {}).get(key) for side in ("before", "after"))
        if was or now:
            left = ", ".join((now or {}).get("left_out") or [])
            lines.append(Line(name=name, before=_covered(was), after=_covered(now), change=left or "nothing left out"))
    return lines


def _covered(found: Facts | None) -> str:
    if not found:
        return "–"
    pieces = "piece" if found["partitions"] == 1 else "pieces"
    return f"{found['covered']} of {found['nodes']} in {found['partitions']} {pieces}"


def _tried(result: Facts, chosen: str) -> Bars | None:
    tried = [each for each in result.get("tried") or [] if each.get("ratio")]
    if not tried:
        return None
    tried = sorted(tried, key=lambda each: -(each.get("size_x") or 0.0))[:SHOWN_TRIED]
    axis = charts.axis_of(
        [each["ratio"][key] for each in tried for key in ("low", "high")] + [1.0, 0.0], least=0.0, most=20.0, step=0.2
    )
    bars = tuple(_tried_bar(each, axis, is_chosen=each["recipe"] == chosen) for each in tried)
    return Bars(bars=bars, ends=_ends(axis, percent=True))


def _tried_bar(each: Facts, axis: Axis, *, is_chosen: bool) -> Bar:
    ratio, accuracy = each["ratio"], each.get("accuracy") or {}
    said = f"{texts.times(each.get('size_x'))}, {texts.ratio_text(ratio)}"
    detail = f"accuracy {texts.difference_text(accuracy)}" if accuracy.get("difference") is not None else ""
    tone = "good" if ratio["high"] < 1 else "bad" if ratio["low"] > 1 else ""
    drawn = charts.interval(
        axis, value=ratio["value"], low=ratio["low"], high=ratio["high"], said=f"{each['recipe']}: {said}",
        tone=tone, before=1.0,
    )  # fmt: skip
    return Bar(name=str(each["recipe"]), figure=said, detail=detail, svg=drawn, is_chosen=is_chosen)


def _ends(axis: Axis, *, percent: bool) -> tuple[str, str]:
    low, high = (figures.plain(100 * end) if percent else figures.signed(end) for end in (axis.low, axis.high))
    return (f"{low}{figures.NARROW}%", f"{high}{figures.NARROW}%") if percent else (f"{low} pt", f"{high} pt")


def _count(number: float | None) -> str:
    return figures.count(int(number)) if number is not None else "–"


def _micro(value: float | None) -> str:
    return f"{value:.3g}{figures.NARROW}µJ" if value is not None else "–"
