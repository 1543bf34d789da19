"""The modals that forms are: creating a poll, making a message a regression. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from bot import poll_form, regression_form
from bot.views.blocks import Block, section
from bot.views.modals import modal, select, text_input

QUESTION = 300
NAME = 100


def poll_create(prefill: Mapping[str, str], metadata: str) -> Block:
    given = {name: prefill.get(name, "") for name in poll_form.FIELDS}
    blocks = [
        section("A poll starts as a draft. `poll start` lets phones show it."),
        text_input("name", "Name", initial=given["name"], placeholder="Did it hear you right?", max_length=NAME),
        text_input("model", "Model", initial=given["model"], placeholder="kws", max_length=64),
        select("type", "How people answer", list(poll_form.TYPES.items()), initial=given["type"] or "csat"),
        text_input("question", "Question", initial=given["question"], max_length=QUESTION),
        text_input(
            "choices",
            poll_form.WHY,
            initial=given["choices"],
            hint="One answer a line. Leave it empty to ask nothing of the kind.",
            multiline=True,
            optional=True,
            max_length=2_000,
        ),
        text_input(
            "open",
            "Last question, answered in words",
            initial=given["open"],
            placeholder="Anything else?",
            optional=True,
            max_length=QUESTION,
        ),
        text_input("percent", "Percent of phones that are asked", initial=given["percent"] or "5", max_length=8),
        text_input(
            "where",
            "Only these devices",
            initial=given["where"],
            placeholder="platform=android and ram_gb<4",
            optional=True,
            max_length=500,
        ),
    ]
    return modal("poll_create", "New poll", blocks, submit="Create draft", metadata=metadata)


def make_regression(prefill: Mapping[str, str], metadata: str) -> Block:
    metric = prefill.get("metric", "")
    blocks = [
        section("Opens one Jira ticket for this regression; if there is one already, it is that one."),
        text_input(
            "target",
            "Release, or model and version",
            initial=prefill.get("target", ""),
            placeholder="R12 or kws@1.4.0",
            max_length=100,
        ),
        select("metric", "What got worse", list(regression_form.METRICS.items()), initial=metric or "csat"),
        text_input(
            "where",
            "On which devices",
            initial=prefill.get("where", ""),
            placeholder='chipset="Helio G35" and accelerator=nnapi',
            optional=True,
            max_length=500,
        ),
        text_input("reason", "What is wrong", initial=prefill.get("reason", ""), multiline=True, max_length=1_000),
    ]
    return modal("make_regression", "Make this a regression", blocks, submit="Open ticket", metadata=metadata)
