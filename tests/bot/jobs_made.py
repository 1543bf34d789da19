"""Jobs that have ended, with report cards as real ones have them, for what shows them."""

from __future__ import annotations

from typing import Any

from sqlalchemy.orm import Session

from optimize import reporting, store
from optimize.benchmark import Benchmark, Latency, Ratio
from optimize.budgets import parse_budget
from optimize.evaluate import Comparison
from optimize.job import Result
from optimize.report_card import Evidence, Origin, ReportCard, grade
from optimize.search import Tried
from optimize.store import Job, Wanted
from tests.builders import T0
from tests.optimize.builders import a_comparison

PARENT, VARIANT = "a1" * 32, "b2" * 32
BUDGET = "accuracy>-1pt latency<-0%"
FASTER = Ratio(value=0.79, low=0.78, high=0.82)


def a_benchmark(sha256: str, size_bytes: int, p50_ms: float) -> Benchmark:
    return Benchmark(
        sha256=sha256, size_bytes=size_bytes, gzip_bytes=round(size_bytes * 0.9),
        latency=Latency(p50_ms=p50_ms, p90_ms=p50_ms * 1.2, p95_ms=p50_ms * 1.3), load_ms=5.0,
        memory_bytes=size_bytes * 2, macs=size_bytes // 4, parameters=size_bytes // 4,
    )  # fmt: skip


def a_card(*, found: Comparison | None = None, recipe: str = "int8-weights", budget: str = BUDGET) -> ReportCard:
    pieces = {"nodes": 5, "covered": 5, "partitions": 1, "left_out": []}
    torn = {"nodes": 12, "covered": 6, "partitions": 3, "left_out": ["DequantizeLinear"]}
    origin = Origin(
        parent=PARENT, recipe=recipe, command=f"muster model optimize-local kws-1.4.0.onnx --recipe {recipe}",
        versions={"onnx": "1.22.0", "onnxruntime": "1.30.0"}, cpu="Some CPU avx2", notes=("a note of a step",),
    )  # fmt: skip
    evidence = Evidence(
        device=found, native=found, ratio=FASTER,
        coverage={"before": {"fixed": {"coreml": pieces, "xnnpack": pieces}},
                  "after": {"fixed": {"coreml": torn, "xnnpack": pieces}}},
    )  # fmt: skip
    before, after = a_benchmark(PARENT, 3_000_000, 0.5), a_benchmark(VARIANT, 300_000, 0.4)
    return grade(before, after, parse_budget(budget), evidence=evidence, origin=origin)


def a_result(*, recipe: str = "int8-weights", found: Comparison | None = None, budget: str = BUDGET) -> dict[str, Any]:
    found = found or a_comparison(n=2000, broke=6, mended=2)
    card = a_card(found=found, recipe=recipe, budget=budget)
    tried = (
        Tried(recipe="int8-static", sentence="does not apply: <no convolutions>"),
        Tried(recipe=recipe, size_bytes=300_000, ratio=FASTER, select=found, confirm=found),
        Tried(recipe="prune@0.02", size_bytes=900_000, ratio=Ratio(value=1.1, low=1.02, high=1.2), select=found),
        Tried(recipe="fp16", size_bytes=1_500_000, ratio=Ratio(value=1.0, low=0.97, high=1.02)),
    )
    result = Result(sentence=card.summary, card=card, variant=VARIANT, recipe=recipe, tried=tried, cpu_s=12.3)
    return reporting.result_facts(result, parent_bytes=3_000_000)


def a_finished_job(session: Session, *, recipe: str = "int8-weights", **result: Any) -> Job:
    wanted = Wanted(
        app="demo", kind="optimize", model="kws", version="1.4.0", variant="fp32", parent=PARENT, recipe=recipe,
        budget=BUDGET, most_cpu_s=120.0, asked_by="U0DANA",
    )  # fmt: skip
    job, _ = store.create(session, wanted, now=T0)
    store.start(session, job.number, now=T0)
    store.end(session, job.number, "done", result or a_result(recipe=recipe), now=T0)
    return store.load(session, job.name, app="demo")
