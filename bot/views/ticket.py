"""What a ticket says: its Jira document, the comment on a new band, and what Slack hears of it. Pure."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from bot.model_owners import Owner
from bot.ticket_rules import Evidence, RegressionFacts, Ticket
from bot.views import figures
from bot.views.blocks import Message, actions, clip, confirmation, context_line, escape, section, table
from bot.views.buttons import run_button
from integrations import adf

HEAD = ("Cohort", "Metric", "Baseline", "Candidate", "Effect (95 % interval)", "Installs")
SHOWN_IN_SLACK = 5
THEME = "theme"
"""The metric of a ticket about what people write; its cohort is then the theme's name."""
UrlOf = Callable[[str], str]


def summary(regression: RegressionFacts) -> str:
    """Return the ticket's one line; Jira cuts it to 255 characters."""
    if regression.metric == THEME:
        return f"{regression.model} {regression.first_bad_version}: people write about {regression.cohort}"
    what, where = metric_words(regression.metric), cohort(regression)
    return f"{regression.model} {regression.first_bad_version}: {what} worse for {where}"


def metric_words(metric: str) -> str:
    """crash_rate → "crash rate", csat → "CSAT"."""
    return "CSAT" if metric == "csat" else metric.replace("_", " ")


def cohort(regression: RegressionFacts) -> str:
    return regression.cohort or "everyone"


def description(regression: RegressionFacts, command: str) -> adf.Node:
    """Return the document: verdict, evidence, what was done, how to reproduce, links. `command` is "/muster"."""
    blocks = [adf.panel("error", regression.sentence)]
    if regression.evidence:
        blocks += [adf.heading(3, "Where and how much"), adf.table(HEAD, [_row(row) for row in regression.evidence])]
    blocks += [adf.heading(3, "What was running"), adf.bullets(*_running(regression))]
    if regression.done:
        blocks += [adf.heading(3, "What was done"), adf.paragraph(regression.done)]
    if regression.verbatims:
        blocks += [adf.heading(3, "What people said"), *(adf.quote(each) for each in regression.verbatims[:3])]
    blocks += [adf.heading(3, "How to reproduce"), *_reproduce(regression, command)]
    if regression.links:
        items = [[adf.text(link.title, href=link.url)] for link in regression.links]
        blocks += [adf.heading(3, "Links"), adf.bullets(*items)]
    blocks += [adf.rule(), adf.paragraph(_origin(regression))]
    return adf.document(*blocks)


def band_comment(regression: RegressionFacts, mark: str) -> adf.Node:
    """Return the comment that the numbers entered a new band; its last line is how it is found again."""
    blocks = [adf.paragraph(regression.sentence)]
    if regression.evidence:
        blocks.append(adf.table(HEAD, [_row(row) for row in regression.evidence]))
    return adf.document(*blocks, adf.paragraph(adf.text(comment_words(regression, mark), code=True)))


def heal_comment(regression: RegressionFacts, mark: str) -> adf.Node:
    """Return the comment that it is not bad any more."""
    where = cohort(regression)
    told = f"Healed: {metric_words(regression.metric)} of {regression.model} is no longer worse for {where}."
    return adf.document(adf.paragraph(told), adf.paragraph(adf.text(comment_words(regression, mark), code=True)))


def comment_words(regression: RegressionFacts, mark: str) -> str:
    return f"muster {regression.fingerprint} {mark}"


def announcement(ticket: Ticket, url: str) -> Message:
    """Return what Slack hears once the issue is there."""
    regression = ticket.regression
    line = f"Ticket <{url}|{escape(ticket.key or '')}>: {escape(summary(regression))}"
    blocks = [section(line), section(escape(regression.sentence))]
    if regression.evidence:
        blocks.append(table(HEAD, [_row(row) for row in regression.evidence[:SHOWN_IN_SLACK]], caption="Evidence"))
    blocks.append(actions(_mute(ticket)))
    return Message(line, tuple(blocks), in_channel=True)


def changed(ticket: Ticket, url: str) -> Message:
    """Return what Slack hears when somebody did something to the issue in Jira."""
    name = f"<{url}|{escape(ticket.key or '')}>"
    match ticket.state, ticket.resolution:
        case "done", "deleted":
            told = f"{escape(ticket.key or '')} was deleted in Jira; it comes back only if it gets worse."
        case "done", why:
            told = f"{name} is closed{f' ({escape(why)})' if why else ''}. If it comes back, so does the ticket."
        case "muted", str(why):
            told = f"{name} is closed as {escape(why)}: this regression opens no ticket any more and comments on none."
        case _:
            told = f"{name} is open again."
    return Message(told, in_channel=True)


def listing(tickets: Sequence[Ticket], url_of: UrlOf) -> Message:
    if not tickets:
        return Message("No ticket yet. One opens by itself when a guardrail fails.")
    lines = "\n".join(line(ticket, url_of) for ticket in tickets)
    title = "1 ticket" if len(tickets) == 1 else f"{len(tickets)} tickets, newest first"
    return Message(f"{title}\n{lines}", (section(f"*{title}*"), *_sections(lines)))


def one(ticket: Ticket, url_of: UrlOf) -> Message:
    regression = ticket.regression
    blocks = [section(line(ticket, url_of)), section(escape(regression.sentence))]
    if regression.evidence:
        blocks.append(table(HEAD, [_row(row) for row in regression.evidence], caption="Evidence"))
    release = f"{regression.release} · " if regression.release else ""
    blocks.append(context_line(f"{escape(release)}wanted {figures.moment(ticket.wanted_at)} · {ticket.fingerprint}"))
    if ticket.problem:
        blocks.append(section(f"*Not opened yet:* {escape(ticket.problem)}"))
    return Message(line(ticket, url_of), tuple(blocks))


def wanted(tickets: Sequence[Ticket], url_of: UrlOf, *, by: str, is_dry_run: bool) -> Message:
    """Answer the one who asked for a ticket, and the channel."""
    if is_dry_run:
        return Message(
            "*Dry run.* This would be opened; nothing was changed:\n"
            + "\n".join(line(ticket, url_of) for ticket in tickets)
        )
    first = tickets[0]
    if all(ticket.key for ticket in tickets):
        said = "There is a ticket already:\n" + "\n".join(line(ticket, url_of) for ticket in tickets)
        return Message(said)
    what = escape(summary(first.regression))
    said = f"<@{by}> wants a ticket: {what} (`{first.fingerprint}`). It is being opened; its key follows here."
    return Message(said, (section(said), section(escape(first.regression.sentence))), in_channel=True)


def linked(ticket: Ticket, key: str, url_of: UrlOf, *, by: str, is_dry_run: bool) -> Message:
    said = f"<{url_of(key)}|{escape(key)}> the ticket of: {escape(summary(ticket.regression))}."
    if is_dry_run:
        return Message(f"*Dry run.* You would make {said} Nothing was changed.")
    return Message(f"<@{by}> made {said}", in_channel=True)


def muted(ticket: Ticket, *, by: str, is_dry_run: bool) -> Message:
    said = f"{escape(summary(ticket.regression))} (`{ticket.fingerprint}`) {state(ticket)}."
    again = "Until then it opens no ticket and comments on none."
    if is_dry_run:
        return Message(f"*Dry run.* This would be: {said} Nothing was changed.")
    return Message(f"<@{by}>: {said} {again}", in_channel=True)


def owner(model: str, told: Owner | None, *, command: str) -> Message:
    if told is None or not (told.assignee or told.component):
        example = f"`{command} ticket owner {escape(model)} assignee=mia@example.com component=Audio`"
        return Message(f"Nobody owns *{escape(model)}*: its tickets are left unassigned. {example} changes that.")
    return Message(f"Tickets of *{escape(model)}* go to {_owner(told)}.")


def owned(model: str, told: Owner, *, by: str, is_dry_run: bool) -> Message:
    said = f"Tickets of *{escape(model)}* go to {_owner(told)}."
    if is_dry_run:
        return Message(f"*Dry run.* {said} Nothing was changed.")
    return Message(f"<@{by}>: {said}", in_channel=True)


def _owner(told: Owner) -> str:
    parts = [f"*{escape(told.assignee_name or told.assignee)}*"] if told.assignee else []
    parts += [f"component *{escape(told.component)}*"] if told.component else []
    return ", ".join(parts) or "nobody"


def line(ticket: Ticket, url_of: UrlOf) -> str:
    """Return one line of a list: key or state, what it is about, its fingerprint."""
    name = f"<{url_of(ticket.key)}|{escape(ticket.key)}>" if ticket.key else "not in Jira yet"
    return f"{name} · {state(ticket)} · {escape(clip(summary(ticket.regression), 200))} · `{ticket.fingerprint}`"


def state(ticket: Ticket) -> str:
    match ticket.state:
        case "pending" | "creating":
            return "needs help" if ticket.problem else "being opened"
        case "muted" if ticket.resolution is not None:
            return f"muted: closed as {escape(ticket.resolution)}"
        case "muted":
            return "muted" if ticket.muted_until is None else f"muted until {figures.moment(ticket.muted_until)}"
        case "open" if ticket.told_healed:
            return "healed"
        case "open":
            return "open"
        case "done":
            return f"closed ({escape(ticket.resolution)})" if ticket.resolution else "closed"


def _mute(ticket: Ticket) -> dict[str, object]:
    sure = confirmation("Mute this?", "For 30 days it opens no ticket and comments on none.", "Mute")
    return run_button("False alarm: mute 30 days", f"ticket mute {ticket.fingerprint} 30d", confirm=sure)


def _sections(lines: str) -> list[dict[str, object]]:
    """Split lines over as many sections as Slack's 3 000 characters need."""
    parts: list[str] = []
    for each in lines.split("\n"):
        if parts and len(parts[-1]) + len(each) < 2_800:
            parts[-1] += "\n" + each
        else:
            parts.append(each)
    return [section(part) for part in parts]


def _row(row: Evidence) -> tuple[str, ...]:
    show = figures.share if _is_share(row) else figures.plain
    return (
        row.cohort or "everyone",
        metric_words(row.metric),
        show(row.baseline),
        show(row.candidate),
        f"{_effect(row, row.effect)} ({_effect(row, row.low)} to {_effect(row, row.high)})",
        f"{figures.count(row.n_baseline)} / {figures.count(row.n_candidate)}",
    )


def _effect(row: Evidence, value: float) -> str:
    if row.relative:
        return figures.ratio(value)
    return figures.points(value) if _is_share(row) else figures.signed(value)


def _is_share(row: Evidence) -> bool:
    return max(abs(row.baseline), abs(row.candidate)) <= 1


def _running(regression: RegressionFacts) -> list[list[adf.Inline]]:
    against = f", against {regression.baseline_version}" if regression.baseline_version else ""
    items: list[list[adf.Inline]] = [
        [f"Model {regression.model}, first bad version {regression.first_bad_version}{against}"]
    ]
    if regression.release:
        stage = f", stage {regression.stage}" if regression.stage else ""
        items.append([f"Release {regression.release}{stage}"])
    items += [[f"Artifact {name}: ", adf.text(f"sha256:{digest}", code=True)] for name, digest in regression.artifacts]
    items.append([f"App {regression.app}"])
    return items


def _reproduce(regression: RegressionFacts, command: str) -> list[adf.Node]:
    if regression.metric == THEME:
        return [adf.code_block(f"{command} feedback themes {regression.model}")]
    where = regression.cohort.replace('"', "'")
    asked = (
        f'{command} feedback {regression.model} where="{where}"' if where else f"{command} feedback {regression.model}"
    )
    lines = [asked, *([f"{command} release show {regression.release}"] if regression.release else [])]
    version = f"{regression.model} {regression.first_bad_version}"
    text = f"Devices: {cohort(regression)}. Install {version} on one of them, or ask Muster:"
    return [adf.paragraph(text), adf.code_block("\n".join(lines))]


def _origin(regression: RegressionFacts) -> str:
    by = f" for {regression.reported_by}" if regression.reported_by else ""
    return f"Opened by Muster{by}. One ticket per regression: fingerprint {regression.fingerprint}."
