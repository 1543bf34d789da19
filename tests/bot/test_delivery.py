"""A digest comes to every target once: Slack, Confluence and mail, each for itself, whatever is down or killed."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import flask
import msgspec
import pytest
from sqlalchemy import event

from bot import digests, mail_stops, wiki_pages
from bot.context import Context
from bot.digests import KeptDigest
from bot.flows import delivery, wiki
from bot.flows import digest as flow
from bot.mail_stops import stop_url
from bot.mail_web import blueprint
from core.db import reading
from integrations.mail import MailClient
from sandbox.confluence import ConfluenceWorld
from sandbox.mail import MailWorld
from sandbox.smtp import SmtpServer
from sandbox.world import World
from tests.bot.digests_made import a_full_week
from tests.bot.ticket_worker import Killed
from tests.bot.workspace import RELEASES
from tests.builders import ManualClock
from tests.conftest import JobList
from tests.integrations.wire import a_confluence, a_wiki_client, a_wiki_wire

WEEK = "2026-W47"
WORK: dict[str, Callable[..., None]] = {
    "post_digest": flow.post_digest,
    "deliver_digest": delivery.deliver_digest,
    "put_page": wiki.put_page,
}


@dataclass(slots=True)
class Post:
    """A composed digest and all that it may be brought to."""

    ctx: Context
    world: World
    jobs: JobList
    mail: MailWorld
    confluence: ConfluenceWorld

    def keep(self) -> KeptDigest:
        content = msgspec.to_builtins(a_full_week())
        with self.ctx.databases.control.begin() as session:
            return digests.keep(session, app="demo", week=WEEK, content=content, now=self.ctx.clock())

    def hand_out(self) -> None:
        self.keep()
        flow.post_digest(self.ctx, WEEK)
        self.work()

    def work(self) -> None:
        self.jobs.run(self.ctx, WORK)

    def posted(self) -> int:
        messages = self.world.slack.workspace.messages()
        return sum(each.channel == RELEASES and each.is_from_app and WEEK in each.text for each in messages)

    def mailed(self) -> list[tuple[str, int]]:
        return [(mail.to, mail.times) for mail in self.mail.all()]


@pytest.fixture
def smtp(clock: ManualClock, world: World) -> Iterator[SmtpServer]:
    server = SmtpServer(MailWorld(world.faults, clock))
    yield server
    server.close()


@pytest.fixture
def post(ctx: Context, world: World, jobs: JobList, clock: ManualClock, smtp: SmtpServer) -> Post:
    confluence = a_confluence(clock)
    told = replace(ctx.settings, mail_to=("Pam@example.com", "tom@example.com", "pam@example.com"))
    mail = MailClient(host="127.0.0.1", port=smtp.port, sender="Muster <m@example.com>", security="none")
    whole = replace(ctx, settings=told, confluence=a_wiki_client(a_wiki_wire(confluence)), mail=mail)
    return Post(ctx=whole, world=world, jobs=jobs, mail=smtp.world, confluence=confluence)


def test_a_digest_reaches_slack_confluence_and_each_person_once(post: Post) -> None:
    post.hand_out()
    post.hand_out()

    assert post.posted() == 1
    assert post.mailed() == [("pam@example.com", 1), ("tom@example.com", 1)]
    assert [(page.title, page.version) for page in post.confluence.all()] == [("Muster week 2026-W47 – demo", 1)]


def test_one_target_that_is_down_keeps_no_other_from_it(post: Post) -> None:
    post.world.faults.set(slack_down=True, mail_down=True)
    post.hand_out()
    assert (post.posted(), post.mailed(), len(post.confluence.all())) == (0, [], 1)
    post.world.faults.set(slack_down=False)
    post.work()
    assert (post.posted(), post.mailed()) == (1, [])
    post.world.faults.set(mail_down=False)

    post.work()

    assert (post.posted(), len(post.mailed())) == (1, 2)


def test_a_mail_whose_answer_got_lost_comes_again_as_the_same_message(post: Post) -> None:
    post.world.faults.set(mail_lost=1)

    post.hand_out()
    post.work()

    assert sorted(post.mailed()) == [("pam@example.com", 2), ("tom@example.com", 1)]


def test_an_address_that_is_refused_for_good_keeps_no_other_from_it(post: Post) -> None:
    post.ctx = replace(post.ctx, settings=replace(post.ctx.settings, mail_to=("nobody@example.com", "tom@example.com")))

    post.hand_out()

    assert post.mailed() == [("tom@example.com", 1)]
    assert [job.ids["target"] for job, _ in post.jobs.failed] == ["mail:nobody@example.com"]


def test_who_ended_it_gets_none_even_if_it_was_under_way(post: Post) -> None:
    post.keep()
    flow.post_digest(post.ctx, WEEK)
    with post.ctx.databases.control.begin() as session:
        mail_stops.stop(session, "PAM@example.com", post.ctx.clock())

    post.work()

    assert post.mailed() == [("tom@example.com", 1)]


def test_killed_anywhere_it_comes_to_each_target_in_the_end(post: Post) -> None:
    count = die_at = 0

    def watch(_session: object) -> None:
        nonlocal count
        count += 1
        if count == die_at:
            raise Killed

    event.listen(post.ctx.databases.control, "before_commit", watch)
    post.keep()
    for point in range(1, 12):
        count, die_at = 0, point
        try:
            flow.post_digest(post.ctx, WEEK)
            post.work()
        except Killed:
            die_at = 0
            flow.post_digest(post.ctx, WEEK)
            with reading(post.ctx.databases.control) as session:
                targets = delivery.targets(post.ctx, session)
            for target in targets:
                delivery.deliver_digest(post.ctx, post.keep().id, target)
    post.work()

    assert {to for to, _ in post.mailed()} == {"pam@example.com", "tom@example.com"}
    assert len(post.mailed()) == 2
    assert post.posted() >= 1
    assert len(post.confluence.all()) == 1


def test_the_page_in_confluence_shows_every_cohort_with_its_picture(post: Post) -> None:
    post.hand_out()

    (page,) = post.confluence.all()
    assert len(page.attachments) == 5
    for name, (_, _, content) in page.attachments.items():
        assert f'ri:filename="{name}"' in page.body
        assert content.startswith(b"\x89PNG")
    assert "&lt;script&gt;" in page.body
    with reading(post.ctx.databases.control) as session:
        assert wiki_pages.load(session, "digest/demo/2026-W47").is_put


def test_an_empty_week_is_one_line_on_every_face(post: Post) -> None:
    flow.post_digest(post.ctx, "2026-W46")
    post.work()

    assert "<h2>Numbers</h2>" not in post.confluence.all()[0].body
    assert "no answers, no inferences" in post.confluence.all()[0].body
    for mail in post.mail.all():
        assert "no answers, no inferences" in str(mail.message["Subject"])


@pytest.fixture
def web(post: Post) -> flask.Flask:
    app = flask.Flask("test")
    app.register_blueprint(blueprint(post.ctx.databases, post.ctx.settings, post.ctx.clock))
    return app


def stop_path(post: Post, address: str = "pam@example.com") -> str:
    return stop_url(address, post.ctx.settings, now=post.ctx.clock()).removeprefix("http://muster.test")


def is_stopped(post: Post, address: str = "pam@example.com") -> bool:
    with reading(post.ctx.databases.control) as session:
        return bool(mail_stops.stopped(session, [address]))


def test_looking_at_the_link_ends_nothing_pressing_the_button_does_and_takes_it_back(
    post: Post, web: flask.Flask
) -> None:
    path = stop_path(post)

    assert "Send no more" in web.test_client().get(path).text
    assert not is_stopped(post)
    assert "has ended" in web.test_client().post(path).text
    assert is_stopped(post)
    asked = web.test_client().get(path).text
    assert ("Send it again" in asked, 'name="again" value="1"' in asked) == (True, True)
    assert "comes again" in web.test_client().post(path, data={"again": "1"}).text
    assert not is_stopped(post)


def test_the_button_that_is_pressed_twice_ends_it_once_and_for_all(post: Post, web: flask.Flask) -> None:
    pages = [web.test_client().post(stop_path(post)).text for _ in range(2)]

    assert all("has ended" in page for page in pages)
    assert is_stopped(post)


def test_one_click_of_a_mail_program_ends_it_however_often_it_comes(post: Post, web: flask.Flask) -> None:
    for _ in range(2):
        reply = web.test_client().post(stop_path(post), data={"List-Unsubscribe": "One-Click"})
        assert reply.status_code == 200

    assert is_stopped(post)


@pytest.mark.parametrize("code", ["", "a", "!!!", "cGFtQGV4YW1wbGUuY29t", "x" * 500])
def test_a_link_that_we_did_not_sign_ends_nothing(post: Post, web: flask.Flask, code: str) -> None:
    signed = stop_path(post, "tom@example.com").partition("?")[2]

    for method in ("GET", "POST"):
        assert web.test_client().open(f"/mail/stop/{code}?{signed}", method=method).status_code in (403, 404)
    assert not is_stopped(post)


def test_a_letter_carries_the_link_that_ends_it(post: Post) -> None:
    post.hand_out()

    letters = [mail.message for mail in post.mail.all()]
    ends = {str(letter["List-Unsubscribe"]).strip("<>") for letter in letters}
    assert len(ends) == 2
    assert all(end.startswith("http://muster.test/mail/stop/") for end in ends)
    assert {str(letter["List-Unsubscribe-Post"]) for letter in letters} == {"List-Unsubscribe=One-Click"}
    assert "secret" not in json.dumps([str(letter) for letter in letters])
