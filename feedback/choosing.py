"""What people chose in a poll: the share of each choice, debiased where phones randomized, past the gate."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from core.db import Databases
from core.segments import EVERYONE
from feedback import store
from feedback.gate import Group, admit_groups, moments
from feedback.polls import Question
from feedback.questions import CHOOSING
from feedback.randomized import ChoiceShare, choice_shares
from feedback.store import StoredPoll

PERIOD: Final = timedelta(days=7)


@dataclass(frozen=True, slots=True, kw_only=True)
class Chosen:
    """What was chosen in the seven days before `until`; no `shares` where too few people have answered."""

    question: Question
    shares: tuple[ChoiceShare, ...]
    n: int
    until: datetime


def chosen(databases: Databases, poll: StoredPoll, *, app: str, minimum: int, now: datetime) -> tuple[Chosen, ...]:
    """Return what was chosen, question by question; as of when it was asked last where few have answered since."""
    asked = [question for question in poll.poll.questions if question.type in CHOOSING]
    return tuple(_chosen(databases, poll, question, app=app, minimum=minimum, now=now) for question in asked)


def _chosen(
    databases: Databases, poll: StoredPoll, question: Question, *, app: str, minimum: int, now: datetime
) -> Chosen:
    ledger = f"{poll.poll.id}/{question.id}"
    fresh = Group(since=now - PERIOD, until=now, where=EVERYONE)
    store.fresh(databases.ingest).close()
    with databases.ingest.begin() as session:
        store.lock_shown(session)
        told = store.told_groups(session, app=app, poll=ledger, since=fresh.since)
        ends = moments((), [fresh, *told])
        heard = store.heard(session, app=app, model=poll.model, poll=poll.poll.id, since=min(ends), until=now)
        answers, devices = store.who_answered(heard, moments=ends, question=question.id)
        may = admit_groups([fresh], told=told, answers=answers, devices=devices, minimum=minimum)
        earlier = [group for group in told if group.until > now - PERIOD]
        group = fresh if may else max(earlier, key=lambda each: each.until, default=None)
        if group is None:
            return Chosen(question=question, shares=(), n=0, until=now)
        store.remember(session, [group], app=app, poll=ledger, now=now)
        counts = store.choice_counts(heard, since=group.since, until=group.until)
    wanted = (question.privacy.mechanism, question.privacy.epsilon) if question.privacy else (None, None)
    mine = [each for each in counts if each.question == question.id and (each.mechanism, each.epsilon) == wanted]
    named: dict[str, int] = {}
    for each in mine:
        for choice in each.choices:
            named[choice] = named.get(choice, 0) + each.n
    n = sum(each.n for each in mine)
    return Chosen(question=question, shares=choice_shares(question, named, n), n=n, until=group.until)
