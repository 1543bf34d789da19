"""Jobs on the web: JSON for a secret key of the same app, and the report card for whoever has the link."""

from __future__ import annotations

import requests
from click.testing import CliRunner

from bot.cli import main
from bot.jobs_web import LINK_LASTS, job_url
from core.keys import create_key
from tests.bot.jobs_made import a_finished_job, a_result
from tests.builders import T0, ManualClock
from tests.optimize.builders import a_comparison
from tests.serving import Served


def page(served: Served, **result: object) -> requests.Response:
    with served.databases.control.begin() as session:
        job = a_finished_job(session, **result)  # type: ignore[arg-type]
    return requests.get(job_url(job, served.settings).replace(served.settings.public_url, served.url), timeout=10)


def test_the_page_tells_all_fields_of_the_card(served: Served) -> None:
    reply = page(served)

    assert reply.status_code == 200
    told = reply.text.replace("\xa0", " ")
    for words in ("kws@1.4.0 by int8-weights", "fits", "10.0× smaller", "×0.79 (0.78 to 0.82)", "accuracy&gt;-1pt",
                  "McNemar", "worst class", "dB SQNR", "Core ML", "6 of 12 in 3 pieces", "Energy index (model, not",
                  "onnxruntime 1.30.0", "muster model optimize-local", "prune@0.02", "&lt;no convolutions&gt;",
                  "12.3 CPU seconds", "Multiply-accumulates", "Compressed (gzip)"):  # fmt: skip
        assert words in told, words
    assert told.count("<svg") >= 5
    assert "style-src 'sha256-" in reply.headers["Content-Security-Policy"]


def test_no_flips_are_told_with_the_rule_of_three(served: Served) -> None:
    told = page(served, **a_result(found=a_comparison(n=600))).text.replace("\xa0", " ")

    assert "0 of 600 (at most 0.5 % by the rule of three)" in told


def test_a_job_without_a_card_says_why(served: Served) -> None:
    told = page(served, sentence="the model <b>crashed</b>", card=None, variant=None, recipe="auto", tried=[], cpu_s=1)

    assert "the model &lt;b&gt;crashed&lt;/b&gt;" in told.text


def test_a_link_opens_its_own_job_alone_and_not_for_ever(served: Served, clock: ManualClock) -> None:
    with served.databases.control.begin() as session:
        first, second = a_finished_job(session), a_finished_job(session)
    url = job_url(first, served.settings).replace(served.settings.public_url, served.url)

    assert requests.get(url.replace("/jobs/J1", "/jobs/J2"), timeout=10).status_code == 403
    assert requests.get(f"{served.url}/jobs/{second.name}", timeout=10).status_code == 403
    clock.now = T0 + LINK_LASTS * 1.01
    assert requests.get(url, timeout=10).status_code == 403


def test_jobs_are_told_to_a_secret_key_of_the_same_app(served: Served) -> None:
    with served.databases.control.begin() as session:
        a_finished_job(session)
        elsewhere = create_key(session, app="other", scope="secret", name="CI", now=T0)[1]

    def status(key: str) -> int:
        headers = {"Authorization": f"Bearer {key}"}
        return requests.get(f"{served.url}/v1/jobs/J1", headers=headers, timeout=10).status_code

    assert [status(key) for key in (served.secret, served.public, elsewhere)] == [200, 403, 404]


def test_the_command_prints_the_card_as_json_and_its_exit_status_says_whether_it_fits(served: Served) -> None:
    with served.databases.control.begin() as session:
        a_finished_job(session)
        a_finished_job(session, **a_result(budget="size<-99%"))
    options = ["--server", served.url, "--key", served.secret]

    fits, breaks, listed = (
        CliRunner().invoke(main, ["job", *words, *options])
        for words in (["show", "J1", "--json"], ["show", "J2"], ["list", "--model", "kws"])
    )

    assert (fits.exit_code, breaks.exit_code, listed.exit_code) == (0, 1, 0)
    assert '"size_x": 10.0' in fits.output
    assert '"flip' in fits.output
    assert "J2  kws@1.4.0  int8-weights  done: breaks" in breaks.output
    assert [line[:2] for line in listed.output.splitlines()] == ["J2", "J1"]
