"""Every reading command answers with something Slack takes, and every failure in words with an id."""

from __future__ import annotations

import logging
import re

import pytest
import sqlalchemy as sa

from bot import overview
from bot.answer import Person, handle
from bot.commands.help import EXAMPLES
from bot.context import Context
from bot.views import help as help_view
from bot.views import home as home_view
from bot.views.blocks import Message
from bot.words import BY_NAME, NOUNS
from core.db import Databases
from core.errors import ConflictError, InvalidInputError, NotFoundError, Problem, UpstreamError
from sandbox.world import World
from tests.bot.releases_made import Floor, words
from tests.bot.slack_rules import accepted, accepted_view
from tests.bot.workspace import DANA, MIA, PAM, TOM
from tests.builders import ManualClock
from tests.conftest import JobList
from tests.feedback.sending import a_running_poll


@pytest.fixture
def floor(ctx: Context, world: World, jobs: JobList, clock: ManualClock, databases: Databases) -> Floor:
    """A release that runs and a poll that is open."""
    made = Floor(ctx=ctx, world=world, jobs=jobs, clock=clock)
    made.started()
    with databases.control.begin() as session:
        a_running_poll(session, name="Did <it> hear & you?")
    return made


def ask(ctx: Context, line: str, person: str = PAM) -> Message:
    message = handle(ctx, Person(person, "p"), line)
    accepted(message)
    return message


@pytest.mark.parametrize(
    "line",
    ["", "help", "whoami", "status", "status kws", "model", "model kws", "model kws@1.4.0", "release", "R1", "poll",
     "P1", "ticket", "role", "audit", "audit R1", "audit verify", "glossary", "glossary guardrail", "feedback kws",
     "model compare kws@1.3.2 kws@1.4.0", *(f"help {noun.name}" for noun in NOUNS)],
)  # fmt: skip
def test_reading_needs_no_role_and_answers_the_asker_alone(ctx: Context, floor: Floor, line: str) -> None:
    message = ask(ctx, line)

    assert not message.in_channel
    assert "error E-" not in str(message.blocks)


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("help relese", "Did you mean release?"),
        ("model show kwz", "did you mean 'kws'?"),
        ("model show kws@9.9.9", "there are 1.3.2, 1.4.0"),
        ("model compare kws@1.3.2", "needs two versions of one model"),
        ("glossary guardrial", "Did you mean Guardrail?"),
        ("audit R99", "no release R99"),
        ("role grant", "role grant @mia approver"),
        ("role grant @Dana boss", "must be one of operator, approver, admin"),
        ('status where="', "opened but not closed"),
    ],
)
def test_a_mistake_is_answered_with_what_to_do(ctx: Context, floor: Floor, line: str, told: str) -> None:
    message = ask(ctx, line, TOM)

    assert told.lower() in message.text.lower()
    assert re.search(r"error E-[0-9a-f]{6}", str(message.blocks))


def test_what_breaks_inside_is_told_without_its_insides_and_with_an_id_that_is_logged(
    ctx: Context, databases: Databases, caplog: pytest.LogCaptureFixture
) -> None:
    with databases.control.begin() as session:
        session.execute(sa.text("DROP TABLE grants"))

    with caplog.at_level(logging.ERROR):
        message = ask(ctx, "whoami")

    found = re.search(r"E-[0-9a-f]{6}", message.text)
    assert found is not None
    assert "no such table" not in str(message)
    assert "Traceback" not in str(message)
    assert [getattr(record, "error", "") for record in caplog.records] == [found[0]]


@pytest.mark.parametrize(
    "error",
    [
        InvalidInputError(*(Problem(f"stages[{n}]", "must be <b>") for n in range(30))),
        NotFoundError("There is no <!channel>."),
        ConflictError("x" * 5_000),
        UpstreamError("jira", "HTTP 503", permanent=False),
    ],
    ids=lambda error: type(error).__name__,
)
def test_any_refusal_is_something_slack_takes_and_pings_nobody(error: InvalidInputError) -> None:
    message = help_view.refused(error, "E-123456")

    accepted(message)
    assert "<!channel>" not in message.text
    if isinstance(error, InvalidInputError):
        assert "and 18 more" in message.text


def test_every_example_of_the_help_is_understood() -> None:
    from bot import grammar

    for noun, examples in EXAMPLES.items():
        for example in examples:
            understood = grammar.parse(example)
            assert isinstance(understood, grammar.Command), example
            assert understood.noun == noun
    assert set(EXAMPLES) == set(BY_NAME)


def test_somebody_with_nothing_going_on_has_a_home_too(ctx: Context, clock: ManualClock) -> None:
    accepted_view(home_view.home(overview.look(ctx, PAM), (), None, (), command="/muster", now=clock()))


def test_the_home_shows_releases_polls_and_rights(ctx: Context, floor: Floor, clock: ManualClock) -> None:
    view = home_view.home(overview.look(ctx, DANA), (), None, (), command="/muster", now=clock())

    accepted_view(view)
    assert "*R1* kws 1.3.2 → 1.4.0: progressing, 5 %" in str(view)
    assert "Did &lt;it&gt; hear &amp; you?" in str(view)
    assert "operator of every model" in str(view)


def test_the_glossary_knows_every_word_of_its_tables(ctx: Context) -> None:
    assert "a metric the candidate may not worsen" in ask(ctx, "glossary guardrail").text
    assert "promoters" in ask(ctx, "glossary nps").text
    assert "closed by the person" in ask(ctx, "glossary dismissed").text


@pytest.mark.parametrize(
    ("line", "mistakes"),
    [
        ('feedback kws since=7 where="chipsett=x" bogus=1', ("bogus=", "since", "chipset")),
        ("feedback quotes kws since=never limt=3", ("limt=", "since")),
        ("release start kws@9.9.9 to=5,3 bake=soon bogus=1", ("bogus=", "to", "bake", "kws@9.9.9")),
    ],
)
def test_an_option_that_is_not_known_hides_no_other_mistake(
    ctx: Context, floor: Floor, line: str, mistakes: tuple[str, ...]
) -> None:
    said = ask(ctx, line).text

    assert [mistake for mistake in mistakes if mistake not in said] == []


def test_a_topic_of_help_may_be_misspelled_or_somebody_elses_word(ctx: Context) -> None:
    assert "Did you mean release?" in ask(ctx, "help rolout").text
    assert ask(ctx, "help rollout").text.startswith("*release*")


def test_the_status_of_a_model_that_is_not_there_is_no_status(ctx: Context, floor: Floor) -> None:
    assert ask(ctx, "status nope").text.startswith("There is no model nope")
    assert ask(ctx, "status kws").text.startswith("1 release is open")


def test_an_approval_that_comes_late_is_told_who_gave_the_first(floor: Floor) -> None:
    said = floor.type(TOM, "release approve R1").text

    assert said.startswith(f"R1 is approved already, by <@{MIA}>.")


def test_what_cannot_be_done_now_is_said_of_the_release_by_its_name(floor: Floor) -> None:
    floor.type(DANA, "release rollback R1")

    said = floor.type(DANA, "release pause R1").text

    assert said.startswith("R1 is rolling back; it cannot be paused now. ")


def test_the_audit_log_speaks_of_releases_by_their_names(ctx: Context, floor: Floor) -> None:
    rows = next(block for block in ask(ctx, "audit R1").blocks if "rows" in block)["rows"][1:]

    assert {row[3]["text"] for row in rows} == {"R1"}
    assert not any("rel_" in row[4]["text"] for row in rows)


def test_the_audit_log_tells_the_cohorts_of_a_breach_in_words(ctx: Context, floor: Floor) -> None:
    floor.started()
    floor.clock.advance(minutes=20)
    floor.phones_report(crashing=0)
    floor.phones_report(crashing=0.4, on="Helio G35", installs=250)
    floor.tick()

    said = words(floor.type(TOM, "audit R1"))

    assert "metric=crash_rate" in said
    assert not any(sign in said for sign in ("{'", "['", "True", "0.4000000"))


def test_a_schedule_that_somebody_types_is_said_not_to_be_changed(ctx: Context) -> None:
    assert "Nothing was changed" in ask(ctx, "digest schedule mon 10:00 Europe/Berlin").text
