"""A pipeline reads the same report as Slack shows, with the same cohorts withheld."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from feedback import store
from tests.builders import T0
from tests.feedback.sending import Wire, a_batch, a_context, a_poll, an_answer


def answered(wire: Wire, soc: str, people: int, *, happy: int) -> None:
    """People of one chipset answer an hour ago, so many of them with 5, the others with 1."""
    for person in range(people):
        name = f"{soc[:5]}-{person}"
        value = 5 if person < happy else 1
        event = an_answer(name, value, at=T0 - timedelta(hours=1))
        wire.batch(a_batch(event, context=a_context(install=f"install-{name}", soc=soc)))


def report(wire: Wire, query: str = "") -> dict[str, Any]:
    reply = wire.get(f"/v1/reports/kws{query}", Authorization=f"Bearer {wire.secret}")
    assert reply.status_code == 200
    return dict(reply.json or {})


def test_the_lowest_cohort_comes_first_with_its_interval(wire: Wire) -> None:
    answered(wire, "Helio G35", 30, happy=12)
    answered(wire, "Tensor G2", 30, happy=27)

    told = report(wire, "?by=chipset&since=24h")

    assert [(row["cohort"], row["n"], row["value"]) for row in told["cohorts"]] == [
        ("Helio G35", 30, 0.4),
        ("Tensor G2", 30, 0.9),
    ]
    assert told["overall"]["value"] == pytest.approx(39 / 60)
    # Wilson's interval of 12 of 30, computed by hand from his formula with z = 1.959964
    assert told["cohorts"][0]["low"] == pytest.approx(0.2459, abs=1e-4)
    assert told["cohorts"][0]["high"] == pytest.approx(0.5768, abs=1e-4)


def test_a_cohort_of_too_few_people_is_withheld_and_counted(wire: Wire) -> None:
    for soc in ("Helio G35", "Tensor G2", "Exynos 1380"):
        answered(wire, soc, 25, happy=20)
    answered(wire, "Unisoc T606", 3, happy=0)

    told = report(wire, "?by=chipset")

    assert "Unisoc T606" not in [row["cohort"] for row in told["cohorts"]]
    assert told["hidden"] >= 2


@pytest.mark.parametrize(
    ("query", "named"), [("?since=soon", "since"), ("?where=chipst%3Dx", "where"), ("?by=shoe_size", "by")]
)
def test_a_mistake_names_its_field(wire: Wire, query: str, named: str) -> None:
    reply = wire.get(f"/v1/reports/kws{query}", Authorization=f"Bearer {wire.secret}")

    assert reply.status_code == 422
    assert any(named in problem["path"] for problem in (reply.json or {})["problems"])


def test_a_model_nobody_asks_about_is_404_and_the_apps_key_may_not_read(wire: Wire) -> None:
    assert wire.get("/v1/reports/nope", Authorization=f"Bearer {wire.secret}").status_code == 404
    assert wire.get("/v1/reports/kws").status_code == 403


def test_a_score_behind_randomized_answers_says_so_and_about_how_many_are_left_out(wire: Wire) -> None:
    answered(wire, "Helio G35", 30, happy=12)
    coin = {"mechanism": "k_rr", "epsilon": 2.0}
    with wire.databases.control.begin() as session:
        csat = {"id": "q_csat", "type": "csat", "question": "Right?", "privacy": coin}
        store.save_poll(session, a_poll(questions=[csat]), app="demo", model="kws", by="U0DANA", now=T0)

    told = report(wire)

    assert (told["privacy"], told["left_out"], told["overall"]) == (coin, 20, None)
    assert report(wire, "?where=chipset%3Dnone")["left_out"] == 20


def test_how_many_are_left_out_is_not_told_of_a_few(wire: Wire) -> None:
    answered(wire, "Helio G35", 3, happy=1)
    with wire.databases.control.begin() as session:
        csat = {"id": "q_csat", "type": "csat", "question": "?", "privacy": {"mechanism": "k_rr", "epsilon": 2.0}}
        store.save_poll(session, a_poll(questions=[csat]), app="demo", model="kws", by="U0DANA", now=T0)

    assert report(wire)["left_out"] == 0


def test_all_mistakes_are_told_at_once(wire: Wire) -> None:
    reply = wire.get("/v1/reports/kws?by=chipsett&since=9y&where=a==b", Authorization=f"Bearer {wire.secret}")

    paths = [problem["path"].partition(",")[0] for problem in (reply.json or {})["problems"]]
    assert (reply.status_code, paths) == (422, ["by", "since", "where"])
