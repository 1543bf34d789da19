"""Regressions in Slack: which cohorts are worse, how sure that is, and what else it might be. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from bot import grammar
from bot.regressions import Found
from bot.views import figures
from bot.views.blocks import Block, Cell, Message, Number, actions, bar_chart, context_line, escape, section, table
from bot.views.buttons import run_button
from bot.views.ticket import metric_words

MEANS = frozenset({"csat"})
RIVALS = 4
POINTS = 20
SHOWN = 50
LOW, HIGH = 0.5, 0.9


def sentence(found: Found) -> str:
    """Say what is worse, for whom, by how much and how sure that is; plain words, not escaped."""
    facts = found.facts
    values = f"{value(found, facts.candidate)} against {value(found, facts.baseline)}"
    interval = f"{_effect(found, facts.effect)} ({_effect(found, facts.low)} to {_effect(found, facts.high)})"
    people = figures.count(facts.installs_baseline + facts.installs_candidate)
    return (
        f"{_title(found)} {'is' if found.gone_at is None else 'was'} worse for {found.cohort or 'everyone'}: {values},"
        f" {interval}, {people} installs. {certainty(facts.confidence)}"
    )


def certainty(confidence: float) -> str:
    """Say how sure it is that this rule is what is wrong."""
    told = f"confidence {figures.share(min(confidence, 0.999))}"
    if confidence >= HIGH:
        return f"It is this cohort: {told}."
    if confidence >= LOW:
        return f"It is probably this cohort: {told}."
    return f"Something is wrong there, but which rule says it best is open: {told}."


def listing(found: Sequence[Found], *, model: str | None, keys: Mapping[str, str], shared: bool) -> Message:
    """`keys` are fingerprint → key of its ticket."""
    of = f" of *{escape(model)}*" if model else ""
    there = sum(each.gone_at is None for each in found)
    if not found:
        return Message(f"No regression{of} stands, and none went away in the last 30 days.")
    stand = "1 regression" if there == 1 else f"{there} regressions" if there else "No regression"
    text = f"{stand}{of} {'stand' if there > 1 else 'stands'}."
    blocks: list[Block] = [section(text)]
    if worst := next((each for each in found if each.gone_at is None), None):
        blocks.append(section(escape(sentence(worst))))
    head = ["what", "cohort", "now", "before", "installs", "confidence", "since", "ticket"]
    rows = [_row(each, keys) for each in found[:SHOWN]]
    blocks.append(table(head, rows, caption="Regressions, those that stand first, the newest first"))
    buttons = [
        run_button(f"{_title(each)[:30]}: {(each.cohort or 'everyone')[:38]}", f"regression show {each.fingerprint}",
                   mark=each.fingerprint)
        for each in found[:5]
    ]  # fmt: skip
    if not shared:
        line = "regression list" + (f" {grammar.quote(model)}" if model else "")
        buttons.append(run_button("Share in channel", f"{line} --share"))
    return Message(text, (*blocks, actions(*buttons)))


def one(found: Found, *, key: str | None, url: str | None, shared: bool) -> Message:
    """`key` and `url` are those of its ticket."""
    text = sentence(found)
    blocks: list[Block] = [section(escape(text))]
    if chart := _chart(found):
        blocks.append(chart)
    if found.facts.rivals:
        blocks.append(_rivals(found))
    if found.facts.twins:
        twins = ", ".join(f"`{escape(twin)}`" for twin in found.facts.twins)
        blocks.append(section(f"The same phones by another name: {twins}"))
    if course := _course(found):
        blocks.append(course)
    ticket = f"ticket <{url}|{escape(key)}>" if key and url else "no ticket"
    gone = f" · gone since {figures.moment(found.gone_at)}" if found.gone_at else ""
    blocks.append(
        context_line(
            f"{escape(_against(found))} · seen at {found.looks} looks since {figures.moment(found.first_seen)}{gone}"
            f" · {ticket} · `{found.fingerprint}`"
        )
    )
    return Message(text, (*blocks, actions(*_buttons(found, key=key, shared=shared))))


def value(found: Found, number: float) -> str:
    return figures.plain(number) if found.metric in MEANS else figures.share(number)


def _effect(found: Found, number: float) -> str:
    return figures.signed(number) if found.metric in MEANS else figures.points(number)


def _title(found: Found) -> str:
    words = "share of slow hours (p95)" if found.metric == "latency_p95" else metric_words(found.metric)
    return words[0].upper() + words[1:]


def _row(found: Found, keys: Mapping[str, str]) -> list[Cell]:
    facts = found.facts
    installs = facts.installs_baseline + facts.installs_candidate
    return [
        metric_words(found.metric) + ("" if found.gone_at is None else " (gone)"),
        found.cohort or "everyone",
        Number(_drawn(found, facts.candidate), value(found, facts.candidate)),
        Number(_drawn(found, facts.baseline), value(found, facts.baseline)),
        Number(installs, figures.count(installs)),
        Number(round(facts.confidence, 3), figures.share(min(facts.confidence, 0.999))),
        figures.day(found.first_seen),
        keys.get(found.fingerprint, "–"),
    ]


def _chart(found: Found) -> Block | None:
    """Draw the cohort beside what else it might be, under both arms."""
    shown = [(found.cohort, found.facts.baseline, found.facts.candidate)]
    shown += [(rival.cohort, rival.baseline, rival.candidate) for rival in found.facts.rivals[:RIVALS]]
    unit = "" if found.metric in MEANS else " %"
    before, now = ("baseline", "candidate") if found.source == "release" else ("weeks before", "last 7 days")
    return bar_chart(
        f"{_title(found)}{unit}",
        [cohort or "everyone" for cohort, _, _ in shown],
        {
            before: [_drawn(found, baseline) for _, baseline, _ in shown],
            now: [_drawn(found, candidate) for _, _, candidate in shown],
        },
        x_label="the cohort, then what else it might be",
        y_label=f"{_title(found)}{unit}",
    )


def _rivals(found: Found) -> Block:
    head = ["what else it might be", "now", "before", "installs", "weight"]
    rows: list[list[Cell]] = [
        [
            rival.cohort or "everyone",
            value(found, rival.candidate),
            value(found, rival.baseline),
            Number(rival.installs, figures.count(rival.installs)),
            Number(round(rival.weight, 4), figures.share(rival.weight)),
        ]
        for rival in found.facts.rivals
    ]
    return table(head, rows, caption="Runners-up")


def _course(found: Found) -> Block | None:
    points = found.points[-POINTS:]
    if len(points) < 3:
        return None
    told = ", ".join(value(found, point.candidate) for point in points[-6:])
    return context_line(f"at the last looks: {told}")


def _against(found: Found) -> str:
    if found.source == "release":
        baseline, release = found.facts.baseline_version or "the baseline", found.facts.release or "a release"
        return f"{found.model} {found.version} against {baseline} in {release}"
    return f"{found.model}, the last 7 days against the 4 weeks before"


def _buttons(found: Found, *, key: str | None, shared: bool) -> list[Block]:
    where = f" where={grammar.quote(found.cohort)}" if found.cohort else ""
    buttons = [] if shared else [run_button("Share in channel", f"regression show {found.fingerprint} --share")]
    if key is None:
        target = found.facts.release or f"{found.model}@{found.version}"
        reason = grammar.quote(sentence(found))
        line = f"ticket open {grammar.quote(target)} metric={found.metric}{where} reason={reason}"
        buttons.append(run_button("Open ticket", line))
    buttons.append(run_button("What people say", f"feedback {grammar.quote(found.model)}{where}"))
    if found.facts.release:
        buttons.append(run_button("Show release", f"release show {found.facts.release}"))
    return buttons


def _drawn(found: Found, number: float) -> float:
    return round(number, 2) if found.metric in MEANS else round(100 * number, 2)
