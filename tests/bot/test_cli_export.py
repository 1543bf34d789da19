"""`muster export` writes what may leave the house, and says what it withheld."""

from __future__ import annotations

import csv
import json
import os
import resource
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import click
import pandas as pd
import pyarrow.parquet as pq
import pytest
import requests
from click.testing import CliRunner, Result

from bot.cli import main
from bot.export_files import write
from core.errors import InvalidInputError
from feedback.scores import share
from optimize.cli import OutFile
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


@pytest.mark.parametrize("formula", ["=1+1", "＝1+1", "＋1", "－1", "＠x"])
def test_a_cohort_that_looks_like_a_formula_is_made_harmless(served: Served, tmp_path: Path, formula: str) -> None:
    answer(served, formula, 25)
    out = tmp_path / "cohorts.csv"

    muster(served, "cohorts", "kws", "--out", out)

    assert [row["cohort"] for row in csv.DictReader(out.read_text().splitlines())] == [f"'{formula}"]


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


def test_what_cannot_be_written_is_refused_in_words(served: Served, tmp_path: Path) -> None:
    answer(served, "Helio G35", 25, label="seven")
    (tmp_path / "file").touch()

    for out in (tmp_path / "nowhere" / "x.csv", tmp_path / "file" / "x.csv"):
        done = muster(served, "cohorts", "kws", "--out", out)

        assert done.exit_code == 2
        assert f"{out.parent} is no folder that can be written; make it first." in done.output
    done = muster(served, "corrections", "kws", "--out", "/dev/full")
    assert (done.exit_code, "/dev/full cannot be written: No space left" in done.output) == (2, True)
    assert Path("/dev/full").is_char_device()


def test_a_device_is_written_to_though_its_folder_is_not_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "access", lambda path, _mode: str(path) != "/dev")

    assert OutFile().convert("/dev/null", None, None) == Path("/dev/null")
    with pytest.raises(click.BadParameter, match="no folder that can be written"):
        OutFile().convert("/dev/muster.csv", None, None)


def test_a_file_that_is_there_stays_until_the_new_one_is_whole(tmp_path: Path) -> None:
    out, link = tmp_path / "cohorts.csv", tmp_path / "newest.csv"
    out.write_text("of last week")
    link.symlink_to(out)

    with never_larger_than(10), pytest.raises(InvalidInputError, match=r"--out: .* cannot be written"):
        write(link, b"of this week")
    assert (out.read_text(), sorted(tmp_path.iterdir())) == ("of last week", [out, link])

    write(link, b"of this week")
    assert (link.is_symlink(), out.read_text(), len(list(tmp_path.iterdir()))) == (True, "of this week", 2)


@contextmanager
def never_larger_than(size_bytes: int) -> Iterator[None]:
    """Let no file grow beyond this, as on a disk that is full."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    heard = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size_bytes, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, heard)


def test_a_file_tells_of_whom_and_when_it_is(served: Served, tmp_path: Path) -> None:
    answer(served, "Helio G35", 25)
    out = tmp_path / "cohorts.CSV"

    assert muster(served, "cohorts", "kws", "--where", "platform=android", "--out", out).exit_code == 0

    (row,) = csv.DictReader(out.read_text().splitlines())
    told = {name: row[name] for name in ("where", "minimum", "is_earlier", "epsilon", "left_out")}
    assert told == {
        "where": "platform=android", "minimum": "20", "is_earlier": "False", "epsilon": "", "left_out": "0"
    }  # fmt: skip


def test_a_response_rate_has_its_n_and_interval(served: Served, tmp_path: Path) -> None:
    answer(served, "Helio G35", 25)
    headers = {"Authorization": f"Bearer {served.public}"}
    for person in range(50):
        shown = an_answer(f"shown-{person}", at=T0 - timedelta(hours=2), event="poll shown")
        body = a_batch(shown, context=a_context(install=f"other-{person}", soc="Helio G35"))
        assert requests.post(f"{served.url}/v1/batch", json=body, headers=headers, timeout=10).json()["accepted"] == 1
    out = tmp_path / "cohorts.csv"

    muster(served, "cohorts", "kws", "--out", out)

    (row,) = csv.DictReader(out.read_text().splitlines())
    rate = share(25, 75)
    told = [float(row[f"response_rate{part}"]) for part in ("", "_low", "_high", "_n")]
    assert told == pytest.approx([rate.value, rate.low, rate.high, 75])


def test_an_attribute_that_is_named_twice_is_told_once_and_none_is_a_mistake(served: Served, tmp_path: Path) -> None:
    answer(served, "Helio G35", 25)
    out = tmp_path / "cohorts.csv"

    assert ": 1 cohorts" in muster(served, "cohorts", "kws", "--by", "chipset, chipset", "--out", out).output
    for none in ("", " , "):
        refused = muster(served, "cohorts", "kws", "--by", none, "--out", out)
        assert (refused.exit_code, "names no attribute" in refused.output) == (2, True)


def test_every_mistake_is_told_at_once_and_each_once(served: Served, tmp_path: Path) -> None:
    wrong = ("--by", "chipsett,shoe", "--since", "9y", "--where", "a==b")

    done = muster(served, "cohorts", "kws", *wrong, "--out", tmp_path / "x.csv")

    lines = done.output.splitlines()
    assert done.exit_code == 2
    assert [line.split()[1].rstrip(":,") for line in lines] == ["by", "since", "where", "by"]
    assert not (tmp_path / "x.csv").exists()


@pytest.mark.parametrize("name", ["../../x", ""])
def test_a_model_is_a_name_and_no_path(served: Served, tmp_path: Path, name: str) -> None:
    done = muster(served, "cohorts", name, "--out", tmp_path / "x.csv")

    assert (done.exit_code, "is no model's name" in done.output) == (2, True)


def test_an_empty_parquet_has_the_types_of_a_full_one(served: Served, tmp_path: Path) -> None:
    muster(served, "cohorts", "kws", "--out", tmp_path / "empty.parquet")
    answer(served, "Helio G35", 25)
    muster(served, "cohorts", "kws", "--out", tmp_path / "full.parquet")

    empty, full = (pq.read_schema(tmp_path / f"{name}.parquet") for name in ("empty", "full"))

    assert empty.remove_metadata() == full.remove_metadata()
    assert (str(full.field("n").type), str(full.field("until").type)) == ("int64", "timestamp[us, tz=UTC]")
