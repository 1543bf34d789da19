"""What a dry run says: the plan replayed on last week's installs, as a chart and as tables. Pure."""

from __future__ import annotations

from datetime import datetime, timedelta

from bot.views import figures
from bot.views.blocks import Block, Cell, Message, Number, bar_chart, context_line, escape, section, table
from bot.views.release import title, unread_section
from releases import plan as plans
from releases.forecast import CohortForecast, Forecast, StageForecast, Visible
from releases.plan import Release, Stage
from releases.wording import duration, percent, points, share, signed

COHORTS = 12


def dry_run(release: Release, ahead: Forecast, ask: str) -> Message:
    """The answer to `start --dry-run`; `ask` says who could approve."""
    text = f"*Dry run.* {title(release)} would be proposed; nothing was written."
    blocks: list[Block] = [section(text), section(f"`{escape(plans.text(release.plan))}`"), section(_summary(ahead))]
    blocks += unread_section(ahead.unread)
    chart = _chart(ahead) if ahead.eligible else None
    blocks += [chart] if chart else []
    rows = [
        _stage_row(i, *pair, release.created_at)
        for i, pair in enumerate(zip(release.plan.stages, ahead.stages, strict=True))
    ]
    guardrails = [each.about.title for each in release.plan.guardrails]
    head = ("Stage", "Share", "Begins", "Lasts", "Approval", "Installs", "Download", *_unique(guardrails))
    blocks.append(table(head, rows, caption="Stages, and the smallest regression each would show"))
    if ahead.eligible and len(ahead.cohorts) > 1:
        blocks.append(_cohorts(ahead, release))
    blocks.append(context_line(_footnote(release), escape(ask) if "<@" not in ask else ask))
    return Message(text, tuple(blocks))


def _summary(ahead: Forecast) -> str:
    length = f"{figures.length(timedelta(days=ahead.days))} at least"
    if not ahead.targeted:
        return f"It would take {length}. No install was heard of in the last week, so whom it reaches is not known."
    n_bytes = sum(stage.new_bytes for stage in ahead.stages)
    reached = f"*{figures.count(ahead.eligible)}* of {figures.count(ahead.targeted)} installs it is for"
    told = (
        f"It would take {length} and reach {reached}, who download {figures.size(n_bytes) if n_bytes else 'nothing'}."
    )
    if ahead.waits:
        told += (
            f" A stage would wait for a person: {'; '.join(ahead.waits)}. "
            "Begin wider, or say with `min=` how many are enough."
        )
    if ahead.left_out:
        told += (
            f" A few can run no file of the candidate and are never offered it: {escape('; '.join(ahead.left_out))}."
        )
    return told


def _chart(ahead: Forecast) -> Block | None:
    stages = ahead.stages
    series = {
        "candidate": [float(stage.candidate_installs) for stage in stages],
        "baseline arm": [float(stage.baseline_installs) for stage in stages],
    }
    names = [f"{i + 1}: {share(stage.percent)}" for i, stage in enumerate(stages)]
    return bar_chart("Installs at each stage", names, series, x_label="Stage", y_label="Installs")


def _stage_row(i: int, stage: Stage, ahead: StageForecast, now: datetime) -> tuple[Cell, ...]:
    approval = "at the start" if i == 0 else "needed" if stage.needs_approval else "–"
    wait = figures.length(ahead.ends - ahead.begins)
    return (
        str(i + 1), share(ahead.percent), figures.moment(ahead.begins, now), wait, approval,
        Number(ahead.candidate_installs, figures.count(ahead.candidate_installs)),
        Number(ahead.new_bytes, figures.size(ahead.new_bytes)), *(smallest(each) for each in ahead.visible),
    )  # fmt: skip


def smallest(visible: Visible) -> str:
    """Return the smallest regression that shows, "none" when not even the worst would."""
    rail, size = visible.guardrail, visible.smallest
    if visible.usual is None:
        return "not known"
    if size is None:
        return "none"
    shown = percent(size) if rail.relative or not rail.about.is_share else points(size)
    return signed(shown, 1 if rail.better == "lower" else -1)


def _cohorts(ahead: Forecast, release: Release) -> Block:
    head = ("Cohort", "Installs", "Can run it", *_unique([share(stage.percent) for stage in release.plan.stages]),
            "Download")  # fmt: skip
    rows = [_cohort_row(cohort) for cohort in ahead.cohorts[:COHORTS]]
    more = f", the largest {COHORTS} of {len(ahead.cohorts)}" if len(ahead.cohorts) > COHORTS else ""
    return table(head, rows, caption=f"Installs on the candidate by cohort{more}")


def _cohort_row(cohort: CohortForecast) -> tuple[Cell, ...]:
    counts = (cohort.installs, cohort.runnable, *cohort.by_stage)
    n_bytes = cohort.bytes_by_stage[-1]
    return (cohort.cohort, *(Number(n, figures.count(n)) for n in counts), Number(n_bytes, figures.size(n_bytes)))


def _footnote(release: Release) -> str:
    bakes = ", ".join(dict.fromkeys(duration(stage.bake) for stage in release.plan.stages))
    return (f"Last week's installs; each stage bakes {bakes}, time for approvals and for missing data comes on top. A "
            "regression of that size or larger shows four times out of five.")  # fmt: skip


def _unique(names: list[str]) -> list[str]:
    """Return names of columns that differ: two guardrails may watch one metric."""
    return [name if names.index(name) == i else f"{name} ({i + 1})" for i, name in enumerate(names)]
