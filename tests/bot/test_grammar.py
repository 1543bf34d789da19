"""One grammar, understood however it is typed."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot import grammar
from bot.grammar import Command, Unknown, parse
from bot.words import BY_NAME, NOUN_SYNONYMS, NOUNS
from core.errors import InvalidInputError


def understood(text: str) -> Command:
    command = parse(text)
    assert isinstance(command, Command), command
    return command


def test_nothing_typed_asks_for_help() -> None:
    assert understood("  ") == Command(noun="help", verb="show")


def test_reads_noun_verb_target_options_and_flags() -> None:
    command = understood('release start kws@1.4.0 to=5,25,100 where="platform=android and ram_gb<4" --dry-run')

    assert (command.noun, command.verb, command.target) == ("release", "start", "kws@1.4.0")
    assert command.options == {"to": "5,25,100", "where": "platform=android and ram_gb<4"}
    assert command.flags == {"dry-run"}
    assert command.is_change


def test_feedback_needs_no_verb() -> None:
    command = understood("feedback kws by=chipset since=7d")

    assert (command.verb, command.target, dict(command.options)) == ("report", "kws", {"by": "chipset", "since": "7d"})
    assert not command.is_change


@pytest.mark.parametrize(
    "typed",
    [
        "feedback kws where=“chipset=Helio G35”",
        "feedback kws where=„chipset=Helio G35“",
        "feedback kws where=«chipset=Helio G35»",
        "feedback kws where=‘chipset=Helio G35’",
        "feedback\u00a0kws where='chipset=Helio G35'",
    ],
)
def test_smart_quotes_are_quotes(typed: str) -> None:
    assert understood(typed).options == {"where": "chipset=Helio G35"}


@pytest.mark.parametrize("dash", ["--", "—", "–"])
def test_long_dashes_that_slack_makes_start_a_flag(dash: str) -> None:
    assert understood(f"poll stop P3 {dash}dry-run").flags == {"dry-run"}


def test_a_long_dash_inside_a_value_is_a_plain_one() -> None:
    assert understood('release halt R1 reason="Fri – Mon"').options == {"reason": "Fri - Mon"}


def test_what_slack_escaped_is_read_as_it_was_typed() -> None:
    command = understood('release start kws@1 guard="latency_p95&lt;+10% csat&gt;-5pt" where="a &amp; b"')

    assert command.options["guard"] == "latency_p95<+10% csat>-5pt"
    assert command.options["where"] == "a & b"


def test_mentions_and_links_become_ids_and_addresses() -> None:
    command = understood("role grant <@U0MIA|mia> approver in=<#C0GENERAL|general> see=<https://x.test/a|x>")

    assert command.target == "@U0MIA"
    assert command.words == ("approver",)
    assert command.options == {"in": "#C0GENERAL", "see": "https://x.test/a"}


@pytest.mark.parametrize(
    ("typed", "verb"),
    [("promote", "advance"), ("abort", "halt"), ("undo", "rollback"), ("accept", "approve"), ("deploy", "start")],
)
def test_other_tools_verbs_are_understood_and_answered_with_ours(typed: str, verb: str) -> None:
    command = understood(f"release {typed} R12")

    assert command.verb == verb
    assert command.notes == (f"{typed} is {verb} here",)


def test_other_tools_nouns_are_understood_too() -> None:
    command = understood("survey end P3")

    assert (command.noun, command.verb, command.target) == ("poll", "stop", "P3")
    assert command.notes == ("survey is poll here", "end is stop here")


def test_a_bare_id_shows_what_it_names() -> None:
    assert understood("r12") == Command(noun="release", verb="show", target="R12")
    assert understood("P3").noun == "poll"


def test_a_target_may_stand_before_its_verb() -> None:
    command = understood("release R12 halt")

    assert (command.verb, command.target) == ("halt", "R12")


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("rolout halt R12", "release halt R12"),
        ("feedbak kws by=chipset", "feedback kws by=chipset"),
        ("release rolback R12", "release rollback R12"),
        ('relase start kws@1 where="ram_gb<4 and os=x"', 'release start kws@1 where="ram_gb<4 and os=x"'),
        ("halt R12", "release halt R12"),
        ("pol lst", "poll list"),
        ("release bananas", "help release"),
    ],
)
def test_an_unknown_word_gets_the_whole_line_that_was_meant(typed: str, meant: str) -> None:
    answer = parse(typed)

    assert isinstance(answer, Unknown)
    assert answer.line == meant


def test_a_word_like_nothing_gets_no_guess() -> None:
    assert parse("xyzzy") == Unknown(word="xyzzy", line=None)


def test_an_open_quote_is_named() -> None:
    with pytest.raises(InvalidInputError, match="opened but not closed"):
        parse('feedback kws where="chipset=Helio')


def test_options_given_twice_are_all_named() -> None:
    with pytest.raises(InvalidInputError) as error:
        parse("feedback kws by=a by=b since=1d since=2d")

    assert [problem.path for problem in error.value.problems] == ["by", "since"]


def test_an_endless_line_is_refused() -> None:
    with pytest.raises(InvalidInputError, match="longer than"):
        parse("feedback " + "x" * 5_000)


def test_an_apostrophe_inside_a_word_is_no_quote() -> None:
    assert understood("""release halt R1 reason="it's hot" """).options == {"reason": "it's hot"}
    assert understood("glossary it's").target == "it's"


@given(st.text(min_size=1, max_size=60).filter(lambda value: value == grammar.plain(value)))
def test_a_quoted_value_is_read_back_as_it_was(value: str) -> None:
    assert understood(f"feedback kws where={grammar.quote(value)}").options == {"where": value}


@given(st.text(max_size=60))
def test_any_value_is_read_as_one_value(value: str) -> None:
    assert set(understood(f"feedback kws where={grammar.quote(value)} by=chipset").options) == {"where", "by"}


def test_smart_quotes_inside_a_value_end_nothing() -> None:
    assert understood(f"ticket open R1 reason={grammar.quote('it said “stop” – twice')}").options == {
        "reason": 'it said "stop" - twice'
    }


@given(st.text(max_size=120))
def test_no_line_breaks_the_grammar(text: str) -> None:
    with contextlib.suppress(InvalidInputError):
        parse(text)


@pytest.mark.parametrize("noun", NOUNS, ids=lambda noun: noun.name)
def test_the_words_agree_with_each_other(noun: object) -> None:
    ours = next(one for one in NOUNS if one is noun)

    assert ours.default in ours.verbs
    assert ours.bare is None or ours.bare in ours.verbs
    assert ours.changes <= set(ours.verbs)
    assert set(ours.synonyms.values()) <= set(ours.verbs)
    assert not set(ours.synonyms) & set(ours.verbs) - {"show", "list"}


def test_synonyms_of_nouns_name_nouns() -> None:
    assert set(NOUN_SYNONYMS.values()) <= set(BY_NAME)
    assert not set(NOUN_SYNONYMS) & set(BY_NAME)


@pytest.mark.parametrize(
    ("line", "action_id", "value"),
    [
        ("release halt R12", "release:halt", "R12"),
        ('feedback kws where="a=b c"', "feedback:report", 'kws where="a=b c"'),
        ("help", "help:show", ""),
        ("poll list", "poll:list", ""),
    ],
)
def test_a_click_means_the_line_it_was_made_from(line: str, action_id: str, value: str) -> None:
    assert grammar.click(understood(line)) == (action_id, value)

    clicked = grammar.clicked(f"{action_id}:2", value or grammar.NO_VALUE)

    assert clicked is not None
    assert understood(clicked) == understood(line)


@pytest.mark.parametrize("action_id", ["nonsense", "release:explode", "", "help"])
def test_a_click_that_is_none_of_ours_means_nothing(action_id: str) -> None:
    assert grammar.clicked(action_id, "R1") is None
