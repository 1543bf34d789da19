"""Other systems hear of what happens here: signed, once for each thing, through outages."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any

import flask
import pytest
import sqlalchemy as sa
import standardwebhooks
from click.testing import CliRunner, Result
from werkzeug.serving import make_server

from bot import doctor, webhooks
from bot.cli import main
from bot.context import Context
from bot.flows import housekeeping
from bot.flows.webhooks import deliver_webhook, spread, wait_after
from bot.webhooks import Webhook
from core import audit, engine, standard_webhooks
from core.db import Databases
from core.errors import ConflictError, NotFoundError, UpstreamError
from core.settings import Settings
from tests.builders import T0, ManualClock
from tests.conftest import JobList
from tests.serving import Silent

SECRET = standard_webhooks.new_secret()
JOBS = {"deliver_webhook": deliver_webhook}


@dataclass(slots=True)
class Receiver:
    """The other side: what it heard, and what it answers next."""

    url: str = ""
    heard: list[tuple[Any, bytes]] = field(default_factory=list)
    answers: list[int] = field(default_factory=list)


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    told = Receiver()
    app = flask.Flask("receiver")

    @app.post("/hook")
    def hook() -> tuple[str, int, dict[str, str]]:
        told.heard.append((flask.request.headers, flask.request.get_data()))
        status = told.answers.pop(0) if told.answers else 204
        return (
            "",
            status,
            {302: {"Location": "https://elsewhere.example.com"}, 429: {"Retry-After": "7200"}}.get(status, {}),
        )

    server = make_server("127.0.0.1", 0, app, threaded=True, request_handler=Silent)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    told.url = f"http://127.0.0.1:{server.server_port}/hook"
    yield told
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def here(ctx: Context) -> Context:
    return replace(ctx, settings=replace(ctx.settings, webhook_private=True))


def add(ctx: Context, url: str, *events: str) -> Webhook:
    with ctx.databases.control.begin() as session:
        key = ctx.settings.secret_key
        return webhooks.add(session, url=url, events=events or ("release.*",), secret=SECRET, key=key, by="Tom", now=T0)


def happen(ctx: Context, *kinds: str) -> None:
    with ctx.databases.control.begin() as session:
        for kind in kinds:
            audit.record(session, who="U0MIA", what=kind, subject="rel_1", now=ctx.clock(), facts={"model": "kws"})


def state_of(ctx: Context, message: str) -> tuple[str, int]:
    with ctx.databases.control() as session:
        found = webhooks.find_message(session, message)
        assert found is not None
        return found.state, found.attempts


def give_up_on(ctx: Context, hook: Webhook, many: int) -> list[str]:
    """Return the ids of messages of this webhook that were given up on."""
    happen(ctx, *["release.advanced"] * many)
    with ctx.databases.control.begin() as session:
        (asked,) = (each for each in webhooks.list_webhooks(session) if each.id == hook.id)
        made = webhooks.put_messages(session, asked, now=ctx.clock())
        for message in made:
            webhooks.note(session, message, state="dead", error="HTTP 500", now=ctx.clock())
    return made


def shell(settings: Settings, *command: str) -> str:
    return invoke(settings, *command).output


def invoke(settings: Settings, *command: str) -> Result:
    env = {
        "MUSTER_SECRET_KEY": settings.secret_key.decode(), "MUSTER_HASH_KEY": settings.hash_key.decode(),
        "MUSTER_DATABASE_URL": settings.database_url, "MUSTER_INGEST_URL": settings.ingest_database_url,
    }  # fmt: skip
    return CliRunner().invoke(main, ["webhook", *command], env=env)


def told_by_doctor(ctx: Context, about: str) -> list[str]:
    engine.migrate(ctx.settings)
    engine.attach(ctx.databases, ctx.settings)
    return [each.sentence for each in doctor.examine(ctx, live=False) if about in each.sentence]


def test_a_release_that_moves_is_told_signed(here: Context, receiver: Receiver, jobs: JobList) -> None:
    add(here, receiver.url)
    happen(here, "release.advanced")

    spread(here)
    jobs.run(here, JOBS)

    ((headers, body),) = receiver.heard
    assert standard_webhooks.verify(SECRET, headers, body, now=T0).startswith("msg_")
    assert flask.json.loads(body) == {
        "type": "release.advanced", "timestamp": "2026-11-16T09:00:00Z",
        "data": {"subject": "rel_1", "by": "U0MIA", "model": "kws"},
    }  # fmt: skip


def test_the_library_of_standard_webhooks_accepts_our_signature(
    here: Context, receiver: Receiver, jobs: JobList
) -> None:
    add(here, receiver.url)
    happen(here, "release.advanced")
    spread(here)
    jobs.run(here, JOBS)
    ((headers, body),) = receiver.heard

    theirs = standardwebhooks.Webhook(SECRET).sign(headers["webhook-id"], T0, body.decode())

    assert headers["webhook-signature"] == theirs


def test_only_what_was_asked_for_and_only_from_then_on_is_told(
    here: Context, receiver: Receiver, jobs: JobList
) -> None:
    happen(here, "release.started")
    add(here, receiver.url, "release.halted", "ticket.*")
    happen(here, "release.advanced", "release.halted", "ticket.opened", "role.grant")

    spread(here)
    jobs.run(here, JOBS)

    assert [flask.json.loads(body)["type"] for _, body in receiver.heard] == ["release.halted", "ticket.opened"]


def test_looking_twice_tells_once(here: Context, receiver: Receiver, jobs: JobList) -> None:
    add(here, receiver.url)
    happen(here, "release.advanced")

    spread(here)
    spread(here)
    jobs.run(here, JOBS)
    spread(here)
    jobs.run(here, JOBS)

    assert len(receiver.heard) == 1


@pytest.mark.parametrize("status", [500, 503, 429, 404, 302])
def test_a_refusal_is_tried_again_under_the_same_id(
    here: Context, receiver: Receiver, jobs: JobList, status: int
) -> None:
    receiver.answers = [status]
    add(here, receiver.url)
    happen(here, "release.advanced")
    spread(here)

    jobs.run(here, JOBS)
    jobs.run(here, JOBS)

    first, second = (headers["webhook-id"] for headers, _ in receiver.heard)
    assert first == second
    assert state_of(here, first) == ("delivered", 2)


def test_after_three_days_a_message_is_given_up_on_and_on_view(
    here: Context, receiver: Receiver, jobs: JobList, clock: ManualClock
) -> None:
    receiver.answers = [500, 500, 500]
    add(here, receiver.url)
    happen(here, "release.advanced")
    spread(here)
    jobs.run(here, JOBS)
    (job,) = jobs.waiting
    clock.advance(days=3)

    jobs.run(here, JOBS)

    assert state_of(here, job.ids["message"]) == ("dead", 2)
    assert jobs.waiting == []
    assert told_by_doctor(here, "given up") == [
        "1 webhook messages were given up on; `muster webhook dead` shows them."
    ]


def test_an_address_that_is_gone_is_not_asked_again(here: Context, receiver: Receiver, jobs: JobList) -> None:
    receiver.answers = [410]
    add(here, receiver.url)
    happen(here, "release.advanced")
    spread(here)

    jobs.run(here, JOBS)

    assert state_of(here, receiver.heard[0][0]["webhook-id"]) == ("dead", 1)


def test_a_410_ends_the_webhook_and_gives_up_on_what_waits_for_it(
    here: Context, receiver: Receiver, jobs: JobList
) -> None:
    receiver.answers = [410]
    hook = add(here, receiver.url)
    happen(here, "release.advanced", "release.advanced")
    spread(here)
    second = jobs.waiting[1].ids["message"]

    jobs.run(here, JOBS)
    happen(here, "release.halted")
    spread(here)

    assert (len(receiver.heard), jobs.waiting) == (1, [])
    assert state_of(here, second) == ("dead", 0)
    assert told_by_doctor(here, "said 410") == [
        f"{hook.id} is told nothing more, its address said 410: `muster webhook resume {hook.id}`, or `remove`."
    ]
    with here.databases.control() as session:
        (entry,) = audit.entries(session, subject=hook.id)
    assert (entry.what, entry.who) == ("webhook.ended", "muster")


def test_a_webhook_that_ended_while_another_message_failed_is_not_called_again(
    here: Context, receiver: Receiver, jobs: JobList
) -> None:
    hook = add(here, receiver.url)
    happen(here, "release.advanced")
    spread(here)
    (job,) = jobs.waiting
    with here.databases.control.begin() as session:
        webhooks.end(session, hook.id, now=T0)
        webhooks.note(session, job.ids["message"], state="waiting", error="HTTP 500", now=T0)

    jobs.run(here, JOBS)

    assert (receiver.heard, state_of(here, job.ids["message"])) == ([], ("dead", 2))


def test_a_webhook_that_goes_on_is_told_what_happens_from_then_on(
    here: Context, receiver: Receiver, jobs: JobList
) -> None:
    receiver.answers = [410]
    hook = add(here, receiver.url)
    happen(here, "release.advanced")
    spread(here)
    jobs.run(here, JOBS)
    happen(here, "release.halted")

    with here.databases.control.begin() as session:
        webhooks.resume(session, hook.id)
    happen(here, "release.resumed")
    spread(here)
    jobs.run(here, JOBS)

    assert [flask.json.loads(body)["type"] for _, body in receiver.heard] == ["release.advanced", "release.resumed"]
    with here.databases.control.begin() as session, pytest.raises(ConflictError, match="has not ended"):
        webhooks.resume(session, hook.id)


def test_a_message_that_was_given_up_on_can_be_sent_again(here: Context, receiver: Receiver, jobs: JobList) -> None:
    hook = add(here, receiver.url)
    message, other = give_up_on(here, hook, 2)

    with here.databases.control.begin() as session:
        webhooks.revive(session, message, now=T0)
    deliver_webhook(here, message)

    assert state_of(here, message) == ("delivered", 1)
    assert state_of(here, other)[0] == "dead"


def test_all_messages_of_a_webhook_can_be_sent_again_or_dismissed(here: Context) -> None:
    hook, quiet = add(here, "https://ci.example.com/"), add(here, "https://cd.example.com/")
    messages, others = give_up_on(here, hook, 3), give_up_on(here, quiet, 2)

    with here.databases.control.begin() as session:
        revived = webhooks.revive(session, hook.id, now=T0)
        gone = webhooks.dismiss(session, quiet.id)

        assert {each.id for each in revived} == set(messages)
        assert (gone, webhooks.counts(session)) == (len(others), {hook.id: {"waiting": 3}})
        with pytest.raises(NotFoundError, match="was given up on"):
            webhooks.dismiss(session, hook.id)


def test_nothing_is_sent_again_to_a_webhook_that_has_ended(here: Context) -> None:
    hook = add(here, "https://ci.example.com/")
    (message,) = give_up_on(here, hook, 1)

    with here.databases.control.begin() as session:
        webhooks.end(session, hook.id, now=T0)
        with pytest.raises(ConflictError, match=f"`muster webhook resume {hook.id}` comes first"):
            webhooks.revive(session, message, now=T0)


def test_doctor_counts_all_that_was_given_up_on_until_it_is_forgotten_after_ninety_days(
    here: Context, clock: ManualClock
) -> None:
    give_up_on(here, add(here, "https://ci.example.com/"), 60)

    clock.advance(days=90)
    told = told_by_doctor(here, "given up")
    housekeeping.run(here)
    assert told_by_doctor(here, "given up") == told
    clock.advance(seconds=1)
    housekeeping.run(here)

    assert told == ["60 webhook messages were given up on; `muster webhook dead` shows them."]
    assert told_by_doctor(here, "given up") == []


def test_the_waits_grow_over_three_days(here: Context, receiver: Receiver, jobs: JobList, clock: ManualClock) -> None:
    receiver.answers = [500] * 20
    add(here, receiver.url)
    happen(here, "release.advanced")
    spread(here)
    (job,) = jobs.waiting
    waits_s: list[float] = []

    while state_of(here, job.ids["message"])[0] == "waiting":
        try:
            deliver_webhook(here, **job.ids)
        except UpstreamError as later:
            waits_s.append(engine.wait_before(len(waits_s) + 2, cap_s=300, asked_s=later.retry_after_s or 0))
            clock.advance(seconds=waits_s[-1])

    assert len(receiver.heard) == len(waits_s) + 1 == 10
    assert waits_s == sorted(waits_s)
    assert 5 <= waits_s[0] <= 6
    assert 3 <= sum(waits_s) / 86_400 <= 4


def test_two_messages_that_failed_together_do_not_come_back_together() -> None:
    assert wait_after(3, "msg_a") != wait_after(3, "msg_b")


def test_the_other_side_may_ask_for_a_longer_wait(here: Context, receiver: Receiver, jobs: JobList) -> None:
    receiver.answers = [429]
    add(here, receiver.url)
    happen(here, "release.advanced")
    spread(here)
    (job,) = jobs.waiting

    with pytest.raises(UpstreamError) as busy:
        deliver_webhook(here, **job.ids)

    assert busy.value.retry_after_s == 7200


def test_a_message_whose_job_was_lost_is_given_up_on(here: Context, jobs: JobList, clock: ManualClock) -> None:
    add(here, "https://ci.example.com/")
    happen(here, "release.advanced")
    spread(here)
    (job,) = jobs.waiting
    jobs.waiting.clear()
    engine.migrate(here.settings)
    engine.attach(here.databases, here.settings)

    clock.advance(days=4)
    housekeeping.run(here)
    assert state_of(here, job.ids["message"]) == ("waiting", 0)
    clock.advance(days=1, seconds=1)
    housekeeping.run(here)

    assert state_of(here, job.ids["message"]) == ("dead", 0)


def test_a_mistyped_address_of_before_is_given_up_on(here: Context, jobs: JobList) -> None:
    add(here, "https://ci..example.com/a")
    happen(here, "release.advanced")
    spread(here)
    (job,) = jobs.waiting

    jobs.run(here, JOBS)

    assert state_of(here, job.ids["message"]) == ("dead", 1)


def test_a_delivery_that_runs_twice_sends_nothing_more(here: Context, receiver: Receiver, jobs: JobList) -> None:
    add(here, receiver.url)
    happen(here, "release.advanced")
    spread(here)
    jobs.run(here, JOBS)

    deliver_webhook(here, receiver.heard[0][0]["webhook-id"])

    assert len(receiver.heard) == 1


def test_what_waits_for_a_removed_webhook_is_let_go(here: Context, receiver: Receiver, jobs: JobList) -> None:
    webhook = add(here, receiver.url)
    happen(here, "release.advanced")
    spread(here)

    with here.databases.control.begin() as session:
        webhooks.remove(session, webhook.id)
    jobs.run(here, JOBS)

    assert (receiver.heard, jobs.failed) == ([], [])


def test_secrets_are_sealed_where_they_lie(here: Context, receiver: Receiver) -> None:
    add(here, receiver.url)

    with here.databases.control() as session:
        stored = session.scalars(sa.select(webhooks.WebhookRow.sealed)).one()

    assert SECRET.removeprefix("whsec_") not in stored


def test_the_command_line_adds_lists_and_removes(settings: Settings, databases: Databases) -> None:
    engine.migrate(settings)

    def muster(*command: str) -> str:
        return shell(settings, *command)

    for wrong in ("https://[::1", "https://ci..example.com/a", "https://localhost/", "http://ci.example.com"):
        refused = invoke(settings, "add", wrong)
        assert (refused.exit_code, refused.output.count("\n")) == (2, 1), refused.output
    made = muster("add", "https://ci.example.com/muster", "--events", "release.*")
    name, secret = made.split()

    assert secret.startswith("whsec_")
    assert "0 delivered, 0 waiting, 0 dead" in muster("list")
    assert secret not in muster("list")
    assert "must be an https:// address" in muster("add", "http://ci.example.com")
    assert f"{name} has not ended" in muster("resume", name)
    assert "is removed" in muster("remove", name)
    assert "There is no webhook" in muster("remove", name)
    assert "Nothing of msg_x was given up on" in muster("send-again", "msg_x")
    assert "Nothing of msg_x was given up on" in muster("dismiss", "msg_x")


@pytest.mark.parametrize(
    ("events", "told"),
    [
        ("", "--events: must name a kind of entry, such as release.*"),
        (" , ", "--events: must name a kind of entry, such as release.*"),
        ("relese.halted", "--events: 'relese.halted' fits no kind of entry, did you mean release.halted?"),
        ("bogus.*,release.*", "--events: 'bogus.*' fits no kind of entry; docs/operating.md lists them"),
    ],
)
def test_what_would_never_be_told_is_refused(settings: Settings, events: str, told: str) -> None:
    engine.migrate(settings)

    refused = invoke(settings, "add", "https://ci.example.com/", "--events", events)

    assert (refused.exit_code, refused.output.count("\n")) == (2, 1)
    assert told in refused.output
    assert shell(settings, "list") == ""


def test_the_command_line_shows_sends_again_and_dismisses_what_was_given_up_on(here: Context) -> None:
    engine.migrate(here.settings)
    hook = add(here, "https://ci.example.com/")
    messages = give_up_on(here, hook, 53)

    shown = shell(here.settings, "dead").splitlines()
    again = shell(here.settings, "send-again", messages[0])
    dismissed = shell(here.settings, "dismiss", messages[1]), shell(here.settings, "dismiss", hook.id)

    assert (len(shown), shown[-1]) == (51, "and 3 more")
    assert re.search(r"release.advanced rel_1  \d+ days old  1 attempts, the last: HTTP 500", shown[0])
    assert again == f"{messages[0]} is in line again.\n"
    assert dismissed == ("1 message is forgotten.\n", "51 messages are forgotten.\n")
    assert state_of(here, messages[0]) == ("waiting", 0)


def test_nothing_is_put_in_line_when_nobody_asked(here: Context, jobs: JobList) -> None:
    happen(here, "release.advanced")

    spread(here)

    assert jobs.waiting == []
