"""Journey C: Monday at nine the week comes once, with a page behind a signed link."""

from __future__ import annotations

import requests

from sandbox import facts
from tests.journeys.answering import sixty_answers
from tests.journeys.conftest import opened


def test_the_digest_is_posted_once_and_its_page_opens_by_its_link_only() -> None:
    with opened() as living:
        sixty_answers(living)
        living.advance(days=7)
        living.heard("2026-W47", "#model-releases")
        living.advance(hours=1)
        living.say("Tom", "#model-releases", "/muster whoami", until="You are")

        found = facts.digest(living.stage.state())

        assert found is not None
        assert (found["week"], found["posts"]) == ("2026-W47", 1)
        page = requests.get(found["url"], timeout=30)
        assert (page.status_code, page.headers["Content-Type"].split(";")[0]) == (200, "text/html")
        assert requests.get(found["url"].split("?")[0], timeout=30).status_code == 403
        assert requests.get(found["url"][:-3] + "000", timeout=30).status_code == 403
