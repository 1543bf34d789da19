"""Whether a condition of a scenario holds, and what there is instead if it does not."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, assert_never

import requests

from sandbox import acting, facts
from sandbox.acting import Stage
from sandbox.fleet import Fleet
from sandbox.script import AnswersOnce, Condition, DigestIs, JobIs, NothingRefused, ReleaseIs, RunningOn, Said, Tickets
from sandbox.service import Service

PAGE_S = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """Where a condition may look: the workspace and Jira, the service's API, the phones, and what is stored."""

    stage: Stage
    service: Service
    fleet: Fleet
    model: str
    stored: Callable[[], int]


def lacks(condition: Condition, view: View) -> str | None:
    """Return None if the condition holds, else a sentence that says what is there instead."""
    match condition:
        case Said():
            return _said(condition, view.stage.state())
        case ReleaseIs():
            return _release(condition, view.service.releases(view.model))
        case JobIs(state=state):
            return _job(state, view.service.jobs(view.model))
        case Tickets(count=count):
            found = [ticket["key"] for ticket in view.stage.state()["jira"]]
            return None if len(found) == count else f"there are {len(found)} tickets ({', '.join(found)}), not {count}"
        case AnswersOnce():
            return _answers(view)
        case NothingRefused():
            refused = view.stage.state()["counts"]["rejected"]
            problems = view.fleet.problems[:3]
            return f"Slack refused {refused}; phones: {problems}" if refused or problems else None
        case RunningOn(version=version, at_least=least, at_most=most):
            n = view.fleet.running(version)
            return None if n >= least and (most is None or n <= most) else f"{n} phones run {version}"
        case DigestIs():
            return _digest(condition, facts.digest(view.stage.state()))
        case _:
            assert_never(condition)


def claim(condition: Condition) -> str:
    """Return what a condition wants, in words."""
    match condition:
        case Said(place=place, words=words, to=to, times=times):
            often = "" if times is None else f" {times}×"
            return f"{place} should say “{words}”{often}" + (f" to {to}" if to else "")
        case ReleaseIs(state=state, percent=percent):
            return f"the release should be {state}" + ("" if percent is None else f" at {percent:g} %")
        case JobIs(state=state):
            return f"the newest job should be {state}"
        case Tickets(count=count):
            return f"Jira should have {count} ticket{'' if count == 1 else 's'}"
        case AnswersOnce():
            return "every answer should be stored once"
        case NothingRefused():
            return "nothing should be refused"
        case RunningOn(version=version, at_least=least, at_most=most):
            return f"{least} to {'all' if most is None else most} phones should run {version}"
        case DigestIs(week=week, posts=posts):
            return f"the digest of {week} should be posted {posts}×"
        case _:
            assert_never(condition)


def _said(wanted: Said, state: dict[str, Any]) -> str | None:
    user = acting.person(state, wanted.to) if wanted.to else None
    where = acting.channel(state, wanted.place, user or "")
    # In direct messages everything is for that person; in a channel only what nobody else sees.
    audience = (None, user) if wanted.place.startswith("@") else (user,)
    seen = [
        each
        for each in acting.messages(state, where, user)
        if wanted.words in acting.words(each) and each["ephemeral_to"] in audience
    ]
    if wanted.times is None and seen:
        return None
    if wanted.times is not None and len(seen) == wanted.times:
        return None
    return f"{wanted.place} has {len(seen)} messages with “{wanted.words}”" + (f" for {wanted.to}" if user else "")


def _release(wanted: ReleaseIs, found: list[dict[str, Any]]) -> str | None:
    if not found:
        return "there is no release"
    newest = found[0]
    if wanted.percent is not None:
        if (newest["state"], newest["percent"]) == (wanted.state, wanted.percent):
            return None
    elif wanted.state in [newest["state"], *(event["state"] for event in newest["history"])]:
        return None
    return f"{newest['name']} is {newest['state']} at {newest['percent']:g} % ({newest.get('reason')})"


def _job(wanted: str, found: list[dict[str, Any]]) -> str | None:
    if not found:
        return "there is no job"
    newest = found[0]
    if newest["state"] != wanted:
        told = newest["result"] or newest["progress"] or {"sentence": "waits"}
        return f"{newest['name']} is {newest['state']}: {told['sentence']}"
    status = requests.get(newest["url"], timeout=PAGE_S).status_code
    return None if status == 200 else f"the page {newest['url']} answers {status}"


def _digest(wanted: DigestIs, found: dict[str, Any] | None) -> str | None:
    if found is None:
        return "there is no digest"
    if (found["week"], found["posts"]) != (wanted.week, wanted.posts):
        return f"the digest of {found['week']} was posted {found['posts']} times"
    there = (found["confluence"]["pages"], found["mail"]["mails"])
    if any(want not in (None, has) for want, has in zip((wanted.pages, wanted.mails), there, strict=True)):
        return f"the digest of {found['week']} has {there[0]} pages in Confluence and {there[1]} mails"
    status = requests.get(found["url"], timeout=PAGE_S).status_code
    return None if status == 200 else f"the page {found['url']} answers {status}"


def _answers(view: View) -> str | None:
    tally, stored = view.fleet.tally(), view.stored()
    lost = tally.sent - tally.accepted - tally.duplicate - tally.unknown
    if tally.accepted == stored and tally.rejected == 0 and lost == 0:
        return None
    seen = f"{tally.accepted} accepted, {tally.duplicate} duplicate, {tally.rejected} rejected, {tally.unknown} unknown"
    return f"phones sent {tally.sent} ({seen}), but {stored} are stored"
