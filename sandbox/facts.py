"""Facts of a played scenario, read from what is running: Slack's messages, Jira's tickets, the service's answers."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from sandbox import acting

if TYPE_CHECKING:
    from sandbox.play import Player

WEEK = re.compile(r"\b\d{4}-W\d{2}\b")
URL = re.compile(r"https?://[^\s|>\"]+")
Json = dict[str, Any]


def gather(player: Player, stored: int) -> Json:
    """Return the facts of a played scenario: what phones saw, Slack shows, Jira holds and the service answers."""
    state = player.stage.state()
    tally = player.fleet.tally()
    releases = player.service.releases(player.scenario.model)
    return {
        "answers": {
            "sent": tally.sent,
            "accepted": tally.accepted,
            "duplicate": tally.duplicate,
            "stored": stored,
        },
        "cohorts": cohorts(player.service.report(player.scenario.model, by="chipset", since="7d")),
        "optimize": optimize(player.service.jobs(player.scenario.model)),
        "release": _release(releases[0]) if releases else None,
        "tickets": [{"key": ticket["key"], "fingerprint": fingerprint(ticket)} for ticket in state["jira"]],
        "digest": digest(state),
        "messages": {name: state["counts"][name] for name in ("posted", "updated", "rejected")},
    }


def cohorts(report: Json) -> list[Json]:
    """Return the cohorts of a report as the service told them: shares of 0 to 1 with their 95 % intervals."""
    return [
        {"cohort": row["cohort"], "n": row["n"], "score": row["value"], "low": row["low"], "high": row["high"]}
        for row in report["cohorts"]
    ]


def optimize(jobs: list[Json]) -> Json | None:
    """Return the newest report card: how much smaller, the ratio of times and the difference of accuracies (shares of
    1, with their 95 % intervals), and the verdict."""
    done = [job for job in jobs if (job["result"] or {}).get("card")]
    if not done:
        return None
    result, card = done[0]["result"], done[0]["result"]["card"]
    ratio, answers = card["evidence"]["ratio"] or {}, card["evidence"]["device"] or {}
    return {
        "recipe": result["recipe"],
        "size_x": card["size_x"],
        "ratio": ratio.get("value"),
        "ratio_low": ratio.get("low"),
        "ratio_high": ratio.get("high"),
        "accuracy_delta": answers.get("difference"),
        "accuracy_low": answers.get("low"),
        "accuracy_high": answers.get("high"),
        "verdict": card["verdict"],
        "summary": card["summary"],
        "url": done[0]["url"],
    }


def _release(found: Json) -> Json:
    return {
        "id": found["id"],
        "states": [{"state": event["state"], "at": event["at"]} for event in found["history"]],
    }


def fingerprint(ticket: Json) -> str | None:
    """Return the fingerprint among a ticket's labels."""
    marks = [label.removeprefix("muster-") for label in ticket["labels"] if label.startswith("muster-")]
    return marks[0] if marks else None


def digest(state: acting.State) -> Json | None:
    """Return the newest digest that was posted: its week, its page, how often it was posted, put and sent."""
    posts = [(week, url) for message in state["messages"] for week, url in _digests(message)]
    if not posts:
        return None
    week, url = posts[-1]
    pages = [page for page in state["pages"] if week in page["title"]]
    mails = [mail for mail in state["mails"] if week in mail["subject"]]
    return {
        "week": week,
        "url": url,
        "posts": sum(1 for each, _ in posts if each == week),
        "confluence": {"pages": len(pages), "url": pages[0]["url"] if pages else None},
        "mail": {"mails": len(mails), "to": sorted({mail["to"] for mail in mails})},
    }


def _digests(message: Json) -> Iterator[tuple[str, str]]:
    """Yield week and page of a message that is a digest: it names the week and links to the page about it."""
    if message["ephemeral_to"] is not None or message["thread_ts"] not in (None, message["ts"]):
        return
    said = acting.words(message)
    week = WEEK.search(said)
    pages = [url for url in (*URL.findall(said), *_urls(message["blocks"])) if "/digest" in url]
    if week is not None and pages:
        yield week.group(), pages[0].replace("&amp;", "&")


def _urls(node: object) -> Iterator[str]:
    if isinstance(node, dict):
        if isinstance(node.get("url"), str):
            yield node["url"]
        for value in node.values():
            yield from _urls(value)
    elif isinstance(node, list):
        for item in node:
            yield from _urls(item)
