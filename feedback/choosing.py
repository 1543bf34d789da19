"""What people chose in a poll: the share of each choice, debiased where phones randomized, past the gate."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from core.db import Databases
from core.segments import EVERYONE
from feedback import store
from feedback.gate import Group, admit_groups, moments
from feedback.polls import Question
from feedback.questions import CHOOSING
from feedback.randomized import ChoiceShare, choice_shares, remembered_as
from feedback.store import StoredPoll

PERIOD: Final = timedelta(days=7)


@dataclass(frozen=True, slots=True, kw_only=True)
class Chosen:
    """What was chosen in the seven days before `until`; no `shares` where too few people have answered.

    `left_out` answers are not in it: phones randomized them otherwise than the question asks now.
    """

    question: Question
    shares: tuple[ChoiceShare, ...]
    n: int
    until: datetime
    left_out: int


def chosen(databases: Databases, poll: StoredPoll, *, app: str, minimum: int, now: datetime) -> tuple[Chosen, ...]:
    """Return what was chosen, question by question; as of when it was asked last where few have answered since."""
    asked = [question for question in poll.poll.questions if question.type in CHOOSING]
    return tuple(_chosen(databases, poll, question, app=app, minimum=minimum, now=now) for question in asked)


def _chosen(
    databases: Databases, poll: StoredPoll, question: Question, *, app: str, minimum: int, now: datetime
) -> Chosen:
    ledger = remembered_as(f"{poll.poll.id}/{question.id}", question)
    fresh = Group(since=now - PERIOD, until=now, where=EVERYONE)
    store.fresh(databases.ingest).close()
    with databases.ingest.begin() as session:
        store.lock_shown(session)
        told = store.told_groups(session, app=app, poll=ledger, since=fresh.since)
        ends = moments((), [fresh, *told])
        heard = store.heard(session, app=app, model=poll.model, poll=poll.poll.id, since=min(ends), until=now)
        mine = store.as_asked(heard, question.privacy, question=question.id)
        answers, devices = store.who_answered(mine, moments=ends, question=question.id)
        crowd: dict[str, Any] = {"answers": answers, "devices": devices, "minimum": minimum}
        may = admit_groups([fresh], told=told, **crowd)
        earlier = [group for group in told if group.until > now - PERIOD]
        group = fresh if may else max(earlier, key=lambda each: each.until, default=fresh)
        left_out = store.sent_otherwise(
            heard, question.privacy, question=question.id, since=group.since, until=group.until
        )  # fmt: skip
        # By itself, too: of those who were enough when it was told some may be erased since.
        if not (may or earlier) or not admit_groups([group], told=(), **crowd):
            return Chosen(question=question, shares=(), n=0, until=now, left_out=left_out)
        store.remember(session, [group], app=app, poll=ledger, now=now)
        counts = store.choice_counts(mine, since=group.since, until=group.until)
    counted = [each for each in counts if each.question == question.id]
    named: dict[str, int] = {}
    for each in counted:
        for choice in each.choices:
            named[choice] = named.get(choice, 0) + each.n
    n = sum(each.n for each in counted)
    shares = choice_shares(question, named, n)
    return Chosen(question=question, shares=shares, n=n, until=group.until, left_out=left_out)
