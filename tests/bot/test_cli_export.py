"""`muster export` writes what may leave the house, and says what it withheld."""

from __future__ import annotations

import csv
import json
from datetime import timedelta
from pathlib import Path

import pandas as pd
import pytest
import requests
from click.testing import CliRunner, Result

from bot.cli import main
from tests.builders import T0
from tests.feedback.sending import a_batch, a_context, a_running_poll, an_answer
from tests.serving import Served

FIX = {"id": "q_fix", "type": "correction", "question": "What was it?", "optional": True}
QUESTIONS = [{"id": "q_csat", "type": "csat", "question": "Right?"}, FIX]


@pytest.fixture
def served(served: Served) -> Served:
    with served.databases.control.begin() as session:
        a_running_poll(session, questions=QUESTIONS)
    return served


def answer(served: Served, soc: str, people: int, *, label: str | None = None) -> None:
    for person in range(people):
        name = f"{soc.encode().hex()}-{person:02}"
        given = [{"question": "q_csat", "value": 4}]
        given += [{"question": "q_fix", "value": f"{label}"}] if label else []
        event = an_answer(name, at=T0 - timedelta(hours=1), answers=given, inference=f"inf_{name}")
        body = a_batch(event, context=a_context(install=f"install-{name}", soc=soc))
        headers = {"Authorization": f"Bearer {served.public}"}
        assert requests.post(f"{served.url}/v1/batch", json=body, headers=headers, timeout=10).json()["accepted"] == 1


def muster(served: Served, *command: str | Path) -> Result:
    env = {"MUSTER_SERVER": served.url, "MUSTER_API_KEY": served.secret}
    return CliRunner().invoke(main, ["export", *map(str, command)], env=env)


def test_cohorts_go_into_a_csv_with_their_intervals_and_small_ones_do_not(served: Served, tmp_path: Path) -> None:
    answer(served, "Helio G35", 25)
    answer(served, "Tensor G2", 25)
    answer(served, "Exynos 9", 25)
    answer(served, "Unisoc T6", 3)
    out = tmp_path / "cohorts.csv"

    done = muster(served, "cohorts", "kws", "--by", "chipset,platform", "--out", out)

    rows = list(csv.DictReader(out.read_text().splitlines()))
    assert "withheld" in done.output
    assert "Unisoc T6" not in {row["cohort"] for row in rows}
    assert {row["by"] for row in rows} == {"chipset", "platform"}
    assert all(float(row["low"]) <= float(row["value"]) <= float(row["high"]) for row in rows)


def test_parquet_keeps_the_types(served: Served, tmp_path: Path) -> None:
    answer(served, "Helio G35", 25)
    out = tmp_path / "cohorts.parquet"

    muster(served, "cohorts", "kws", "--out", out)

    frame = pd.read_parquet(out)
    assert list(frame["n"]) == [25]
    assert str(frame["until"].dtype).startswith("datetime64")


def test_a_cohort_that_looks_like_a_formula_is_made_harmless(served: Served, tmp_path: Path) -> None:
    answer(served, "=1+1", 25)
    out = tmp_path / "cohorts.csv"

    muster(served, "cohorts", "kws", "--out", out)

    assert [row["cohort"] for row in csv.DictReader(out.read_text().splitlines())] == ["'=1+1"]


def test_another_kind_of_file_is_refused(served: Served, tmp_path: Path) -> None:
    assert "must end in .csv or .parquet" in muster(served, "cohorts", "kws", "--out", tmp_path / "x.xlsx").output


def test_cohorts_of_an_older_poll_are_written_when_it_is_named(served: Served, tmp_path: Path) -> None:
    answer(served, "Helio G35", 25)
    with served.databases.control.begin() as session:
        a_running_poll(session, id="newer")
    out = tmp_path / "cohorts.csv"

    newest, named = (muster(served, "cohorts", "kws", "--out", out, *more) for more in ((), ("--poll", "P1")))

    assert ": 0 cohorts" in newest.output
    assert ": 1 cohorts" in named.output


def test_corrections_become_tasks_that_name_nobody(served: Served, tmp_path: Path) -> None:
    answer(served, "Helio G35", 25, label="call me at +49 151 23456789")
    out = tmp_path / "tasks.json"

    done = muster(served, "corrections", "kws", "--out", out, "--config", tmp_path / "config.xml")

    tasks = json.loads(out.read_text())
    assert "25 tasks." in done.output
    assert '<Choice value="call me at [phone]"/>' in (tmp_path / "config.xml").read_text()
    assert tasks[0]["annotations"][0]["result"][0]["value"] == {"choices": ["call me at [phone]"]}
    assert tasks[0]["data"]["inference"] == f"inf_{b'Helio G35'.hex()}-00"
    assert "install" not in out.read_text()


def test_corrections_of_too_few_people_stay_theirs(served: Served, tmp_path: Path) -> None:
    answer(served, "Helio G35", 19, label="seven")
    out = tmp_path / "tasks.json"

    done = muster(served, "corrections", "kws", "--out", out)

    assert json.loads(out.read_text()) == []
    assert "too few people" in done.output
