"""What is said of a release besides its card: news in its thread, lists, and answers to commands. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from bot import grammar
from bot.views import buttons, figures
from bot.views.blocks import Block, Message, actions, confirmation, context_line, escape, section, table
from bot.views.release import (
    STATES,
    UNSAID,
    Card,
    WorseCohort,
    cohorts_text,
    finding_line,
    of_others,
    stages_line,
    state_line,
    stopped_section,
    title,
    unread_section,
    who,
)
from bot.views.release_buttons import card_buttons
from core import segments
from core.segments import Segment
from releases import plan as plans
from releases.plan import Release
from releases.rollout import Rollout, State
from releases.wording import share

MUSTER = "muster"
BROADCAST = frozenset({"halted", "rolled_back", "killed", "completed", "cohort_halted", "cohort_rolled_back"})
"""The news that the whole channel hears; the rest stays in the card's thread."""


@dataclass(frozen=True, slots=True, kw_only=True)
class News:
    """One event of a release. `kind` is "proposed", "approved", "started", "advanced", "paused", "resumed", "halted",
    "rolled_back", "killed", "returned", "completed", "rejected", "cancelled" or "superseded"; with "cohort_" before it
    when it happened to one `cohort` alone. `state`: that of the release after it."""

    release: Release
    kind: str
    state: State
    stage: int
    reason: str | None
    by: str
    cohorts: tuple[WorseCohort, ...] = ()
    fingerprints: tuple[str, ...] = ()
    asked: tuple[str, ...] = ()
    cohort: str | None = None


def news(event: News) -> Message:
    """Return what the thread hears; a breach comes with its evidence, its ticket and what a person may do now."""
    line = f"*{event.release.name}* {_happened(event)}"
    blocks: list[Block] = [section(line)]
    if event.cohorts:
        blocks.append(section(cohorts_text(event.cohorts)))
    if event.fingerprints:
        marks = ", ".join(f"`{fingerprint}`" for fingerprint in event.fingerprints)
        blocks.append(context_line(f"Ticket on its way to Jira: {marks}"))
    row = _buttons(event)
    blocks += [actions(*row)] if row else []
    return Message(line, tuple(blocks), in_channel=True)


def listing(rows: Sequence[tuple[Release, Rollout]], command: str) -> Message:
    if not rows:
        start = f"{command} release start kws@1.4.0 to=1,5,25,100 bake=24h"
        return Message(f"No release yet. `{start}` proposes one; with `--dry-run` it only looks.")
    cells = [
        (
            release.name,
            release.model,
            f"{release.baseline_version} → {release.candidate_version}",
            STATES[rollout.state][1],
            _at(release, rollout),
            figures.moment(rollout.since),
        )
        for release, rollout in rows
    ]
    text = "1 release" if len(rows) == 1 else f"{len(rows)} releases, newest first"
    shown = table(("Release", "Model", "Versions", "State", "Stage", "Since"), cells, caption=text)
    return Message(f"{text}. Newest: {title(rows[0][0])}", (section(f"*{text}*"), shown))


def proposed(release: Release, *, ask: str, is_new: bool, unread: Sequence[str] = ()) -> Message:
    """The answer to start: proposed, and who can approve."""
    text = f"*{title(release)}* is proposed{'' if is_new else ' already'}. {ask}"
    plan = section(f"`{escape(plans.text(release.plan))}`")
    return Message(text, (section(text), plan, *unread_section(unread)), in_channel=True)


def would(release: Release, after: Rollout) -> Message:
    """What every other change says to --dry-run."""
    stages = release.plan.stages
    at = f" at {share(stages[after.stage].percent)}" if after.state is State.PROGRESSING else ""
    return Message(f"*Dry run.* {title(release)} would be {STATES[after.state][1].lower()}{at}; nothing was changed.")


def done(release: Release, rollout: Rollout, words: str, *, by: str) -> Message:
    """The answer to a change that was carried out."""
    icon, state = STATES[rollout.state]
    text = f"*{title(release)}* {words}, by {who(by)}. {icon} {state}."
    return Message(text, in_channel=True)


def approved_in_part(release: Release, missing: int, *, by: str, is_dry_run: bool) -> Message:
    """The answer to an approval that is not the last one needed."""
    others = f"{missing} more {'person' if missing == 1 else 'people'} must approve before it goes on."
    if is_dry_run:
        return Message(f"*Dry run.* {title(release)} would be approved by {who(by)}; {others} Nothing was changed.")
    return Message(f"*{title(release)}* is approved by {who(by)}; {others}", in_channel=True)


def cohort_done(
    release: Release, rollout: Rollout, cohort: Segment, words: tuple[str, str], *, by: str, is_dry_run: bool
) -> Message:
    """The answer to a stop of one cohort, or to the end of it."""
    others = of_others(rollout.state)
    rule = escape(segments.text(cohort))
    then = words[1].format(new=escape(release.candidate_version), old=escape(release.baseline_version))
    if is_dry_run:
        return Message(f"*Dry run.* For {rule} of {title(release)}: {then}. {others} Nothing was changed.")
    text = f"*{title(release)}* {words[0]} for *{rule}* alone, by {who(by)}: {then}. {others}"
    return Message(text, in_channel=True)


def late(release: Release, rollout: Rollout, words: str) -> Message:
    """The answer to a click or command that changed nothing, because it was so already or has moved on."""
    icon, state = STATES[rollout.state]
    return Message(f"{words.rstrip('.')}. {icon} {title(release)}: {state.lower()}. Nothing was changed.")


def shown(facts: Card, history: Sequence[str]) -> Message:
    """The answer to show: what the card says and offers, and the latest history."""
    blocks: list[Block] = [
        section(f"*{escape(title(facts.release))}*\n{state_line(facts)}"),
        section(stages_line(facts.release, facts.rollout)),
    ]
    if facts.findings:
        blocks.append(section("\n".join(finding_line(finding) for finding in facts.findings)))
    blocks += unread_section(facts.unread)
    blocks += stopped_section(facts.rollout)
    if facts.cohorts:
        blocks.append(section(cohorts_text(facts.cohorts)))
    if history:
        blocks.append(section("*History*\n" + "\n".join(history)))
    blocks.append(context_line(f"`{escape(plans.text(facts.release.plan))}`"))
    row = card_buttons(facts.release, facts.rollout, facts.approval)
    blocks += [actions(*row)] if row else []
    return Message(f"{title(facts.release)}: {STATES[facts.rollout.state][1].lower()}", tuple(blocks))


def _happened(event: News) -> str:
    release, by = event.release, "" if event.by == MUSTER else f" by {who(event.by)}"
    new, old = escape(release.candidate_version), escape(release.baseline_version)
    at = share(release.plan.stages[event.stage].percent)
    why = f": {escape(event.reason)}" if event.reason and event.reason not in UNSAID else ""
    match event.kind:
        case "proposed":
            ask = " Waits for " + " or ".join(who(person) for person in event.asked) + "." if event.asked else ""
            return f"{escape(release.model)} {old} → {new} proposed{by}{why}.{ask}"
        case "started":
            return f"started: {new} goes to {at} of the installs"
        case "advanced":
            return f"▶ {new} goes to {at} of the installs{by}{why}"
        case "halted":
            return f"🟠 *halted at {at}*{by}{why}\nNo further install gets {new}; those that have it keep it."
        case "rolled_back" | "killed":
            word = "rolled back" if event.kind == "rolled_back" else "killed"
            return f"🔴 *{word} at {at}*{by}{why}\nEvery install returns to {old}; {new} is never offered again."
        case "cohort_halted":
            return (
                f"🟠 *halted for {escape(event.cohort or '')} alone* at {at}{by}{why}\n"
                f"No further install of it gets {new}; those that have it keep it. {of_others(event.state)}"
            )
        case "cohort_rolled_back":
            return (
                f"🔴 *rolled back for {escape(event.cohort or '')} alone* at {at}{by}{why}\n"
                f"Its installs return to {old} and are never offered {new} again. {of_others(event.state)}"
            )
        case "cohort_resumed":
            return f"▶ goes on for {escape(event.cohort or '')}{by}{why}"
        case "completed" if release.rival_version:
            return (
                f"🟢 *the comparison is over*{by}{why}\n{old} stays. `release compare {release.name}` shows the "
                f"figures, `release decide {release.name} {new} reason=…` writes down what is chosen."
            )
        case "completed" if release.plan.is_aa:
            return f"🟢 *complete*{by}: {old} against itself raised no alarm{why}"
        case "completed":
            return f"🟢 *complete*{by}: {new} replaces {old}{why}"
        case "returned":
            return f"is rolled back{why}"
        case "taken_back":
            return f"↩ what was done last is taken back{by}"
        case kind:
            return f"{kind}{by}{why}"


def _buttons(event: News) -> list[Block]:
    """Return what a person may do about a stop; a breach that Muster acted on can be called a false alarm."""
    name = event.release.name
    row: list[Block] = []
    if event.kind in ("halted", "cohort_halted", "cohort_rolled_back"):
        row.append(
            buttons.run_button("Roll back everywhere", f"release rollback {name}", "danger", _sure(event.release))
        )
    if event.kind in ("halted", "cohort_halted"):
        where = f" where={grammar.quote(event.cohort)}" if event.cohort else ""
        row.append(buttons.run_button("Keep halted", f"release keep {name}{where}"))
    if event.fingerprints and event.by == MUSTER:
        words = "False alarm – mute 24 h"
        row.append(buttons.run_button(words, f"ticket mute {event.fingerprints[0]} 24h"))
    return row


def _sure(release: Release) -> Block:
    text = f"Every install returns to {release.baseline_version}; {release.candidate_version} is never offered again."
    return confirmation("Roll back everywhere?", text, "Roll back", style="danger")


def _at(release: Release, rollout: Rollout) -> str:
    if rollout.state in (State.DRAFT, State.AWAITING_APPROVAL, State.SCHEDULED, State.REJECTED):
        return "–"
    stages = release.plan.stages
    return f"{rollout.stage + 1} of {len(stages)} ({share(stages[rollout.stage].percent)})"
