"""A link to a digest shows its verdicts where it is posted, if it still opens the digest; App Home shows what waits."""

from __future__ import annotations

import json
from datetime import timedelta

import msgspec
import pytest

from bot import digests, home, subscriptions
from bot.answer import Person
from bot.digests import KeptDigest
from bot.pages_web import LINK_LASTS, digest_url
from bot.subscriptions import Subscription
from sandbox.slack.state import Message
from tests.bot.digests_made import a_full_week
from tests.bot.releases_made import START, Floor
from tests.bot.slack_rules import accepted_view
from tests.bot.workspace import DANA, FEEDBACK, MIA, PAM, TOM, Workspace
from tests.builders import ManualClock


@pytest.fixture
def kept(workspace: Workspace) -> KeptDigest:
    workspace.world.slack.unfurl_domain = "muster.test"
    content = msgspec.to_builtins(a_full_week())
    with workspace.ctx.databases.control.begin() as session:
        return digests.keep(session, app="demo", week="2026-W47", content=content, now=workspace.ctx.clock())


def posted(workspace: Workspace, text: str) -> Message:
    assert workspace.say(PAM, text).ok
    workspace.settle()
    return next(each for each in workspace.messages() if each.channel == FEEDBACK and each.user == PAM)


def test_a_link_to_a_digest_shows_its_verdicts(workspace: Workspace, kept: KeptDigest) -> None:
    shown = workspace.said(posted(workspace, f"Look: {digest_url(kept, workspace.ctx.settings)}"))

    assert "Week 2026-W47" in shown
    assert "*kws* – R12 was rolled back" in shown
    assert workspace.world.slack.workspace.counts["rejected"] == 0


def test_slack_sends_it_three_times_and_it_is_shown_once(workspace: Workspace, kept: KeptDigest) -> None:
    workspace.world.faults.set(slack_retry=True)

    message = posted(workspace, digest_url(kept, workspace.ctx.settings))

    assert len([block for block in message.blocks if "Week 2026-W47" in json.dumps(block)]) == 1


def test_a_link_that_does_not_open_the_digest_shows_nothing(
    workspace: Workspace, kept: KeptDigest, clock: ManualClock
) -> None:
    good = digest_url(kept, workspace.ctx.settings)
    elsewhere = good.replace("http://muster.test", "http://other.test/muster.test")
    for url in (good[:-2] + "00", good.partition("?")[0], elsewhere, "http://muster.test/digests/../x?until=a&sig=é"):
        workspace.say(PAM, url)
    clock.advance(days=(LINK_LASTS + timedelta(days=1)).days)
    workspace.say(PAM, good)
    workspace.settle()

    assert all(message.blocks == () for message in workspace.messages())


def test_slack_down_shows_it_later(workspace: Workspace, kept: KeptDigest) -> None:
    workspace.world.faults.set(slack_down=True)
    posted(workspace, digest_url(kept, workspace.ctx.settings))
    workspace.world.faults.set(slack_down=False)

    workspace.settle()

    assert "Week 2026-W47" in workspace.said(workspace.messages()[0])


@pytest.fixture
def floor(workspace: Workspace, clock: ManualClock) -> Floor:
    return Floor(ctx=workspace.ctx, world=workspace.world, jobs=workspace.jobs, clock=clock)


def shown(floor: Floor, person: str) -> str:
    home.show(floor.ctx, Person(person, person))
    view = floor.world.slack.windows.homes()[person].view
    accepted_view({name: view[name] for name in ("type", "blocks")})
    return json.dumps(view, ensure_ascii=False)


def test_what_waits_for_somebody_is_what_they_may_decide(floor: Floor) -> None:
    floor.type(DANA, START)

    assert "R1* kws 1.3.2 → 1.4.0 waits for approval" in shown(floor, MIA)
    assert "waits for approval" in shown(floor, TOM)
    assert "waits for approval" not in shown(floor, DANA)  # who proposed it
    assert "Nothing. :tada:" in shown(floor, PAM)


def test_home_shows_models_digest_subscriptions_and_roles(floor: Floor, kept: KeptDigest) -> None:
    with floor.ctx.databases.control.begin() as session:
        one = Subscription(channel=FEEDBACK, model="kws", topic="digests", where="platform=ios", made_by=PAM)
        subscriptions.put(session, "demo", one, now=floor.clock())
    floor.started()

    view = shown(floor, DANA)

    assert "kws: what people say" in view
    assert "2026-W47: 1 × Act" in view
    assert digest_url(kept, floor.ctx.settings).partition("?")[0] in view
    assert f"<#{FEEDBACK}> digests of kws, where `platform=ios`" in view
    assert "You are operator of every model." in view


def test_a_home_in_an_empty_house_says_how_to_begin(floor: Floor) -> None:
    view = shown(floor, PAM)

    assert "None yet." in view
    assert "/muster subscribe kws releases" in view
