"""Grades: what fits, what breaks, what is not proven, and the words for it."""

from __future__ import annotations

import json

import pytest

from optimize.benchmark import Benchmark, Latency, Ratio
from optimize.budgets import parse_budget
from optimize.evaluate import Comparison
from optimize.report_card import Evidence, Origin, ReportCard, energy_index, grade, to_json
from tests.optimize.builders import a_comparison

FASTER = Ratio(value=0.79, low=0.78, high=0.82)
SAME = Ratio(value=0.99, low=0.97, high=1.02)


def a_benchmark(size_bytes: int, p50_ms: float = 1.0) -> Benchmark:
    return Benchmark(
        sha256="ab", size_bytes=size_bytes, gzip_bytes=size_bytes, latency=Latency(p50_ms=p50_ms, p90_ms=2, p95_ms=3),
        load_ms=5.0, memory_bytes=10_000_000, macs=1_000_000, parameters=10,
    )  # fmt: skip


def a_card(
    budget: str,
    *,
    found: Comparison | None = None,
    ratio: Ratio | None = FASTER,
    runtime: str | None = None,
    coverage: dict[str, object] | None = None,
    native: Comparison | None = None,
) -> ReportCard:
    origin = Origin(parent="cd", recipe="prune,int8", command="muster …", versions={}, cpu="", runtime=runtime)
    evidence = Evidence(device=found, native=native, ratio=ratio, coverage=coverage)
    return grade(a_benchmark(3_000_000), a_benchmark(300_000), parse_budget(budget), evidence=evidence, origin=origin)


def test_what_fits_is_said_in_one_line() -> None:
    card = a_card("size<4MB latency<-10% accuracy>-1pt", found=a_comparison(n=2000, broke=6, mended=2))

    assert card.passed
    assert card.may_be_released
    assert card.summary == "fits: 10.0× smaller, 21 % faster (18–22), accuracy −0.2 pp (−0.5…+0.1)"


@pytest.mark.parametrize(
    ("budget", "verdict", "sentence"),
    [
        ("size<200KB", "breaks", "size 300 kB, size<200kb"),
        ("size<-95%", "breaks", "size 300 kB, size<-95%"),
        ("latency<-40%", "breaks", "21 % faster (18–22), latency<-40%"),
        ("latency<-20%", "not proven", "21 % faster (18–22), latency<-20%"),
        ("latency<0.5ms", "breaks", "latency 1 ms, latency<0.5ms"),
        ("accuracy>-0.5pt", "not proven", "accuracy −0.4 pp (−1.1…+0.4), accuracy>-0.5pt"),
        ("accuracy>-0.1pt", "breaks", "accuracy −0.4 pp (−1.1…+0.4), accuracy>-0.1pt"),
        ("accuracy>99.9%", "breaks", "accuracy 98.7 % (at least 97.3 %), accuracy>99.9%"),
        ("accuracy>98%", "not proven", "accuracy 98.7 % (at least 97.3 %), accuracy>98%"),
        ("flips<0.1%", "breaks", "0.37 % of answers changed (at most 1.3 %), flips<0.1%"),
        ("flips<1%", "not proven", "0.37 % of answers changed (at most 1.3 %), flips<1%"),
    ],
)
def test_a_limit_that_is_broken_or_not_proven_says_why(budget: str, verdict: str, sentence: str) -> None:
    card = a_card(budget, found=a_comparison(n=540, broke=2, mended=0))

    assert not card.passed
    assert card.verdict == verdict
    assert card.checks[0].sentence == sentence
    assert card.summary.startswith(f"{verdict}: {sentence} · 10.0× smaller")


def test_without_samples_size_is_judged_and_accuracy_is_not() -> None:
    card = a_card("size<4MB", found=None)

    assert card.passed
    assert not card.may_be_released
    assert card.summary.endswith("accuracy not measured")
    assert a_card("accuracy>-1pt", found=None).verdict == "not measured"


def test_the_worst_outcome_of_several_limits_is_the_verdict() -> None:
    card = a_card("size<4MB latency<-10% accuracy>-1pt", found=a_comparison(), ratio=SAME)

    assert [check.outcome for check in card.checks] == ["fits", "breaks", "fits"]
    assert card.summary.startswith("breaks: as fast (×0.97–1.02), latency<-10%")


def test_a_runtime_that_phones_home_is_warned_of() -> None:
    loud = a_card("size<4MB", runtime="onnxruntime 1.30.1")
    quiet = a_card("size<4MB", runtime="onnxruntime 1.22")

    assert any("sends telemetry by default" in warning for warning in loud.warnings)
    assert quiet.warnings == ()


def test_a_variant_that_loses_the_neural_engine_is_warned_of() -> None:
    whole = {"coreml": {"nodes": 140, "covered": 140, "partitions": 1, "left_out": []}}
    torn = {"coreml": {"nodes": 400, "covered": 140, "partitions": 126, "left_out": ["QuantizeLinear"]}}

    card = a_card("size<4MB", coverage={"before": {"fixed": whole}, "after": {"fixed": torn}})

    assert card.warnings == (
        "Core ML (Neural Engine) ran the parent in one piece; it runs 140 of 400 operators of this in 126 pieces",
    )


def test_accuracy_is_judged_as_phones_compute_and_saturation_is_told() -> None:
    card = a_card("accuracy>-1pt", found=a_comparison(n=2000), native=a_comparison(n=2000, broke=70))

    assert card.passed
    assert any("own int8 kernels differs by −3.5 pp" in warning for warning in card.warnings)


def test_json_holds_every_field_and_can_be_written() -> None:
    facts = json.loads(json.dumps(to_json(a_card("size<4MB", found=a_comparison()))))

    assert facts["size_x"] == 10.0
    assert facts["evidence"]["device"]["p"] == 1.0
    assert facts["energy"]["note"] == "model, not measured"
    assert facts["origin"]["command"]


def test_energy_counts_multiplications_and_bytes() -> None:
    assert energy_index(a_benchmark(1_000_000)) == pytest.approx((1e6 * 4.6 + 1e6 * 160) / 1e6)
