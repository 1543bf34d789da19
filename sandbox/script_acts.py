"""Reads the acts and conditions of a scenario file, one mapping each; every mistake is noted with its path. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import timedelta

from core.errors import Problem
from feedback.reading import Fields
from sandbox.faults import SWITCHES
from sandbox.script import (
    PATIENCE_S,
    Act,
    AnswersOnce,
    Click,
    Condition,
    Deliver,
    DigestIs,
    Expect,
    JobIs,
    Live,
    NothingRefused,
    PushPoll,
    Register,
    ReleaseIs,
    RunningOn,
    Said,
    Say,
    SendAgain,
    Switch,
    Tickets,
)

MOST = 100_000


def read_act(path: str, item: object, problems: list[Problem]) -> Act | None:
    """Read one act of a step, `{say: {…}}` or a bare word such as `deliver`; mistakes are added to `problems`."""
    if isinstance(item, str):
        item = {item: {}}
    if not isinstance(item, Mapping) or len(item) != 1:
        problems.append(Problem(path, f"must be one act: {', '.join(ACTS)}"))
        return None
    name, value = str(next(iter(item))), next(iter(item.values()))
    reader = ACTS.get(name)
    if reader is None:
        problems.append(Problem(path, f"there is no act {name!r}; there are {', '.join(ACTS)}"))
        return None
    told = _inside(value, f"{path}.{name}", problems)
    act = reader(told)
    told.done()
    return act


def _live(told: Fields) -> Live:
    days, hours, to = told.number("days", 0, 366), told.number("hours", 0, 8784), told.moment("to")
    length = timedelta(days=days or 0, hours=hours or 0)
    if (length > timedelta(0)) == (to is not None):
        told.wrong("to", "say either how long (days, hours) or up to when (to)")
    until = told.inner("until")
    return Live(
        length=length if to is None else None,
        to=to,
        every=timedelta(hours=told.integer("every", 1, 8784) or 1),
        until=_condition(until) if until is not None else None,
        pause_s=told.number("pause_s", 0, 60) or 0.0,
    )


def _switch(told: Fields) -> Switch:
    values: dict[str, bool | int | float] = {}
    for name, value in told.items():
        if name not in SWITCHES:
            told.wrong(name, f"is no fault; there are {', '.join(SWITCHES)}")
        elif isinstance(value, bool | int | float):
            values[name] = value
        else:
            told.wrong(name, "must be true, false or a number")
    return Switch(faults=values)


def _expect(told: Fields) -> Expect | None:
    word = told.text("")
    if word is not None:
        told = Fields({word: {}}, told.path, told.problems)
    within_s = told.number("within_s", 0, 600)
    condition = _condition(told)
    return Expect(condition=condition, within_s=PATIENCE_S if within_s is None else within_s) if condition else None


def _condition(told: Fields) -> Condition | None:
    """Read the one condition among the fields of a mapping."""
    found = [name for name in CONDITIONS if told.raw(name) is not None]
    if len(found) != 1:
        told.wrong("", f"must be one condition: {', '.join(CONDITIONS)}")
        return None
    value = told.raw(found[0])
    inner = _inside(value, told.at(found[0]), told.problems)
    condition = CONDITIONS[found[0]](inner)
    inner.done()
    return condition


def _running(told: Fields) -> RunningOn:
    return RunningOn(
        version=told.needed_text("version"),
        at_least=told.integer("at_least", 0, MOST) or 0,
        at_most=told.integer("at_most", 0, MOST),
    )


def _said(told: Fields) -> Said:
    return Said(
        place=told.needed_text("in"),
        words=told.needed_text("words", longest=1000),
        to=told.text("to"),
        times=told.integer("times", 0, 1000),
    )


ACTS: Mapping[str, Callable[[Fields], Act | None]] = {
    "live": _live,
    "say": lambda told: Say(
        who=told.needed_text("as"), place=told.needed_text("in"), text=told.needed_text("text", longest=4000)
    ),
    "click": lambda told: Click(
        who=told.needed_text("as"), place=told.needed_text("in"), button=told.needed_text("button")
    ),
    "switch": _switch,
    "send_again": lambda told: SendAgain(phones=told.needed_integer("phones", 1, MOST)),
    "deliver": lambda _: Deliver(),
    "register": lambda told: Register(version=told.needed_text("")),
    "push_poll": lambda _: PushPoll(),
    "expect": _expect,
}
CONDITIONS: Mapping[str, Callable[[Fields], Condition]] = {
    "said": _said,
    "release": lambda told: ReleaseIs(state=told.needed_text("state"), percent=told.number("percent", 0, 100)),
    "job": lambda told: JobIs(state=told.needed_text("")),
    "tickets": lambda told: Tickets(count=told.needed_integer("", 0, 1000)),
    "answers_once": lambda _: AnswersOnce(),
    "nothing_refused": lambda _: NothingRefused(),
    "running": _running,
    "digest": lambda told: DigestIs(
        week=told.needed_text("week"),
        posts=told.needed_integer("posts", 0, 1000),
        pages=told.integer("pages", 0, 1000),
        mails=told.integer("mails", 0, 1000),
    ),
}


def _inside(value: object, path: str, problems: list[Problem]) -> Fields:
    """Return the fields of a mapping; any other value becomes the one field without a name."""
    return Fields(value if isinstance(value, Mapping) else {"": value}, path, problems)
