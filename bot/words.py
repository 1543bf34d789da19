"""The words of the command grammar: nouns, their verbs, and what other tools call the same thing. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, kw_only=True)
class Noun:
    """`default` is the verb when nothing follows; `bare` the verb when what follows is no verb but a target,
    None when that is a mistake; `synonyms` map other people's verbs to ours; `changes` are the verbs that change."""

    name: str
    verbs: tuple[str, ...]
    default: str
    summary: str
    bare: str | None = None
    synonyms: Mapping[str, str] = field(default_factory=dict)
    changes: frozenset[str] = frozenset()


RELEASE_SYNONYMS = {
    "promote": "advance", "continue": "advance", "next": "advance", "abort": "halt", "stop": "halt",
    "undo": "rollback", "revert": "rollback", "back": "rollback", "unpause": "resume", "deploy": "start",
    "ship": "start", "launch": "start", "create": "start", "new": "start", "propose": "start",
    "status": "show", "get": "show", "limit": "throttle", "lift": "unthrottle", "freezes": "freeze",
    "accept": "approve", "ok": "approve", "decline": "reject", "deny": "reject", "ls": "list", "explain": "show",
}  # fmt: skip
RELEASE_VERBS = (
    "list", "show", "start", "approve", "reject", "advance", "pause", "resume", "halt", "keep", "rollback", "kill",
    "cancel", "compare", "decide", "freeze", "throttle", "unthrottle",
)  # fmt: skip
LISTING = {"ls": "list", "all": "list", "get": "show", "view": "show", "describe": "show"}

POLL_SYNONYMS = {
    **LISTING, "new": "create", "add": "create", "end": "stop", "close": "stop", "pause": "stop",
    "launch": "start", "run": "start", "resume": "start", "why": "explain",
}  # fmt: skip

NOUNS: tuple[Noun, ...] = (
    Noun(
        name="help",
        verbs=("show",),
        default="show",
        bare="show",
        summary="what I understand, or one topic of it",
    ),
    Noun(name="whoami", verbs=("show",), default="show", summary="who you are to me and what you may do"),
    Noun(name="doctor", verbs=("check",), default="check", summary="what is set up and what is missing"),
    Noun(
        name="status",
        verbs=("show",),
        default="show",
        bare="show",
        summary="what is going on: releases and polls",
    ),
    Noun(
        name="model",
        verbs=("list", "show", "compare", "register", "optimize"),
        default="list",
        bare="show",
        synonyms={
            **LISTING,
            "diff": "compare",
            "vs": "compare",
            "upload": "register",
            "add": "register",
            "optimise": "optimize",
            "compress": "optimize",
            "shrink": "optimize",
            "quantize": "optimize",
        },
        changes=frozenset({"register", "optimize"}),
        summary="the models and their artifacts; makes them smaller and faster, with proof",
    ),
    Noun(
        name="job",
        verbs=("list", "show", "cancel", "register"),
        default="list",
        synonyms={
            **LISTING,
            "stop": "cancel",
            "abort": "cancel",
            "kill": "cancel",
            "status": "show",
            "keep": "register",
        },
        changes=frozenset({"cancel", "register"}),
        summary="how far an optimization is, and its report card",
    ),
    Noun(
        name="release",
        verbs=RELEASE_VERBS,
        default="list",
        synonyms=RELEASE_SYNONYMS,
        changes=frozenset(RELEASE_VERBS) - {"list", "show"},
        summary="bring a new version of a model to phones step by step, and back",
    ),
    Noun(
        name="feedback",
        verbs=("report", "quotes", "compare", "themes", "priorities", "label", "ticket"),
        default="report",
        bare="report",
        synonyms={
            "show": "report",
            "verbatims": "quotes",
            "comments": "quotes",
            "versions": "compare",
            "topics": "themes",
        },
        changes=frozenset({"label", "ticket"}),
        summary="what people say about a model, by cohort and theme",
    ),
    Noun(
        name="poll",
        verbs=("list", "show", "preview", "create", "start", "stop", "explain"),
        default="list",
        synonyms=POLL_SYNONYMS,
        changes=frozenset({"create", "start", "stop"}),
        summary="short questionnaires that phones show",
    ),
    Noun(
        name="ticket",
        verbs=("list", "show", "open", "link", "mute", "owner"),
        default="list",
        synonyms={**LISTING, "create": "open", "new": "open", "file": "open", "silence": "mute", "snooze": "mute"},
        changes=frozenset({"open", "link", "mute", "owner"}),
        summary="the Jira issue of a regression",
    ),
    Noun(
        name="regression",
        verbs=("list", "show"),
        default="list",
        bare="list",
        synonyms={"ls": "list", "all": "list", "get": "show", "explain": "show", "why": "show"},
        summary="which cohorts got worse, and how sure that is",
    ),
    Noun(
        name="drift",
        verbs=("show", "goal", "trained"),
        default="show",
        bare="show",
        synonyms={"list": "show", "stale": "show", "age": "show", "data": "trained"},
        changes=frozenset({"goal", "trained"}),
        summary="whether the world has moved on from what a model was made for",
    ),
    Noun(
        name="digest",
        verbs=("preview", "show", "now", "schedule", "goal", "budget"),
        default="preview",
        synonyms={
            "post": "now",
            "send": "now",
            "plan": "schedule",
            "goals": "goal",
            "kpi": "goal",
            "epsilon": "budget",
            "ledger": "budget",
        },
        changes=frozenset({"now", "schedule", "goal"}),
        summary="the week in one page",
    ),
    Noun(
        name="subscribe",
        verbs=("list", "add"),
        default="list",
        bare="add",
        synonyms={"ls": "list", "show": "list"},
        changes=frozenset({"add"}),
        summary="let this channel hear of a model's releases, regressions and digests",
    ),
    Noun(
        name="unsubscribe",
        verbs=("remove",),
        default="remove",
        bare="remove",
        changes=frozenset({"remove"}),
        summary="let this channel hear no more of it",
    ),
    Noun(
        name="undo",
        verbs=("last",),
        default="last",
        bare="last",
        changes=frozenset({"last"}),
        summary="take back the last thing you changed, for ten minutes",
    ),
    Noun(
        name="role",
        verbs=("list", "grant", "revoke"),
        default="list",
        synonyms={"ls": "list", "show": "list", "add": "grant", "give": "grant", "remove": "revoke", "take": "revoke"},
        changes=frozenset({"grant", "revoke"}),
        summary="who may do what",
    ),
    Noun(
        name="audit",
        verbs=("show", "verify"),
        default="show",
        bare="show",
        synonyms={"log": "show", "list": "show", "check": "verify"},
        summary="who changed what and when",
    ),
    Noun(
        name="glossary",
        verbs=("show",),
        default="show",
        bare="show",
        summary="what a word means here",
    ),
)

BY_NAME: Mapping[str, Noun] = {noun.name: noun for noun in NOUNS}

NOUN_SYNONYMS: Mapping[str, str] = {
    "rollout": "release", "rollouts": "release", "releases": "release", "deploy": "release", "canary": "release",
    "survey": "poll", "surveys": "poll", "polls": "poll", "questionnaire": "poll",
    "report": "feedback", "answers": "feedback", "csat": "feedback", "fb": "feedback",
    "issue": "ticket", "issues": "ticket", "jira": "ticket", "tickets": "ticket",
    "roles": "role", "permission": "role", "permissions": "role", "access": "role",
    "models": "model", "artifact": "model", "artifacts": "model",
    "drifts": "drift", "staleness": "drift", "stale": "drift", "regressions": "regression", "worse": "regression",
    "week": "digest", "weekly": "digest", "history": "audit", "log": "audit",
    "me": "whoami", "who": "whoami", "commands": "help", "?": "help", "define": "glossary", "term": "glossary",
    "health": "doctor", "check": "doctor", "jobs": "job", "optimization": "job",
}  # fmt: skip

# A bare short id shows what it names.
ID_NOUNS: Mapping[str, str] = {"r": "release", "p": "poll", "j": "job"}
