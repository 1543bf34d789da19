"""The digest's figures in words, the same on each of its faces. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from typing import Final

from bot.views import figures
from feedback.digest import Digest, Health, Kpi, NoiseNote, Number, ThemeLine
from feedback.noised import off_by
from feedback.scores import Change, Score

MORE_IS_BETTER: Final = frozenset({"CSAT", "NPS", "CES", "rating", "thumbs up"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One number of the week."""

    model: str
    name: str
    value: str
    interval: str
    n: str
    change: str
    tone: str
    is_small: bool
    trend: str = ""
    trend_said: str = ""


def number_row(number: Number) -> Row:
    return Row(
        model=number.model,
        name=number.name,
        value=value(number.score),
        interval=interval(number.score),
        n=figures.count(number.score.n),
        change=change(number.change),
        tone="unclear" if number.is_small else tone(number),
        is_small=number.is_small,
        trend=trend(number),
        trend_said=trend_said(number),
    )


def trend(number: Number) -> str:
    """84 → – → 86 %: the weeks before, the oldest first; a dash is a week that nothing was told of."""
    if not number.trend:
        return ""
    told = {past.weeks_ago: past.score for past in number.trend}
    oldest, latest = max(told), min(told)
    unit = number.score.unit
    said = [bare(told[ago].value, unit) if ago in told else "–" for ago in range(oldest, latest - 1, -1)]
    said[-1] = plain(told[latest].value, unit)
    return " → ".join(said)


def trend_said(number: Number) -> str:
    """CSAT of kws by week: 84 % in 2026-W42, 85 % in 2026-W46, 86 % now; for whoever sees no drawing."""
    if not number.trend:
        return ""
    unit = number.score.unit
    told = ", ".join(f"{plain(past.score.value, unit)} in {past.week}" for past in number.trend)
    return f"{number.name} of {number.model} by week: {told}, {value(number.score)} now"


def period(digest: Digest) -> str:
    """16 November 2026 – 22 November 2026: the days of the week that its name says, in whatever zone it was."""
    monday = date.fromisoformat(f"{digest.week}-1")
    return f"{figures.day(monday)} – {figures.day(monday + timedelta(days=6))}"


def said(score: Score) -> str:
    """86 % (84 to 88), n = 1 904."""
    return f"{value(score)} ({interval(score)}), n{figures.NARROW}={figures.NARROW}{figures.count(score.n)}"


def value(score: Score) -> str:
    return plain(score.value, score.unit)


def interval(score: Score) -> str:
    return f"{bare(score.low, score.unit)} to {bare(score.high, score.unit)}"


def change(moved: Change | None) -> str:
    """+4 pt (+1 to +7), or a dash when there was nothing to compare with."""
    if moved is None:
        return "–"
    factor = 100 if moved.unit == "share" else 1
    unit = "" if moved.unit == "mean" else f"{figures.NARROW}pt"
    middle, low, high = (figures.signed(round(factor * part, 2)) for part in (moved.value, moved.low, moved.high))
    return f"{middle}{unit} ({low} to {high})"


def tone(number: Number) -> str:
    """Return "better" or "worse" when the change is beyond chance, else "unclear"."""
    moved = number.change
    if moved is None or not moved.is_clear:
        return "unclear"
    is_more = moved.value > 0
    more_is_better = number.name in MORE_IS_BETTER
    return "better" if is_more is more_is_better else "worse"


def health_lines(digest: Digest) -> tuple[str, ...]:
    """Return how much the numbers can be trusted, a sentence each."""
    health = digest.health
    if health.noise is not None:
        return (*_noised_lines(health, health.noise), *_kept_back(health))
    rate = f"; response rate {said(health.response_rate)}" if health.response_rate is not None else ""
    return (
        f"{figures.count(health.responses or 0)} responses to {figures.count(health.impressions or 0)} impressions"
        f"{rate}.",
        f"{figures.count(health.reporting or 0)} installs reported; {figures.count(health.silent or 0)} that were "
        "heard of in the week before were silent.",
        *_kept_back(health),
    )


def _noised_lines(health: Health, noise: NoiseNote) -> list[str]:
    lines = []
    if health.responses is not None and health.impressions is not None:
        rate = f"; response rate {said(health.response_rate)}" if health.response_rate is not None else ""
        asked = f"{figures.count(health.impressions)} installs that were asked"
        lines.append(f"About {figures.count(health.responses)} of {asked} answered{rate}.")
    if health.reporting is not None and health.silent is not None:
        silent = f"about {figures.count(health.silent)} that were heard of in the week before were silent"
        lines.append(f"About {figures.count(health.reporting)} installs reported; {silent}.")
    for reason, queries in noise.withheld:
        lines.append(f"Withheld: {reason} ({', '.join(queries)}).")
    if noise.scales:
        scales = " or ".join(f"{figures.plain(each)} (19 of 20 off by {off_by(each)} at most)" for each in noise.scales)
        lines.append(
            f"Counts of installs and of people in themes, and shares of installs, have noise of scale {scales}."
        )
    lines.append("Scores of answers and their n have none; too few people stay withheld there.")
    return [*lines, budget_said(noise.spent, noise.budget, noise.epsilon)]


def budget_said(spent: float, budget: float, per_query: float) -> str:
    """Privacy budget of the week: ε 2.5 of 4 spent, 1.5 left; a query costs 0.5."""
    left = max(0.0, budget - spent)
    told = f"ε {figures.plain(spent)} of {figures.plain(budget)} spent, {figures.plain(left)} left"
    return f"Privacy budget of the week: {told}; a query costs {figures.plain(per_query)}."


def _kept_back(health: Health) -> list[str]:
    lines = []
    if health.suppressed_cohorts:
        lines.append(f"{figures.count(health.suppressed_cohorts)} cohorts are withheld: too few people.")
    if health.stale_sdks:
        lines.append(f"{figures.count(health.stale_sdks)} installs run an outdated SDK.")
    return lines


def repeats(digest: Digest, command: str) -> tuple[str, ...]:
    """Return the commands that show the numbers again, as they are by now."""
    by = {line.model: line.attribute for line in (*digest.worst, *digest.best)}
    models = dict.fromkeys(number.model for number in digest.numbers)
    return tuple(f"{command} feedback {model} by={by.get(model, 'chipset')} since=7d" for model in models)


def theme_line(theme: ThemeLine) -> str:
    """New: crashes after update (kws), 12 people, 3× what was expected."""
    new = "New: " if theme.is_new else ""
    people = "1 person" if theme.people == 1 else f"{figures.count(theme.people)} people"
    more = f", {figures.plain(theme.change)}× as many as in the weeks before" if theme.change is not None else ""
    about = "about " if theme.is_noised else ""
    return f"{new}{theme.name} ({theme.model}), {about}{people}{more}"


def age(days: int) -> str:
    return "1 day" if days == 1 else f"{days} days"


def goal_said(kpi: Kpi) -> str:
    """A goal and whether it is met, also for whoever sees no color."""
    if kpi.goal is None:
        return "–"
    return kpi.goal if kpi.is_met is None else f"{kpi.goal} {'✓' if kpi.is_met else '✗ missed'}"


def plain(number: float, unit: str) -> str:
    match unit:
        case "share":
            return f"{bare(number, unit)}{figures.NARROW}%"
        case _:
            return bare(number, unit)


def bare(number: float, unit: str) -> str:
    match unit:
        case "share":
            percent = 100 * number
            return figures.plain(round(percent) if percent >= 10 else round(percent, 1 if percent >= 1 else 2))
        case "points":
            return figures.signed(round(number))
        case _:
            return figures.plain(round(number, 1))
