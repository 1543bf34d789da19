"""CohortBreach: one cohort breaks a guardrail while the others are sound. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from core.segments import Segment, text
from releases.guardrails import Finding


@dataclass(frozen=True, slots=True, kw_only=True)
class CohortBreach:
    """`finding` is the breached guardrail inside `cohort`; `rest` what the same guardrails say of everybody else.

    `hypotheses` is how many pairs of cohort and guardrail were looked at, which the error control counts.
    """

    cohort: Segment
    finding: Finding
    rest: tuple[Finding, ...]
    hypotheses: int

    @property
    def sentence(self) -> str:
        return f"Only {text(self.cohort)}: {self.finding.sentence}"
