"""ReportCard: one variant against its parent and a budget, with a verdict in words. Pure."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any, Final, Literal

from optimize.benchmark import Benchmark, Ratio
from optimize.budgets import Budget, Limit
from optimize.evaluate import Comparison
from optimize.wording import accuracy, amount_text, faster, percent, points, smaller

Outcome = Literal["fits", "breaks", "not proven", "not measured"]
_WORST_FIRST: Final[tuple[Outcome, ...]] = ("breaks", "not proven", "not measured", "fits")
_LOUD_RUNTIMES: Final = ("onnxruntime", "ort")
_QUIET_BEFORE: Final = (1, 29)
_PICOJOULE_PER_MAC: Final = 4.6
_PICOJOULE_PER_BYTE: Final = 160.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """What is known of the pair. `device` counts for the verdict, `native` is this machine's own arithmetic.

    `ratio`: variant time / parent time. `coverage`: of parent and variant, as optimize.coverage measures it.
    """

    device: Comparison | None = None
    native: Comparison | None = None
    ratio: Ratio | None = None
    coverage: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One limit of the budget: its outcome and a sentence why."""

    limit: str
    outcome: Outcome
    sentence: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """Where the variant comes from and what repeats it."""

    parent: str
    recipe: str
    command: str
    versions: Mapping[str, str]
    cpu: str
    notes: tuple[str, ...] = ()
    runtime: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportCard:
    before: Benchmark
    after: Benchmark
    budget: str
    evidence: Evidence
    checks: tuple[Check, ...]
    verdict: Outcome
    summary: str
    warnings: tuple[str, ...] = ()
    origin: Origin | None = None

    @property
    def passed(self) -> bool:
        return self.verdict == "fits"

    @property
    def may_be_released(self) -> bool:
        """Whether a release may start without a person having looked: what was not measured never may."""
        measured = self.evidence.device is not None and self.evidence.device.difference is not None
        return self.passed and measured

    @property
    def size_x(self) -> float:
        return self.before.size_bytes / self.after.size_bytes


def grade(
    before: Benchmark,
    after: Benchmark,
    budget: Budget,
    *,
    evidence: Evidence,
    origin: Origin | None = None,
) -> ReportCard:
    """Judge a variant. An accuracy fits only when the whole interval does; a latency likewise."""
    checks = tuple(_check(limit, before, after, evidence) for limit in budget.limits)
    verdict = next(outcome for outcome in _WORST_FIRST if any(check.outcome == outcome for check in checks))
    reasons = [check.sentence for check in checks if check.outcome == verdict and verdict != "fits"]
    head = verdict if not reasons else f"{verdict}: {'; '.join(reasons)}"
    return ReportCard(
        before=before,
        after=after,
        budget=str(budget),
        evidence=evidence,
        checks=checks,
        verdict=verdict,
        summary=f"{head}{' · ' if reasons else ': '}{changes(before, after, evidence)}",
        warnings=tuple(_warnings(before, after, evidence, origin)),
        origin=origin,
    )


def changes(before: Benchmark, after: Benchmark, evidence: Evidence) -> str:
    """Return what changed: "10.0× smaller, 21 % faster (18–22), accuracy −0.2 pp (−0.6…+0.2)"."""
    parts = [smaller(before.size_bytes / after.size_bytes)]
    if evidence.ratio:
        parts.append(faster(evidence.ratio))
    parts.append(accuracy(evidence.device))
    return ", ".join(parts)


def to_json(card: ReportCard) -> dict[str, Any]:
    """Return every field of the card as plain JSON, with what follows from them."""
    facts = asdict(card)
    facts |= {
        "size_x": round(card.size_x, 3),
        "passed": card.passed,
        "may_be_released": card.may_be_released,
        "energy": {
            "before": energy_index(card.before),
            "after": energy_index(card.after),
            "note": "model, not measured",
        },
    }
    return facts


def energy_index(benchmark: Benchmark) -> float | None:
    """Return microjoules of one inference by its multiply-accumulates and weight bytes; a model, not a measurement.

    45 nm figures of Horowitz 2014 (ISSCC, doi:10.1109/ISSCC.2014.6757323): 4.6 pJ for a multiply-add in fp32, 640 pJ
    for 32 bits from DRAM.
    """
    if benchmark.macs is None:
        return None
    picojoules = benchmark.macs * _PICOJOULE_PER_MAC + benchmark.size_bytes * _PICOJOULE_PER_BYTE
    return round(picojoules / 1e6, 3)


def _check(limit: Limit, before: Benchmark, after: Benchmark, evidence: Evidence) -> Check:
    if limit.metric in ("accuracy", "worst-class", "flips"):
        outcome, sentence = _check_answers(limit, evidence.device)
    elif limit.metric == "latency" and limit.relative:
        outcome, sentence = _check_ratio(limit, evidence.ratio)
    else:
        outcome, sentence = _check_amount(limit, _amount(limit.metric, before), _amount(limit.metric, after))
    return Check(limit=limit.text, outcome=outcome, sentence=sentence)


def _check_answers(limit: Limit, found: Comparison | None) -> tuple[Outcome, str]:
    if found is None or (limit.metric != "flips" and found.difference is None):
        return "not measured", f"{limit.metric} not measured (no labeled inputs)"
    if limit.metric == "flips":
        share = found.flips / found.n
        said = f"{share * 100:.2g} % of answers changed (at most {found.flips_high * 100:.2g} %), {limit.text}"
        return _against(-limit.bound, -found.flips_high, -share), said
    if limit.metric == "worst-class":
        value = found.worst_difference if limit.relative else found.worst_accuracy
        if value is None:
            return "not measured", "worst class not measured (too few inputs of each class)"
        said = f"class {found.worst_class} at {points(value) if limit.relative else percent(value)}, {limit.text}"
        return ("fits" if value > limit.bound or math.isclose(value, limit.bound) else "breaks"), said
    assert found.difference is not None
    assert found.low is not None
    assert found.accuracy_after is not None
    if limit.relative:
        said = f"{accuracy(found)}, {limit.text}"
        return (
            "fits" if found.low >= limit.bound else "breaks" if found.difference < limit.bound else "not proven"
        ), said
    low = _wilson_low(found.accuracy_after, found.n)
    said = f"accuracy {percent(found.accuracy_after)} (at least {percent(low)}), {limit.text}"
    return _against(limit.bound, low, found.accuracy_after), said


def _against(bound: float, low: float, value: float) -> Outcome:
    return "fits" if low >= bound else "breaks" if value < bound else "not proven"


def _check_ratio(limit: Limit, ratio: Ratio | None) -> tuple[Outcome, str]:
    if ratio is None:
        return "not measured", "latency not measured"
    bound = 1 + limit.bound
    said = f"{faster(ratio)}, {limit.text}"
    return ("fits" if ratio.high <= bound else "breaks" if ratio.value > bound else "not proven"), said


def _check_amount(limit: Limit, before: float | None, after: float | None) -> tuple[Outcome, str]:
    if after is None or (limit.relative and before is None):
        return "not measured", f"{limit.metric} not measured"
    bound = limit.bound if not limit.relative else (before or 0.0) * (1 + limit.bound)
    said = f"{limit.metric} {amount_text(limit.metric, after)}, {limit.text}"
    return ("fits" if after <= bound else "breaks"), said


def _amount(metric: str, benchmark: Benchmark) -> float | None:
    amounts: dict[str, float | None] = {
        "size": benchmark.size_bytes,
        "gzip": benchmark.gzip_bytes,
        "memory": benchmark.memory_bytes,
        "load": benchmark.load_ms,
        "latency": benchmark.latency.p50_ms if benchmark.latency else None,
    }
    return amounts[metric]


def _warnings(before: Benchmark, after: Benchmark, evidence: Evidence, origin: Origin | None) -> Iterable[str]:
    if origin and origin.runtime and _phones_home(origin.runtime):
        yield (
            f"the app's runtime ({origin.runtime}) sends telemetry by default from 1.29 on: "
            "set ORT_DISABLE_TELEMETRY=1 before it is loaded"
        )
    native, device = evidence.native, evidence.device
    if native and device and native.accuracy_after is not None and device.accuracy_after is not None:
        apart = device.accuracy_after - native.accuracy_after
        if abs(apart) > 0.005:
            yield f"accuracy on this machine's own int8 kernels differs by {points(-apart)}; device-like counts"
    for name in ("coreml", "nnapi", "xnnpack"):
        lost = _lost_delegate(evidence.coverage, name)
        if lost:
            yield lost
    if evidence.ratio and evidence.ratio.is_slower:
        yield f"slower on this machine: {faster(evidence.ratio)}"
    if after.sha256 != before.sha256 and after.size_bytes >= before.size_bytes:
        yield "not smaller than its parent"


def _lost_delegate(coverage: Mapping[str, Any] | None, name: str) -> str | None:
    """Return how an accelerator that ran the parent in one piece runs the variant in many, both with fixed shapes."""
    try:
        was, now = coverage["before"]["fixed"][name], coverage["after"]["fixed"][name]  # type: ignore[index]
    except (KeyError, TypeError):
        return None
    if now["partitions"] <= max(2, was["partitions"]) and now["covered"] >= now["nodes"] * 0.75:
        return None
    if was["nodes"] and was["covered"] / was["nodes"] < 0.75:
        return None
    words = {"coreml": "Core ML (Neural Engine)", "nnapi": "NNAPI (deprecated from Android 15)", "xnnpack": "XNNPACK"}
    return (
        f"{words[name]} ran the parent in {_pieces(was)}; it runs {now['covered']} of {now['nodes']} operators of this "
        f"in {_pieces(now)}"
    )


def _pieces(found: Mapping[str, Any]) -> str:
    return "one piece" if found["partitions"] == 1 else f"{found['partitions']} pieces"


def _phones_home(runtime: str) -> bool:
    name, _, version = runtime.strip().lower().replace("==", " ").replace("-", " ").partition(" ")
    numbers = [int(part) for part in version.strip().split(".")[:2] if part.isdecimal()]
    return name in _LOUD_RUNTIMES and (not numbers or tuple(numbers) >= _QUIET_BEFORE)


def _wilson_low(share: float, n: int) -> float:
    """Return the lower end of Wilson's 95 % interval, doi:10.1080/01621459.1927.10502953."""
    z2 = 1.959964**2
    middle = share + z2 / (2 * n)
    return max(0.0, (middle - math.sqrt(z2 * (share * (1 - share) / n + z2 / (4 * n * n)))) / (1 + z2 / n))
