"""The digest's page over HTTP: for whoever holds the link, until it expires."""

from __future__ import annotations

import re
import subprocess
import sys
from base64 import b64encode
from datetime import timedelta
from hashlib import sha256

import flask
import msgspec
import pytest
from werkzeug.test import TestResponse

from bot import digests
from bot.digests import KeptDigest
from bot.pages_web import LINK_LASTS, blueprint, digest_url
from core.db import Databases
from core.settings import Settings
from tests.bot.digests_made import a_full_week
from tests.builders import ManualClock


@pytest.fixture
def kept(databases: Databases, clock: ManualClock) -> KeptDigest:
    content = msgspec.to_builtins(a_full_week())
    with databases.control.begin() as session:
        return digests.keep(session, app="demo", week="2026-W47", content=content, now=clock())


@pytest.fixture
def web(databases: Databases, settings: Settings, clock: ManualClock) -> flask.Flask:
    app = flask.Flask("test")
    app.register_blueprint(blueprint(databases, settings, clock))
    return app


def get(web: flask.Flask, url: str) -> TestResponse:
    return web.test_client().get(url.removeprefix("http://muster.test"))


def test_the_link_opens_the_page(web: flask.Flask, kept: KeptDigest, settings: Settings) -> None:
    reply = get(web, digest_url(kept, settings))

    assert reply.status_code == 200
    assert "Week 2026-W47" in reply.text
    assert "EDGE-91" in reply.text


def test_the_page_asks_nobody_else_for_anything(web: flask.Flask, kept: KeptDigest, settings: Settings) -> None:
    reply = get(web, digest_url(kept, settings))

    assert "default-src 'none'" in reply.headers["Content-Security-Policy"]
    assert not re.search(r"<(script|img|link|iframe)|@import|url\(", reply.text)
    assert reply.headers["Referrer-Policy"] == "no-referrer"


def test_the_policy_names_the_style_that_stands_in_the_page(
    web: flask.Flask, kept: KeptDigest, settings: Settings
) -> None:
    reply = get(web, digest_url(kept, settings))

    found = re.search(r"<style>(.*?)</style>", reply.text, re.DOTALL)
    assert found
    assert b64encode(sha256(found[1].encode()).digest()).decode() in reply.headers["Content-Security-Policy"]


def test_what_people_wrote_stays_text(web: flask.Flask, kept: KeptDigest, settings: Settings) -> None:
    text = get(web, digest_url(kept, settings)).text

    assert "<script>" not in text
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in text


def test_charts_can_be_heard(web: flask.Flask, kept: KeptDigest, settings: Settings) -> None:
    text = get(web, digest_url(kept, settings)).text.replace("\xa0", " ")

    assert 'role="img" aria-label="Helio G35: 61 % (52 to 69), n = 118, was 83 %"' in text


def test_an_expired_link_is_answered_readably(
    web: flask.Flask, kept: KeptDigest, settings: Settings, clock: ManualClock
) -> None:
    clock.advance(days=LINK_LASTS.days, seconds=1)

    reply = get(web, digest_url(kept, settings))

    assert reply.status_code == 403
    assert "/muster digest show" in reply.text
    assert "2026-W47" not in reply.text


@pytest.mark.parametrize("query", ["", "?until=9999999999&sig=00", "?until=&sig=", "?until=x&sig=x"])
def test_without_our_signature_there_is_nothing_to_see(web: flask.Flask, kept: KeptDigest, query: str) -> None:
    assert get(web, f"/digests/{kept.id}{query}").status_code == 403


def test_the_link_of_one_digest_does_not_open_another(web: flask.Flask, kept: KeptDigest, settings: Settings) -> None:
    other = digest_url(kept, settings).replace(kept.id, "dig_other")

    assert get(web, other).status_code == 403


def test_a_signed_link_to_a_forgotten_digest_says_so(
    web: flask.Flask, kept: KeptDigest, settings: Settings, databases: Databases
) -> None:
    with databases.control.begin() as session:
        session.delete(session.get(digests.DigestRow, kept.id))

    assert get(web, digest_url(kept, settings)).status_code == 404


def test_the_page_is_served_without_pandas_slack_or_the_job_engines_workers() -> None:
    heavy = {"pandas", "sklearn", "scipy", "slack_sdk", "bot.flows"}
    code = f"import sys, bot.pages_web; print(sorted({heavy} & set(sys.modules)))"

    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert out.stdout.strip() == "[]"


def test_a_digest_is_kept_as_it_was_composed_first(databases: Databases, clock: ManualClock, kept: KeptDigest) -> None:
    clock.advance(hours=1)
    with databases.control.begin() as session:
        again = digests.keep(session, app="demo", week="2026-W47", content={"other": 1}, now=clock())

    assert again == kept
    assert again.composed_at == clock() - timedelta(hours=1)
