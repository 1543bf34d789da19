"""Drift and staleness in Slack: what moved for whom, from what to what, and how old a model and its data are. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

from bot import grammar
from bot.drifts import FoundDrift, Goal
from bot.views import figures
from bot.views.blocks import Block, Cell, Message, Number, actions, bar_chart, context_line, escape, section, table
from bot.views.buttons import run_button

SHOWN = 50
TITLES = {
    "outputs": "What it answers", "confidence": "Its confidence", "invalid inputs": "Invalid inputs",
    "fallback": "Fallback to another accelerator",
}  # fmt: skip
SINGLE = {"invalid inputs": "the share of invalid inputs", "fallback": "the share of hours with a fallback"}


def sentence(found: FoundDrift) -> str:
    """Say what moved; plain words, not escaped."""
    facts, who = found.facts, found.cohort or "everyone"
    change = f"from {figures.share(facts.before)} to {figures.share(facts.after)}"
    if found.measure in SINGLE:
        before, after = ((1 - share if facts.outcome == "no" else share) for share in (facts.before, facts.after))
        change = f"from {figures.share(before)} to {figures.share(after)}"
        return f"{found.model}: {SINGLE[found.measure]} went {change} for {who}."
    if found.measure == "confidence":
        return f"{found.model}: its confidence moved for {who}; {facts.outcome} went {change} of inferences."
    return f"{found.model}: what it answers moved for {who}; “{facts.outcome}” went {change}."


def alarm(found: FoundDrift) -> Message:
    text = sentence(found)
    blocks: list[Block] = [section(f":ocean: *Drift.* {escape(text)}")]
    if chart := _chart(found):
        blocks.append(chart)
    blocks.append(context_line(f"{_numbers(found)} · against the same weekdays of the weeks before"))
    where = f" where={grammar.quote(found.cohort)}" if found.cohort else ""
    model = grammar.quote(found.model)
    buttons = [
        run_button("All that drifted", f"drift {model}"),
        run_button("What people say", f"feedback {model}{where}"),
    ]
    return Message(text, (*blocks, actions(*buttons)), in_channel=True)


def report(
    model: str, found: Sequence[FoundDrift], *, version: str | None, reasons: Sequence[str], ages: str | None,
    shared: bool,
) -> Message:  # fmt: skip
    """`ages` tells how old the model and its data are, `reasons` why that is too old."""
    count = len(found)
    moved = f"{count} cohort{'' if count == 1 else 's'} drifted" if count else "nothing drifted in the last weeks"
    name = f"*{escape(model)}*" + (f" {escape(version)}" if version else "")
    stale = f" It is stale: {escape('; '.join(reasons))}." if reasons else ""
    text = f"{name}: {moved}.{stale}"
    blocks: list[Block] = [section(text)]
    if found:
        blocks.append(section(escape(sentence(found[0]))))
        if chart := _chart(found[0]):
            blocks.append(chart)
        head = ["what", "cohort", "before", "after", "outcome", "PSI", "n", "since"]
        blocks.append(table(head, [_row(each) for each in found[:SHOWN]], caption="Drifts, the largest first"))
    if ages:
        blocks.append(context_line(escape(ages)))
    blocks.append(context_line("the last week and the last four, against the same weekdays of the weeks before"))
    line = f"drift {grammar.quote(model)}"
    buttons = [] if shared else [run_button("Share in channel", f"{line} --share")]
    buttons.append(run_button("Regressions", f"regression list {grammar.quote(model)}"))
    return Message(text, (*blocks, actions(*buttons)))


def ages(*, version: str, model_days: int, data_days: int | None, goal: Goal, command: str, model: str) -> str:
    told = [f"{version} went out {_days(model_days)} ago" + _goal(goal.age_days)]
    if data_days is not None:
        told.append(f"its newest training data are {_days(data_days)} old" + _goal(goal.data_days))
    if goal.age_days is None and goal.data_days is None:
        told.append(f"no goal is set: {command} drift goal {grammar.quote(model)} age=90d data=180d")
    return " · ".join(told)


def goal_set(model: str, goal: Goal, *, by: str, is_dry_run: bool) -> Message:
    told = [f"at most {_days(goal.age_days)} old"] if goal.age_days is not None else []
    told += [f"its training data at most {_days(goal.data_days)}"] if goal.data_days is not None else []
    said = f"<@{by}> set the goal of *{escape(model)}*: {', '.join(told)}."
    return _changed(said, is_dry_run)


def trained_set(model: str, version: str, until: date, *, by: str, is_dry_run: bool) -> Message:
    said = f"<@{by}> noted that *{escape(model)}* {escape(version)} was trained on data until {figures.day(until)}."
    return _changed(said, is_dry_run)


def _changed(said: str, is_dry_run: bool) -> Message:
    if is_dry_run:
        return Message(f"*Dry run.* Nothing was changed; this would be told:\n{said}")
    return Message(said, in_channel=True)


def _chart(found: FoundDrift) -> Block | None:
    shares = sorted(found.facts.shares, key=lambda each: each[0]) if found.measure == "confidence" else (
        list(found.facts.shares)
    )  # fmt: skip
    if found.measure in SINGLE:
        shares = [each for each in shares if each[0] == "yes"]
    title = f"{TITLES.get(found.measure, found.measure)} %"
    return bar_chart(
        title,
        [outcome for outcome, _, _ in shares],
        {
            "weeks before": [round(100 * before, 2) for _, before, _ in shares],
            "now": [round(100 * after, 2) for _, _, after in shares],
        },
        y_label="% of inferences",
    )


def _row(found: FoundDrift) -> list[Cell]:
    facts = found.facts
    return [
        TITLES.get(found.measure, found.measure),
        found.cohort or "everyone",
        figures.share(facts.before),
        figures.share(facts.after),
        facts.outcome,
        Number(round(facts.psi, 4), f"{facts.psi:.3f}"),
        Number(facts.n, figures.count(facts.n)),
        figures.day(found.first_seen),
    ]


def _numbers(found: FoundDrift) -> str:
    return f"PSI {found.facts.psi:.3f} · n = {figures.count(found.facts.n)}"


def _days(days: int) -> str:
    return f"{figures.count(days)} day{'' if days == 1 else 's'}"


def _goal(days: int | None) -> str:
    return "" if days is None else f" (goal: {_days(days)})"
