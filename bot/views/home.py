"""App Home: what one person wants to see first. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from bot.overview import Overview
from bot.subscriptions import Subscription
from bot.views import figures
from bot.views.blocks import Block, actions, button, context_line, divider, escape, header, section
from bot.views.buttons import run_button
from bot.views.modals import home as home_view
from bot.views.status import may, poll_lines, release_lines
from bot.views.subscription import line
from releases.plan import Release

SHOWN = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """A release that the person may decide about, and why it waits: "waits for approval"."""

    release: Release
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LastDigest:
    headline: str
    url: str


def home(
    facts: Overview,
    waiting: Sequence[Waiting],
    digest: LastDigest | None,
    heard: Sequence[Subscription],
    *,
    command: str,
    now: datetime,
) -> Block:
    blocks = [
        header("Waiting for you"),
        *_waiting(waiting),
        divider(),
        header("Your models"),
        *_models(facts, command),
        divider(),
        section("*Open releases*"),
        *(release_lines(facts) or [section(f"None. A release starts with `{command} release start`.")]),
        section("*Running polls*"),
        *(poll_lines(facts, command) or [section(f"None. `{command} poll create` makes one.")]),
        divider(),
        section("*The last digest*"),
        *_digest(digest, command),
        section("*What channels hear*"),
        _heard(heard, command),
        divider(),
        section(may(facts)),
        actions(
            run_button("New poll", "poll create", "primary"),
            run_button("All releases", "release list"),
            run_button("Tickets", "ticket list"),
            run_button("This week so far", "digest preview"),
            run_button("Help", "help"),
        ),
        context_line(f"as of {figures.moment(now)}"),
    ]
    return home_view(blocks)


def _waiting(waiting: Sequence[Waiting]) -> list[Block]:
    if not waiting:
        return [section("Nothing. :tada:")]
    blocks: list[Block] = []
    for each in waiting[:SHOWN]:
        release = each.release
        versions = f"{escape(release.baseline_version)} → {escape(release.candidate_version)}"
        look = run_button(f"Look at {release.name}", f"release show {release.name}")
        blocks.append(section(f"*{release.name}* {escape(release.model)} {versions} {each.why}.", accessory=look))
    if len(waiting) > SHOWN:
        blocks.append(context_line(f"and {len(waiting) - SHOWN} more"))
    return blocks


def _models(facts: Overview, command: str) -> list[Block]:
    """The models that one has a role for; without one, those with something going on."""
    mine = [grant.model for grant in facts.grants if grant.model != "*"]
    going_on = [release.model for release, _ in facts.releases] + [poll.model for poll in facts.polls]
    names = list(dict.fromkeys(mine or going_on))[:SHOWN]
    if not names:
        return [section(f"None yet. `{command} model list` shows all.")]
    buttons = [run_button(f"{name}: what people say", f"feedback {name}", mark=str(number))
               for number, name in enumerate(names)]  # fmt: skip
    return [actions(*buttons)]


def _digest(digest: LastDigest | None, command: str) -> list[Block]:
    if digest is None:
        return [section(f"None yet. `{command} digest schedule` says when it comes.")]
    return [section(escape(digest.headline), accessory=button("Open", "link:digest", "home", url=digest.url))]


def _heard(heard: Sequence[Subscription], command: str) -> Block:
    if not heard:
        return section(f"Nothing but the channel for releases. In another one: `{command} subscribe kws releases`.")
    lines = [f"• <#{each.channel}> {line(each)}" for each in heard[: 2 * SHOWN]]
    more = [f"and {len(heard) - 2 * SHOWN} more"] if len(heard) > 2 * SHOWN else []
    return section("\n".join([*lines, *more]))
