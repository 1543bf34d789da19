"""Randomized response: what a phone may answer, how likely it tells the truth, and the shares behind what it said.

A question with `privacy: {mechanism: k_rr, epsilon}` is answered by the phone with a coin, so that no answer that
reaches us is sure. A question with one answer draws among its k options: the true one with p = e^epsilon / (e^epsilon
+ k - 1), each other one with q = 1 / (e^epsilon + k - 1) (Kairouz, Bonawitz, Ramage 2016, arXiv:1602.07387). A
multiple choice draws in or out for each choice by itself, with epsilon shared evenly among the m choices (k = 2,
epsilon / m), so that all of it together keeps epsilon. Words are never sent with such an answer: "other" is a choice
like any, without its text. tests/vectors/k_rr.json has examples. Pure.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from feedback.questions import OTHER, Question, highest, lowest
from feedback.scores import Score, debiased_share, share

TWO: Final = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class ChoiceShare:
    """How many of those who answered a question gave this answer, with its 95 % interval."""

    choice: str
    label: str
    share: Score


def options(question: Question) -> tuple[str, ...]:
    """Return what can be answered, in the order in which phones draw: ids of choices, or numbers as text."""
    if question.choices:
        return (*(choice.id for choice in question.choices), *((OTHER,) if question.has_open_choice else ()))
    return tuple(str(number) for number in range(lowest(question), highest(question) + 1))


def draws(question: Question) -> tuple[int, float] | None:
    """Return over how many options, and with which epsilon, each draw is made; None if the answer is not randomized."""
    if question.privacy is None:
        return None
    if question.type == "multiple_choice":
        return TWO, question.privacy.epsilon / len(options(question))
    return len(options(question)), question.privacy.epsilon


def remembered_as(ledger: str, question: Question) -> str:
    """Return the ledger in which the gate remembers what was told of answers that were sent as the question asks now.

    What was told of answers sent otherwise is of other people: it must not vouch for these.
    """
    privacy = question.privacy
    return ledger if privacy is None else f"{ledger}/{privacy.mechanism}={privacy.epsilon!r}"


def choice_shares(question: Question, counts: Mapping[str, int], n: int) -> tuple[ChoiceShare, ...]:
    """Return the share of each option among `n` answers, debiased where phones randomized them.

    `counts` says in how many answers each option was named.
    """
    if n < 1:
        return ()
    labels = {choice.id: choice.label for choice in question.choices} | {OTHER: "Something else"}
    drawn = draws(question)
    found = []
    for option in options(question):
        hits = min(counts.get(option, 0), n)
        behind = share(hits, n) if drawn is None else debiased_share(hits, n, options=drawn[0], epsilon=drawn[1])
        found.append(ChoiceShare(choice=option, label=labels.get(option, option), share=behind))
    return tuple(found)
