"""Two candidates side by side: each against the baseline, how they differ, and what was decided. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from bot.views import figures
from bot.views.blocks import Block, Cell, Message, Number, bar_chart, context_line, escape, section, table
from bot.views.release import finding_line, title, who
from releases.comparison import Comparison, Contrast, DecisionRecord
from releases.guardrails import Finding
from releases.metrics import about
from releases.plan import Release
from releases.rollout import Rollout, State

EVERYBODY = "everybody"
FOOTNOTE = ("Differences are of the first candidate minus the second. The interval is for one look: decide when the "
            "last stage has baked.")  # fmt: skip
HEAD = ("Metric", "Cohort", "n", "Difference", "95 % interval", "Better")


def report(release: Release, comparison: Comparison, *, command: str) -> Message:
    """The answer to compare; `command` is how we are called."""
    text = f"*{title(release)}*: {verdict(release, comparison)}"
    blocks: list[Block] = [section(text)]
    for version, findings in _both(release, comparison):
        if findings:
            lines = "\n".join(finding_line(finding) for finding in findings)
            blocks.append(section(f"*{escape(version)}* against {escape(release.baseline_version)}\n{lines}"))
    if comparison.contrasts:
        blocks += _charts(release, comparison)
        blocks.append(_contrasts(release, comparison.contrasts))
    line = f'{command} release decide {release.name} {_chosen(release, comparison)} reason="…"'
    blocks.append(context_line(FOOTNOTE, f"`{escape(line)}` writes down what is chosen, with these figures."))
    return Message(text, tuple(blocks))


def _chosen(release: Release, comparison: Comparison) -> str:
    """Return what an example of a decision names: a candidate that may be chosen."""
    if "candidate" not in comparison.failed:
        return release.candidate_version
    return "neither" if "rival" in comparison.failed else str(release.rival_version)


def verdict(release: Release, comparison: Comparison) -> str:
    """Return in a sentence what the figures of everybody say."""
    both = {"candidate": release.candidate_version, "rival": str(release.rival_version)}
    if comparison.failed:
        names = " and ".join(escape(both[each]) for each in comparison.failed)
        return f"{names} {'break' if len(comparison.failed) > 1 else 'breaks'} a guardrail."
    whole = [each for each in comparison.contrasts if each.cohort == EVERYBODY]
    if not whole:
        return "nothing was heard of both candidates in the same hour yet."
    better = {each.better for each in whole} - {"neither"}
    if not better:
        return "no difference beyond chance so far."
    if len(better) == 2:
        return "each is better at something; see below."
    return f"{escape(both[better.pop()])} is better, and worse at nothing that is guarded."


def decided(release: Release, rollout: Rollout, made: DecisionRecord, *, is_new: bool, dry_run: bool) -> Message:
    """The answer to decide."""
    chosen = f"keep {escape(made.baseline)}" if made.chosen == made.baseline else f"release {escape(made.chosen)}"
    if dry_run:
        return Message(f"*Dry run.* {title(release)}: it would be decided to {chosen}. Nothing was changed.")
    already = "" if is_new else " already"
    text = f"*{title(release)}*: decided{already} by {who(made.by)} to {chosen}. {escape(made.reason)}"
    shown = "\n".join(f"• {escape(sentence)}" for sentence in made.evidence[:6])
    blocks = [section(text), section(f"*On these figures*\n{shown}")] if made.evidence else [section(text)]
    blocks.append(context_line(_after(rollout, made)))
    return Message(text, tuple(blocks), in_channel=True)


def _after(rollout: Rollout, made: DecisionRecord) -> str:
    over = rollout.state is State.COMPLETED
    state = "The comparison is over" if over else f"The comparison is {rollout.state.replace('_', ' ')}"
    if made.chosen == made.baseline:
        return f"{state}; phones run {escape(made.baseline)}."
    return (f"{state}; phones run {escape(made.baseline)} until the chosen one is released: "
            f"`release start {escape(made.model)}@{escape(made.chosen)}`.")  # fmt: skip


def _both(release: Release, comparison: Comparison) -> tuple[tuple[str, tuple[Finding, ...]], ...]:
    return (release.candidate_version, comparison.candidate), (str(release.rival_version), comparison.rival)


def _charts(release: Release, comparison: Comparison) -> list[Block]:
    """Draw both candidates by cohort, of the metric that most is known of."""
    first = comparison.contrasts[0].metric
    drawn = [each for each in comparison.contrasts if each.metric == first]
    factor = 100 if about(first).is_share else 1
    series = {
        release.candidate_version: [round(factor * each.candidate, 2) for each in drawn],
        str(release.rival_version): [round(factor * each.rival, 2) for each in drawn],
    }
    unit = " in %" if about(first).is_share else about(first).unit
    names = [each.cohort.split("=", 1)[-1].strip("\"' ") for each in drawn]
    chart = bar_chart(f"{about(first).title}{unit}", names, series)
    return [chart] if chart else []


def _contrasts(release: Release, contrasts: Sequence[Contrast]) -> Block:
    return table(HEAD, [_row(release, each) for each in contrasts], caption="How the two differ")


def _row(release: Release, each: Contrast) -> tuple[Cell, ...]:
    show = figures.points if about(each.metric).is_share else figures.signed
    better = {"candidate": release.candidate_version, "rival": str(release.rival_version), "neither": "–"}
    n = f"{figures.count(each.n_candidate)} / {figures.count(each.n_rival)}"
    return (about(each.metric).title, each.cohort, n, Number(each.effect, show(each.effect)),
            f"{show(each.low)} to {show(each.high)}", better[each.better])  # fmt: skip
