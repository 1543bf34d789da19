"""The digest's face in Slack: the verdicts and what is wanted; the page has the rest. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Final

from bot.goals import KpiGoal
from bot.views import buttons, digest_words, figures
from bot.views.blocks import (
    Block,
    Cell,
    Message,
    actions,
    bar_chart,
    button,
    clip,
    context_line,
    escape,
    header,
    section,
    table,
)
from feedback.digest import CohortLine, Digest, ReleaseWeek, TicketLine
from feedback.noised import Budget, Charge, off_by, spent

ICONS: Final = {"Healthy": "🟢", "Watch": "🟡", "Act": "🔴"}
RELEASES_SHOWN: Final = 5
TICKETS_SHOWN: Final = 5


def shown(facts: Digest, *, url: str) -> Message:
    """The answer to show: the same message for one person."""
    return replace(digest(facts, url=url), in_channel=False)


def digest(facts: Digest, *, url: str | None, command: str = "/muster") -> Message:
    """Return the message of the week. Without `url` it is a preview, which is kept nowhere."""
    kind = "Preview of week" if url is None else "Week"
    title = f"{kind} {facts.week} – {facts.app}"
    if facts.is_empty:
        return Message(f"*{escape(title)}*: {escape(_without_week(facts))}", in_channel=url is not None)
    blocks: list[Block] = [header(title)]
    blocks += _list(
        "",
        [
            f"{ICONS[line.verdict]} *{escape(line.model)}* – *{line.verdict}*. {escape(line.reason)}"
            for line in facts.models
        ],
    )
    blocks += _wanted(facts.wanted)
    blocks += _list("Releases that moved", [_release(each) for each in facts.moved[:RELEASES_SHOWN]])
    blocks += _numbers(facts)
    blocks += _cohorts(facts)
    said = [f"• {escape(digest_words.theme_line(theme))}" for theme in facts.themes]
    blocks += _list("What people said", [*said, *(f"&gt; {escape(_one_line(quote))}" for quote in facts.quotes)])
    blocks += _list("Tickets", [_ticket(each) for each in facts.tickets[:TICKETS_SHOWN]])
    blocks.append(context_line(" ".join(digest_words.health_lines(facts))))
    blocks += _kpis(facts)
    if again := digest_words.repeats(facts, command):
        blocks.append(context_line("Again, as it is by now: " + ", ".join(f"`{escape(line)}`" for line in again)))
    if url is not None:
        blocks.append(actions(button("Open the whole page", "link:digest", facts.week, url=url)))
    return Message(f"{title}: {_without_week(facts)}", tuple(blocks), in_channel=url is not None)


def preview(facts: Digest) -> Message:
    """What stands under a link to the digest: its verdicts."""
    title = f"*Week {facts.week} – {escape(facts.app)}*"
    lines = [
        f"{ICONS[line.verdict]} *{escape(line.model)}* – {escape(clip(line.reason, 300))}" for line in facts.models
    ]
    text = "\n".join([title, *(lines[:10] or [escape(_without_week(facts))])])
    return Message(text, (section(text),))


def _without_week(facts: Digest) -> str:
    return facts.headline.removeprefix(f"{facts.week}: ")


def scheduled(schedule: str, due: str, channel: str | None, *, by: str | None, is_dry_run: bool) -> Message:
    """Say when digests come, and who just decided it."""
    where = f"<#{channel}>" if channel else "no channel: MUSTER_SLACK_CHANNEL is not set"
    said = f"Digests are posted every {escape(schedule)} to {where}; the next one {due}."
    if by is None:
        return Message(said)
    if is_dry_run:
        return Message(f"*Dry run.* {said} Nothing was changed.")
    return Message(f"<@{by}>: {said}", in_channel=True)


def goals(model: str, found: Mapping[str, KpiGoal], *, by: str | None, is_dry_run: bool) -> Message:
    told = ", ".join(f"{name} {escape(goal.text)}" for name, goal in found.items()) or "none yet"
    said = f"Goals of *{escape(model)}*: {told}. The digest shows whether they are met."
    if by is None:
        return Message(said)
    if is_dry_run:
        return Message(f"*Dry run.* {said} Nothing was changed.")
    return Message(f"<@{by}>: {said}", in_channel=True)


def budget(week: str, told: Sequence[Charge], budget: Budget | None, *, is_missing: bool) -> Message:
    """Say what was told of a week, with which noise, and what is left of its privacy budget."""
    if budget is None:
        return Message("Counts in digests are not noised: MUSTER_DP_EPSILON_PER_WEEK is not set.")
    said = f"{week}: {digest_words.budget_said(spent(told), budget.per_week, budget.per_query)}"
    if is_missing:
        said += " OpenDP is not installed (extra dp): no count is told until it is."
    if not told:
        return Message(f"{said} Nothing has been told of that week.")
    rows = [
        (each.key, figures.plain(each.epsilon), figures.plain(each.scale), f"± {off_by(each.scale)}")
        for each in told
    ]  # fmt: skip
    head = ("Query", "ε", "Scale of the noise", "19 of 20 counts within")
    return Message(said, (section(escape(said)), table(head, rows, caption="What was told")))


def there(week: str, url: str, *, posted: bool) -> Message:
    """The answer to show, and to now when the week's digest is out already."""
    word = "is posted" if posted else "is composed and about to be posted"
    return Message(f"The digest of {week} {word}: <{url}|open its page>. Whoever has the link can read it for 90 days.")


def _kpis(facts: Digest) -> list[Block]:
    """Return figures that have a goal; the page has the others as well."""
    rows = [(kpi.model, kpi.name, kpi.value, digest_words.goal_said(kpi)) for kpi in facts.kpis if kpi.goal]
    return [table(("Model", "Figure", "Value", "Goal"), rows, caption="Figures and goals")] if rows else []


def _wanted(releases: Sequence[ReleaseWeek]) -> list[Block]:
    """A digest grows old, so its button shows the release; what that offers is bound to what it shows."""
    blocks: list[Block] = []
    for release in releases[:RELEASES_SHOWN]:
        blocks.append(section(f"*Decision wanted:* {_release(release)}"))
        blocks.append(actions(buttons.run_button(f"Look at {release.release}", f"release show {release.release}")))
    return blocks


def _numbers(facts: Digest) -> list[Block]:
    rows: list[tuple[Cell, ...]] = []
    for number in facts.numbers:
        row = digest_words.number_row(number)
        name = f"{row.name} (few people)" if row.is_small else row.name
        rows.append((row.model, name, row.value, row.interval, row.n, row.change, row.trend or "–"))
    if not rows:
        return []
    head = ["Model", "Number", "This week", "95 % interval", "n", "Against last week", "Weeks before"]
    if not any(number.trend for number in facts.numbers):
        head, rows = head[:-1], [row[:-1] for row in rows]
    return [section("*Numbers*"), table(head, rows, caption="Numbers of the week")]


def _cohorts(facts: Digest) -> list[Block]:
    parts = (("Worst", facts.worst), ("Best", facts.best))
    blocks = [section("\n".join([f"*{name} cohorts*", *map(_cohort, lines)])) for name, lines in parts if lines]
    shown = [line for line in (*facts.worst, *facts.best[::-1]) if line.score.unit == "share"]
    if len(shown) > 1:
        names = [line.cohort for line in shown]
        chart = bar_chart("Satisfied in %", names, {"this week": [round(100 * line.score.value, 1) for line in shown]})
        blocks += [chart] if chart else []
    return blocks


def _cohort(line: CohortLine) -> str:
    was = ""
    if line.change is not None:
        was = f", {digest_words.change(line.change)} against last week"
    return f"• *{escape(line.cohort)}* ({escape(line.model)}) {digest_words.said(line.score)}{was}"


def _release(release: ReleaseWeek) -> str:
    return f"*{escape(release.release)}* {escape(release.model)} {escape(release.sentence)}"


def _ticket(ticket: TicketLine) -> str:
    name = (
        f"<{ticket.url}|{escape(ticket.key)}>" if ticket.url and ticket.key else escape(ticket.key or "not in Jira yet")
    )
    age = "1 day" if ticket.age_days == 1 else f"{ticket.age_days} days"
    return f"• {name} {escape(ticket.title)} – {ticket.state}, {age} old"


def _list(title: str, lines: Sequence[str]) -> list[Block]:
    if not lines:
        return []
    return [section("\n".join([f"*{title}*", *lines] if title else lines))]


def _one_line(text: str) -> str:
    return " ".join(text.split())
