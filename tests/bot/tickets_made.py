"""Regressions that tests make tickets of."""

from __future__ import annotations

from typing import Any

from bot.ticket_rules import Evidence, Link, RegressionFacts

FINGERPRINT = "00112233445566ff"


def evidence(**changes: Any) -> Evidence:
    row: dict[str, Any] = {
        "cohort": 'chipset="Helio G35" and accelerator=nnapi',
        "metric": "crash_rate",
        "baseline": 0.004,
        "candidate": 0.036,
        "effect": 0.032,
        "low": 0.021,
        "high": 0.046,
        "n_baseline": 1204,
        "n_candidate": 1187,
    }
    return Evidence(**(row | changes))


def a_regression(*rows: Evidence, **changes: Any) -> RegressionFacts:
    facts: dict[str, Any] = {
        "fingerprint": FINGERPRINT,
        "app": "demo",
        "model": "kws",
        "metric": "crash_rate",
        "cohort": 'chipset="Helio G35" and accelerator=nnapi',
        "first_bad_version": "1.4.0",
        "baseline_version": "1.3.2",
        "sentence": "kws 1.4.0 crashes on 3.6 % of Helio G35 phones with NNAPI, nine times as often as 1.3.2.",
        "release_id": "rel_1",
        "release": "R12",
        "stage": "2 of 3 (25 %)",
        "done": "Rolled back on Mon 16 Nov 09:00 UTC by Muster.",
        "evidence": rows or (evidence(),),
        "artifacts": (("1.4.0 (nnapi-int8)", "ab" * 32),),
        "verbatims": ("It <never> hears me & crashes",),
        "links": (Link(title="Release card in Slack", url="https://slack.example/archives/C1/p1"),),
    }
    return RegressionFacts(**(facts | changes))
