"""The digest's face in Confluence: a page that is replaced when it changes, but for what people note on it. Pure."""

from __future__ import annotations

from typing import Final

from markupsafe import Markup

from bot.views import digest_words, figures
from bot.views.digest_mail import cohort_pictures, scale
from feedback.digest import Digest, TicketLine
from integrations import storage_format as wiki

ICONS: Final = {"Healthy": "🟢", "Watch": "🟡", "Act": "🔴"}


def title(digest: Digest) -> str:
    return f"Muster week {digest.week} – {digest.app}"


def body(digest: Digest, *, url: str, origin: str) -> str:
    """Return the page in storage format; it shows the pictures of digest_mail.cohort_images as attachments."""
    days = digest_words.period(digest)
    lead = wiki.paragraph(wiki.strong(digest.headline), f" {days}. ", wiki.link("The page by itself", url))
    if digest.is_empty:
        return wiki.document(lead, origin=origin)
    parts = [*_verdicts(digest), *_wanted(digest), *_moved(digest), *_numbers(digest), *_cohorts(digest)]
    parts += [*_voices(digest), *_tickets(digest), *_health(digest), *_kpis(digest)]
    return wiki.document(lead, *parts, origin=origin)


def _verdicts(digest: Digest) -> list[Markup]:
    if not digest.models:
        return []
    rows = [[f"{ICONS[line.verdict]} {line.verdict}", line.model, line.reason] for line in digest.models]
    return [wiki.heading(2, "How each model does"), wiki.table(("Verdict", "Model", "Why"), rows)]


def _wanted(digest: Digest) -> list[Markup]:
    if not digest.wanted:
        return []
    said = [
        f"{each.release} {each.model} {each.sentence} Somebody can: {', '.join(each.wants)}." for each in digest.wanted
    ]
    return [wiki.heading(2, "Decisions wanted"), wiki.bullets(*said)]


def _moved(digest: Digest) -> list[Markup]:
    if not digest.moved:
        return []
    said = [f"{each.release} {each.model} {each.sentence} ({figures.moment(each.at)})" for each in digest.moved]
    return [wiki.heading(2, "Releases that moved"), wiki.bullets(*said)]


def _numbers(digest: Digest) -> list[Markup]:
    if not digest.numbers:
        return []
    head = ("Model", "Number", "This week", "95 % interval", "n", "Against last week", "Weeks before")
    rows = []
    for number in digest.numbers:
        row = digest_words.number_row(number)
        name = f"{row.name} (few people)" if row.is_small else row.name
        rows.append((row.model, name, row.value, row.interval, row.n, row.change, row.trend or "–"))
    return [wiki.heading(2, "Numbers"), wiki.table(head, rows)]


def _cohorts(digest: Digest) -> list[Markup]:
    # One table: Confluence fits pictures to their column, and two tables have columns of two widths.
    rows = [
        (
            kind,
            f"{each.cohort} ({each.model})",
            wiki.image(each.name, alt=each.said),
            f"{each.figure} {each.change}".strip(),
        )
        for kind, pictures in cohort_pictures(digest)
        for each in pictures
    ]
    told = f"Bar: this week with its 95 % interval, from {scale(digest)}. Thin line: the week before."
    again = f"Again in Slack: {', '.join(digest_words.repeats(digest, '/muster'))}"
    if not rows:
        return []
    shown = wiki.table(("", "Cohort", "", "Score (95 % interval)"), rows)
    return [wiki.heading(2, "Cohorts"), shown, wiki.paragraph(told), wiki.paragraph(again)]


def _voices(digest: Digest) -> list[Markup]:
    if not (digest.quotes or digest.themes):
        return []
    parts = [wiki.heading(2, "What people said")]
    if digest.themes:
        parts.append(wiki.bullets(*(digest_words.theme_line(theme) for theme in digest.themes)))
    return [*parts, *(wiki.quote(quote) for quote in digest.quotes)]


def _tickets(digest: Digest) -> list[Markup]:
    if not digest.tickets:
        return []
    return [wiki.heading(2, "Tickets"), wiki.bullets(*(_ticket(ticket) for ticket in digest.tickets))]


def _ticket(ticket: TicketLine) -> Markup:
    name = ticket.key or "on its way to Jira"
    shown = wiki.link(name, ticket.url) if ticket.url else wiki.text(name)
    return Markup("{} {} – {}, {}").format(
        shown, wiki.text(ticket.title), ticket.state, digest_words.age(ticket.age_days)
    )


def _health(digest: Digest) -> list[Markup]:
    return [wiki.heading(2, "Health of the data"), wiki.bullets(*digest_words.health_lines(digest))]


def _kpis(digest: Digest) -> list[Markup]:
    if not digest.kpis:
        return []
    rows = [(each.model, each.name, each.value, digest_words.goal_said(each)) for each in digest.kpis]
    return [wiki.heading(2, "Figures and goals"), wiki.table(("Model", "Figure", "Value", "Goal"), rows)]
