"""Budgets: what people type, and every mistake in it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.errors import InvalidInputError
from optimize.budgets import DEFAULT, METRICS, Limit, parse_budget


def test_reads_absolute_and_relative_limits() -> None:
    budget = parse_budget("size<4MB latency < −40 % and accuracy>-1pt")

    assert budget.limits == (
        Limit(metric="size", bound=4_000_000, relative=False, text="size<4mb"),
        Limit(metric="latency", bound=-0.4, relative=True, text="latency<-40%"),
        Limit(metric="accuracy", bound=-0.01, relative=True, text="accuracy>-1pt"),
    )
    assert budget.margin == 0.01
    assert parse_budget(str(budget)) == budget


@pytest.mark.parametrize(
    ("text", "bound"),
    [
        ("size<512KiB", 524_288),
        ("latency<250us", 0.25),
        ("accuracy>97.5%", 0.975),
        ("flips<1%", 0.01),
        ("load<2s", 2000),
    ],
)
def test_reads_units(text: str, bound: float) -> None:
    assert parse_budget(text).limits[0].bound == pytest.approx(bound)


def test_tells_every_mistake_at_once() -> None:
    with pytest.raises(InvalidInputError) as caught:
        parse_budget("sise<4MB latency<4MB accuracy<-1pt flips<-1% size<1MB size<2MB what")

    assert [problem.message for problem in caught.value.problems] == [
        "no metric 'sise'; did you mean size?",
        "latency<4mb: latency is measured in us, µs, ms, s, or relative (−10%)",
        "accuracy<-1pt: accuracy is limited from the other side, write accuracy>…",
        "flips<-1%: flips have no parent to compare with; write flips<1%",
        "size is limited twice; keep one",
        "cannot read 'what'; write it like size<4MB or accuracy>-1pt",
    ]


@pytest.mark.parametrize("text", ["accuracy>-1%", "latency<-5pt", "latency<-100%", ""])
def test_refuses_limits_that_mean_nothing(text: str) -> None:
    with pytest.raises(InvalidInputError):
        parse_budget(text)


def test_the_default_can_be_read() -> None:
    assert {limit.metric for limit in parse_budget(DEFAULT).limits} == {"accuracy", "latency"}


@given(st.text(max_size=60))
def test_whatever_is_typed_becomes_limits_or_a_sentence(text: str) -> None:
    try:
        limits = parse_budget(text).limits
    except InvalidInputError:
        return
    assert {limit.metric for limit in limits} <= set(METRICS)
