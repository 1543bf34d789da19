"""A week with everything in it, as tests and the eye want to see it."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from feedback.digest import Digest, Health, Kpi, ReleaseWeek
from feedback.digest_parts import CohortLine, ModelLine, Number, Past, TicketLine
from feedback.scores import Score, difference, share
from tests.builders import T0

WEEK = T0 - timedelta(hours=9)


def a_cohort(name: str, hits: int, n: int, before: tuple[int, int] | None = None) -> CohortLine:
    score = share(hits, n)
    moved = difference(score, share(*before)) if before else None
    return CohortLine(model="kws", attribute="chipset", cohort=name, score=score, change=moved)


def a_number(name: str, now: Score, before: Score) -> Number:
    return Number(model="kws", name=name, score=now, change=difference(now, before), is_small=False)


def weeks_before(*told: tuple[int, int, int]) -> tuple[Past, ...]:
    """Each (weeks ago, hits, n)."""
    return tuple(Past(week=f"2026-W{47 - ago}", weeks_ago=ago, score=share(hits, n)) for ago, hits, n in told)


def a_full_week() -> Digest:
    """kws was rolled back; next-word is quiet. Some words are hostile on purpose."""
    return Digest(
        app="demo",
        week="2026-W47",
        starts=WEEK,
        ends=WEEK + timedelta(days=7),
        headline="2026-W47: 1 × Act, 1 × Healthy.",
        is_empty=False,
        models=(
            ModelLine(
                model="kws",
                verdict="Act",
                reason="R12 was rolled back: Crash rate 3.6 % against 0.4 %: +3.2 pt (+2.1 to +4.6), worse than the "
                "+0.2 pt allowed, and not by chance.",
            ),
            ModelLine(model="wake", verdict="Watch", reason="CSAT fell to 71 % (64–77), n=180; 1 ticket open."),
            ModelLine(model="next-word", verdict="Healthy", reason="CSAT 88 % (86–90), n=1904, nothing got worse."),
        ),
        wanted=(
            ReleaseWeek(
                release="R13", model="next-word", state="awaiting_approval", at=T0 + timedelta(days=4),
                sentence="2.0.0 → 2.1.0 waits for approval.", wants=("approve", "reject"),
            ),
        ),
        moved=(
            ReleaseWeek(
                release="R12", model="kws", state="rolling_back", at=T0 + timedelta(days=2), stopped=True,
                sentence="1.3.2 → 1.4.0 went to 5 %, 25 %; was rolled back: crash rate worse than allowed on "
                'chipset="Helio G35" and accelerator=nnapi.',
            ),
        ),
        numbers=(
            replace(
                a_number("CSAT", share(1637, 1904), share(1600, 1890)),
                trend=weeks_before((7, 1480, 1790), (6, 1502, 1803), (4, 1498, 1799), (2, 1602, 1880), (1, 1600, 1890)),
            ),
            replace(
                a_number("installs with a crash", share(41, 1480), share(6, 1502)),
                trend=weeks_before((3, 5, 1490), (2, 7, 1511), (1, 6, 1502)),
            ),
            Number(model="next-word", name="CSAT", score=share(31, 38), change=None, is_small=True),
        ),
        worst=(
            a_cohort("Helio G35", 72, 118, (98, 118)),
            a_cohort("Snapdragon 680", 160, 198, (166, 201)),
            a_cohort("Exynos 1280 with a very long name that wraps <b>", 141, 170),
        ),
        best=(a_cohort("A16 Bionic", 190, 204, (181, 200)), a_cohort("Tensor G2", 171, 188, (170, 188))),
        quotes=(
            "Stopped hearing me right after the update, now it just freezes.",
            "<script>alert(1)</script> & <!channel> works great",
        ),
        tickets=(
            TicketLine(
                model="kws", title='kws 1.4.0: crash_rate worse for chipset="Helio G35"', key="EDGE-91",
                url="https://example.atlassian.net/browse/EDGE-91", state="opened", age_days=5,
            ),
            TicketLine(
                model="wake", title="wake 0.9: timeout_rate worse for everyone", key=None, url=None,
                state="still open", age_days=1,
            ),
        ),
        health=Health(
            impressions=6120, responses=1942, response_rate=share(1942, 6120), reporting=1480, silent=23,
            suppressed_cohorts=3,
        ),
        kpis=(
            Kpi(model="kws", name="Model size", value="1.2 MB", goal="< 4 MB", is_met=True),
            Kpi(model="kws", name="Accuracy proxy: uncorrected answers", value="93 %", goal="> 95 %", is_met=False),
            Kpi(model="kws", name="Battery per hour of use", value="not measured", goal="< 2 %"),
            Kpi(model="kws", name="Inferences", value="612 004"),
        ),
    )  # fmt: skip


def nps_score(value: float, spread: float, n: int) -> Score:
    return Score(value=value, low=value - spread, high=value + spread, n=n, unit="points")
