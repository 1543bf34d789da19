"""Polls: when they are open, what comes next, and whether answers fit.

The definition is in feedback/poll_definition.py, its JSON in feedback/poll_json.py, its file format in
feedback/poll_yaml.py, questions and answers in feedback/questions.py; other rooms import all of it from here. Pure.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Literal

from core.errors import ConflictError, Problem
from core.segments import suggestion
from feedback.poll_definition import END, Poll, Quota, Sampling
from feedback.poll_json import from_json, to_json
from feedback.poll_yaml import parse_yaml
from feedback.questions import SCORED, Answer, Privacy, Question, read_answer, tone

__all__ = [
    "END",
    "Answer",
    "Poll",
    "Privacy",
    "Question",
    "Quota",
    "Sampling",
    "check_answers",
    "find_question",
    "from_json",
    "is_open",
    "is_over",
    "iteration_start",
    "next_question",
    "parse_yaml",
    "primary_question",
    "read_answer",
    "revise",
    "standing",
    "start",
    "stop",
    "to_json",
]

Standing = Literal["draft", "scheduled", "running", "over", "stopped"]


def is_open(poll: Poll, now: datetime) -> bool:
    """Return whether phones may show the poll now."""
    if poll.status != "running" or (poll.start_date is not None and now < poll.start_date):
        return False
    return (poll.end_date is None or now < poll.end_date) and not is_over(poll, now)


def standing(poll: Poll, now: datetime) -> Standing:
    """Return the status as people see it: a running poll may be `scheduled` still, or `over`."""
    if poll.status != "running":
        return poll.status
    if poll.start_date is not None and now < poll.start_date:
        return "scheduled"
    return "running" if is_open(poll, now) else "over"


def iteration_start(poll: Poll, now: datetime) -> datetime | None:
    """Return when the running iteration began; None for a poll that asks once or has not started."""
    if poll.iterations is None or poll.start_date is None or now < poll.start_date:
        return None
    every = timedelta(days=poll.iterations.every_days)
    return poll.start_date + min((now - poll.start_date) // every, poll.iterations.count - 1) * every


def is_over(poll: Poll, now: datetime) -> bool:
    """Return whether the last iteration has ended."""
    if poll.iterations is None or poll.start_date is None:
        return False
    return now >= poll.start_date + poll.iterations.count * timedelta(days=poll.iterations.every_days)


def start(poll: Poll, now: datetime) -> Poll:
    """Return the poll running from now on (or from its later start date). A stopped one starts anew, without its end.

    Raises: ConflictError: it is running, or its end date has passed.
    """
    if poll.status == "running":
        raise ConflictError(f"{poll.name} is running already.")
    end = None if poll.status == "stopped" else poll.end_date
    if end is not None and end <= now:
        raise ConflictError(f"{poll.name} ended on {end:%Y-%m-%d}; give it a later end date")
    keeps_start = poll.status == "draft" and poll.start_date is not None
    return replace(poll, status="running", start_date=poll.start_date if keeps_start else now, end_date=end)


def stop(poll: Poll, now: datetime) -> Poll:
    """Return the poll stopped now. Raises: ConflictError: it is not running."""
    if poll.status != "running":
        raise ConflictError(f"{poll.name} is not running")
    return replace(poll, status="stopped", end_date=now)


def revise(before: Poll, after: Poll) -> Poll:
    """Return `after` as the next version of `before`, or `before` itself if they ask the same in the same way.

    The status stays that of `before`, as a new text must not start or stop a poll; so does the start date of one that
    was started, and the end date of one that was stopped. An end date that is new is kept: it stops the poll.
    """
    kept = replace(
        after,
        id=before.id,
        status=before.status,
        version=before.version,
        start_date=after.start_date if before.status == "draft" else before.start_date,
        end_date=before.end_date if before.status == "stopped" else after.end_date,
    )
    return before if kept == before else replace(kept, version=before.version + 1)


def primary_question(poll: Poll) -> Question:
    """Return the question a report is about: the first with a score, else the first."""
    return next((question for question in poll.questions if question.type in SCORED), poll.questions[0])


def find_question(poll: Poll, question_id: str) -> Question | None:
    """Return the question with this id, None if the poll has none."""
    return next((question for question in poll.questions if question.id == question_id), None)


def asks_for_corrections(poll: Poll) -> bool:
    return any(question.type == "correction" for question in poll.questions)


def next_question(poll: Poll, answer: Answer) -> str:
    """Return the id of the question after this answer, or "end". Choices win over tones, tones over "else"."""
    ids = [question.id for question in poll.questions]
    question = poll.questions[ids.index(answer.question)]
    for reason in (*answer.choices, tone(question, answer), "else"):
        if reason is not None and reason in question.branching:
            return question.branching[reason]
    following = ids.index(answer.question) + 1
    return ids[following] if following < len(ids) else END


def check_answers(poll: Poll, answers: Sequence[object]) -> tuple[Problem, ...]:
    """Return every mistake in the `answers` of one event (`[{"question", "value", …}, …]`), with its path.

    A missing answer is no mistake here: parts of a response may arrive in any order.
    """
    problems: list[Problem] = []
    seen: set[str] = set()
    for index, item in enumerate(answers):
        path = f"answers[{index}]"
        if not isinstance(item, Mapping) or "question" not in item or "value" not in item:
            problems.append(Problem(path, "must have question and value"))
            continue
        name = str(item["question"])
        question = find_question(poll, name)
        if question is None:
            near = suggestion(name, [known.id for known in poll.questions])
            problems.append(Problem(f"{path}.question", f"{poll.id} has no question {name[:40]!r}{near}"))
            continue
        if name in seen:
            problems.append(Problem(f"{path}.question", f"{name} is answered twice"))
        seen.add(name)
        problems.extend(_check_one(question, item, path))
    return tuple(problems)


def _check_one(question: Question, item: Mapping[str, object], path: str) -> list[Problem]:
    problems: list[Problem] = []
    answer = read_answer(question, item["value"])
    if isinstance(answer, str):
        problems.append(Problem(f"{path}.value", answer))
    wanted = (question.privacy.mechanism, question.privacy.epsilon) if question.privacy else (None, None)
    if (item.get("mechanism"), item.get("epsilon")) != wanted:
        asked = "{} with epsilon {:g}".format(*wanted) if question.privacy else "none, as the question asks for none"
        problems.append(Problem(f"{path}.mechanism", f"must be {asked}"))
    return problems
