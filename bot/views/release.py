"""The release card: one message that shows how far a release has got, edited in place. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from bot.views import figures
from bot.views.blocks import (
    Block,
    Message,
    actions,
    bar_chart,
    context_line,
    escape,
    header,
    section,
)
from bot.views.release_buttons import card_buttons
from core import segments
from core.segments import EVERYONE
from releases.guardrails import Finding, Verdict
from releases.metrics import about
from releases.plan import Release, Stage
from releases.rollout import Rollout, State
from releases.wording import duration, share

ICONS = {Verdict.PASS: "✅", Verdict.NO_DATA: "⏳", Verdict.INCONCLUSIVE: "🟡", Verdict.FAIL: "🔴"}
STATES = {
    State.DRAFT: ("⚪", "Draft"),
    State.AWAITING_APPROVAL: ("🟡", "Waits for approval"),
    State.SCHEDULED: ("🔵", "Approved, about to start"),
    State.PROGRESSING: ("🟢", "Progressing"),
    State.PAUSED: ("🟡", "Paused"),
    State.HALTED: ("🟠", "Halted"),
    State.ROLLING_BACK: ("🔴", "Rolling back"),
    State.ROLLED_BACK: ("🔴", "Rolled back"),
    State.COMPLETED: ("🟢", "Complete"),
    State.SUPERSEDED: ("⚪", "Superseded"),
    State.CANCELLED: ("⚪", "Cancelled"),
    State.REJECTED: ("⚪", "Rejected"),
}
BY_HAND = "by hand"
UNITS = {"csat": "ratings", "low_rating_rate": "ratings", "lost_rate": "installs"}
UNSAID = frozenset({"proposed", "approved", "taken back", BY_HAND})
"""Reasons that say no more than the state or event itself."""
SHOWN_COHORTS = 3
CHART_COHORTS = 6


@dataclass(frozen=True, slots=True, kw_only=True)
class WorseCohort:
    """Where a failing metric is worse: shares (or means) of both arms and the candidate's installs."""

    cohort: str
    metric: str
    baseline: float
    candidate: float
    installs: int
    is_share: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class TicketLine:
    """A ticket of the release; no key yet while Jira has not answered."""

    fingerprint: str
    state: Literal["open", "closed", "won't do", "muted"] = "open"
    key: str | None = None
    url: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """What the card shows. `outlook` says what is waited for; `approval` marks what an approval would be bound to;
    `unread`: why files of the candidate could not be read. `proposed_by`: the name of a key that proposed it."""

    release: Release
    rollout: Rollout
    findings: tuple[Finding, ...] = ()
    cohorts: tuple[WorseCohort, ...] = ()
    tickets: tuple[TicketLine, ...] = ()
    approved_by: tuple[str, ...] = ()
    outlook: str | None = None
    approval: str | None = None
    unread: tuple[str, ...] = ()
    proposed_by: str | None = None


def card(facts: Card) -> Message:
    release, rollout = facts.release, facts.rollout
    blocks: list[Block] = [header(title(release)), section(state_line(facts)), section(stages_line(release, rollout))]
    if facts.findings:
        blocks.append(section("\n".join(finding_line(finding) for finding in facts.findings)))
    blocks += unread_section(facts.unread)
    blocks += stopped_section(rollout)
    if facts.cohorts:
        blocks.append(section(cohorts_text(facts.cohorts)))
        chart = cohorts_chart(facts.cohorts)
        blocks += [chart] if chart else []
    if facts.tickets:
        blocks.append(section("Tickets: " + ", ".join(ticket_text(ticket) for ticket in facts.tickets)))
    blocks.append(context_line(*_footing(facts)))
    row = card_buttons(facts.release, facts.rollout, facts.approval)
    blocks += [actions(*row)] if row else []
    return Message(f"{title(release)}: {_plain_state(rollout)}", tuple(blocks), in_channel=True)


def unread_section(unread: Sequence[str]) -> list[Block]:
    """Warn of files that nobody has seen to be models."""
    told = "; ".join(escape(each) for each in unread)
    return [section(f"⚠️ Not read here, so nobody knows whether phones can run it: {told}.")] if unread else []


def title(release: Release) -> str:
    if release.plan.is_aa:
        return f"{release.name} · {release.model} {release.baseline_version} against itself (A/A)"
    rival = f" or {release.rival_version}" if release.rival_version else ""
    return f"{release.name} · {release.model} {release.baseline_version} → {release.candidate_version}{rival}"


def state_line(facts: Card) -> str:
    """Return the state, why it is in it (unless a finding or the footing says so below), and what is waited for."""
    release, rollout = facts.release, facts.rollout
    icon, word = STATES[rollout.state]
    parts = [f"{icon} *{word}*"]
    if rollout.state is State.PROGRESSING:
        stages = release.plan.stages
        parts.append(f"stage {rollout.stage + 1} of {len(stages)}, {share(stages[rollout.stage].percent)}")
    parts.append(f"since {figures.moment(rollout.since)}")
    known = {*UNSAID, release.reason, *(finding.sentence for finding in facts.findings)}
    is_said = rollout.state is State.PROGRESSING or rollout.reason in known
    reasons = [reason for reason in (None if is_said else rollout.reason, facts.outlook) if reason]
    return "\n".join([" · ".join(parts), *(escape(_sentence(reason)) for reason in reasons)])


def stages_line(release: Release, rollout: Rollout) -> str:
    return "   →   ".join(_stage_mark(stage, i, rollout) for i, stage in enumerate(release.plan.stages))


def finding_line(finding: Finding) -> str:
    line = f"{ICONS[finding.verdict]} {escape(finding.sentence)}"
    unseen = f"\n_{escape(finding.unseen)}_" if finding.unseen else ""
    if finding.verdict is Verdict.NO_DATA:
        return line + unseen
    unit = UNITS.get(finding.guardrail.metric, "install-hours")
    counts = f"{figures.count(finding.n_candidate)} against {figures.count(finding.n_baseline)} {unit}"
    return f"{line} _n = {counts}_{unseen}"


def goes_on(state: State) -> bool:
    """Return whether installs of no stopped cohort are offered the candidate under its share."""
    return state in (State.PROGRESSING, State.PAUSED, State.COMPLETED)


def of_others(state: State) -> str:
    """Say beside the stop of one cohort what becomes of everybody else."""
    return "Everybody else goes on." if goes_on(state) else f"The release itself is {STATES[state][1].lower()}."


def stopped_section(rollout: Rollout) -> list[Block]:
    """Show the cohorts that are stopped alone, as many as there is room for."""
    if not rollout.stopped:
        return []
    lines = ["*Stopped alone*, everybody else goes on" if goes_on(rollout.state) else "*Stopped alone*"]
    for stop in rollout.stopped[:SHOWN_COHORTS]:
        icon, word = ("🔴", "rolled back") if stop.returns else ("🟠", "halted")
        rule = segments.text(stop.segment)
        why = "" if stop.reason in UNSAID else f": {escape(stop.reason.removeprefix(f'Only {rule}: '))}"
        lines.append(f"{icon} *{escape(rule)}* {word} since {figures.moment(stop.since)}{why}")
    if len(rollout.stopped) > SHOWN_COHORTS:
        lines.append(f"and {len(rollout.stopped) - SHOWN_COHORTS} more")
    return [section("\n".join(lines))]


def cohorts_text(cohorts: Sequence[WorseCohort]) -> str:
    lines = ["*Worst cohorts*"]
    for worse in cohorts[:SHOWN_COHORTS]:
        values = f"{_value(worse, worse.candidate)} against {_value(worse, worse.baseline)}"
        people = f"{figures.count(worse.installs)} installs"
        lines.append(f"• *{escape(worse.cohort)}* – {about(worse.metric).title.lower()} {values}, {people}")
    if len(cohorts) > SHOWN_COHORTS:
        lines.append(f"and {len(cohorts) - SHOWN_COHORTS} more")
    return "\n".join(lines)


def cohorts_chart(cohorts: Sequence[WorseCohort]) -> Block | None:
    """Draw both arms of the worst cohorts, when there are two or more to compare."""
    first = cohorts[0].metric
    drawn = [worse for worse in cohorts if worse.metric == first][:CHART_COHORTS]
    if len(drawn) < 2:
        return None
    factor = 100 if drawn[0].is_share else 1
    series = {
        "baseline": [round(factor * worse.baseline, 2) for worse in drawn],
        "candidate": [round(factor * worse.candidate, 2) for worse in drawn],
    }
    unit = " in %" if drawn[0].is_share else about(first).unit
    return bar_chart(f"{about(first).title}{unit}", [_short(worse.cohort) for worse in drawn], series)


def ticket_text(ticket: TicketLine) -> str:
    if ticket.key is None:
        return f"being opened (`{ticket.fingerprint}`)"
    name = f"<{ticket.url}|{escape(ticket.key)}>" if ticket.url else escape(ticket.key)
    return f"{name} ({ticket.state})"


def _stage_mark(stage: Stage, i: int, rollout: Rollout) -> str:
    text = share(stage.percent) + (" 🔒" if stage.needs_approval and i > rollout.cleared else "")
    if i > rollout.stage or rollout.state in (State.DRAFT, State.AWAITING_APPROVAL, State.SCHEDULED):
        return f"○ {text}"
    if i < rollout.stage or rollout.state in (State.COMPLETED, State.SUPERSEDED):
        return f"✓ {text}"
    if rollout.state in (State.ROLLING_BACK, State.ROLLED_BACK):
        return f"*✗ {text}*"
    return f"*▶ {text}*" if rollout.state is State.PROGRESSING else f"*❚❚ {text}*"


def _footing(facts: Card) -> list[str]:
    release = facts.release
    parts = [f"Proposed by {who(facts.proposed_by or release.proposed_by)}"]
    if facts.approved_by:
        parts.append("approved by " + ", ".join(who(person) for person in facts.approved_by))
    bakes = dict.fromkeys(duration(stage.bake) for stage in release.plan.stages)
    parts.append("bakes " + ", ".join(bakes))
    if release.plan.holdback:
        parts.append(f"{share(release.plan.holdback)} held back")
    if release.plan.segment != EVERYONE:
        parts.append(f"where {escape(segments.text(release.plan.segment))}")
    if release.reason:
        parts.append(escape(release.reason))
    parts.append(f"plan {release.plan_hash[:8]}")
    return [" · ".join(parts)]


def who(person: str) -> str:
    """A mention of somebody in Slack; Muster itself by name."""
    return f"<@{person}>" if person[:1] in "UW" and person.isalnum() and person.isupper() else escape(person)


def _plain_state(rollout: Rollout) -> str:
    return STATES[rollout.state][1].lower()


def _sentence(text: str) -> str:
    text = text[:1].upper() + text[1:]
    return text if text.endswith((".", "!", "?", "…")) else f"{text}."


def _value(worse: WorseCohort, value: float) -> str:
    return figures.share(value) if worse.is_share else f"{figures.plain(value)}{about(worse.metric).unit}"


def _short(cohort: str) -> str:
    """Values alone, for the narrow labels of a chart: `chipset="Helio G35"` → Helio G35."""
    return ", ".join(part.split("=", 1)[-1].strip("\"' ") for part in cohort.split(" and "))
