"""`model optimize` and `job …` from the line that is typed to the report card in the thread."""

from __future__ import annotations

import pytest

from bot.context import Context
from bot.views import job as job_views
from core.db import reading
from core.errors import UpstreamError
from optimize.fixtures import Fixture
from releases.artifact_store import find_artifacts
from releases.registry import companions_of
from sandbox.slack.state import Message as Shown
from sandbox.world import World
from tests.bot.jobs_made import a_finished_job
from tests.bot.models_made import Bench
from tests.bot.releases_made import button_values, words
from tests.bot.workspace import DANA, MIA, PAM
from tests.conftest import JobList
from tests.optimize.builders import a_pickle

ORDER = 'model optimize kws@1.4.0 recipe=prune30,int8-weights budget="size<-50% accuracy>-10pt"'


@pytest.fixture
def bench(ctx: Context, jobs: JobList) -> Bench:
    return Bench(ctx=ctx, jobs=jobs)


def posted(world: World) -> list[Shown]:
    return list(world.slack.workspace.messages())


def test_an_order_ends_in_a_report_card_that_is_the_same_message_edited(
    bench: Bench, tiny: Fixture, world: World
) -> None:
    bench.register_fixture(tiny)

    answer = bench.type(DANA, ORDER)
    bench.run()

    assert answer.in_channel
    assert "*J1* optimizes kws@1.4.0 by prune30,int8-weights" in answer.text
    card, told = posted(world)
    assert bench.job().state == "done"
    assert card.edited
    assert "fits: " in words(card)
    assert "× smaller" in words(card)
    assert told.thread_ts == card.ts
    assert "<@U0DANA> J1 kws@1.4.0" in told.text
    assert "/jobs/J1?until=" in told.text


def test_the_card_tells_which_answers_turned_and_how_likely_that_is_by_chance(ctx: Context) -> None:
    """Six of eight one way: twice the chance of at most two heads in eight throws, 2 * 37 / 256."""
    with ctx.databases.control.begin() as session:
        shown = job_views.card(job_views.Card(job=a_finished_job(session), command="/muster"))

    assert "turned" in words(shown)
    assert "6 wrong, 2 right" in words(shown)
    assert "McNemar's exact p 0.289" in words(shown)


def test_the_card_shows_how_far_it_is_while_it_runs(bench: Bench, tiny: Fixture, world: World) -> None:
    bench.register_fixture(tiny)
    bench.type(DANA, ORDER)
    seen = []

    def stopped(ctx: Context, ref: str) -> None:
        from bot.flows import optimize

        progressed = bench.jobs.names().count("show_job")
        optimize.optimize(ctx, ref)
        seen.append(bench.jobs.names().count("show_job") - progressed)

    bench.run(optimize=stopped)

    assert seen == [4]  # reading, trying, measuring, ended
    assert bench.job().progress is not None
    assert (bench.job().progress or {})["sentence"] == "measuring prune30,int8-weights"


def test_what_a_job_made_is_registered_with_its_lineage_by_a_button(bench: Bench, tiny: Fixture, world: World) -> None:
    parent = bench.register_fixture(tiny)
    bench.type(DANA, ORDER)
    bench.run()
    line = button_values(posted(world)[0])["Register as kws@1.4.0+int8"]

    answer = bench.type(DANA, line)
    bench.run()

    with reading(bench.ctx.databases.control) as session:
        variant = find_artifacts(session, app="demo", model="kws")[-1]
        beside = companions_of(session, app="demo", artifact=variant.sha256)
    assert (variant.version, variant.variant) == ("1.4.0+int8", "int8")
    assert (variant.made_from, variant.made_by) == (parent, "prune30,int8-weights")
    assert sorted(beside) == ["calib", "eval"]
    assert "*kws@1.4.0+int8* is registered, made from kws@1.4.0" in answer.text
    assert button_values(answer)["Start release"] == "release start kws@1.4.0+int8"
    assert "Start release" in button_values(posted(world)[0])
    assert bench.type(DANA, line).text.endswith("it was before.")
    for name, sentence in (
        ("kws@1.4.0+small", "What J1 made is registered as kws@1.4.0+int8; it has no second name"),
        ("banana", "must be a version of kws"),
        ("other@1.4.0+int8", "must be a version of kws"),
    ):
        assert sentence in bench.type(DANA, f"job register J1 as={name}").text
    assert bench.type(DANA, "job register J1 as=1.4.0+int8").text.endswith("it was before.")


def test_every_mistake_of_an_order_is_told_at_once(bench: Bench, tiny: Fixture) -> None:
    bench.register(tiny.model)

    said = words(bench.type(DANA, 'model optimize kws@1.4.0 recipe=int9 budget="size>4MB wait<3" cpu=x'))

    for mistake in ("no step 'int9'", "size is limited from the other side", "no metric 'wait'", "cpu"):
        assert mistake in said
    assert bench.jobs.names() == []


def test_auto_without_inputs_and_a_refused_file_are_answered_before_anything_runs(bench: Bench, tiny: Fixture) -> None:
    bench.register(tiny.model)
    bench.register(a_pickle(), "1.5.0")

    assert "register inputs with the model" in words(bench.type(DANA, "model optimize kws@1.4.0 recipe=auto"))
    assert "is a Python pickle" in words(bench.type(DANA, "model optimize kws@1.5.0 recipe=fp16"))


def test_a_recipe_that_does_not_apply_says_why(bench: Bench, tiny: Fixture) -> None:
    bench.register(tiny.model)

    assert "prune needs inputs" in words(bench.type(DANA, "model optimize kws@1.4.0 recipe=prune"))


def test_only_an_operator_may_order_and_a_dry_run_orders_nothing(bench: Bench, tiny: Fixture) -> None:
    bench.register_fixture(tiny)

    refused = bench.type(PAM, ORDER)
    dry = bench.type(DANA, f"{ORDER} --dry-run")

    assert "You may not optimize kws" in refused.text
    assert "Nothing is ordered" in dry.text
    assert "judged on 400 inputs" in dry.text
    assert "No job yet" in bench.type(DANA, "job list").text


def test_a_message_that_comes_twice_orders_once(bench: Bench, tiny: Fixture) -> None:
    bench.register_fixture(tiny)

    bench.type(DANA, ORDER, delivery="dlv_1")
    again = bench.type(DANA, ORDER, delivery="dlv_1")

    assert "(ordered before)" in again.text
    assert bench.jobs.names() == ["show_job", "optimize"]


def test_a_job_that_waits_is_cancelled_and_never_runs(bench: Bench, tiny: Fixture, world: World) -> None:
    bench.register_fixture(tiny)
    bench.type(DANA, ORDER)

    answer = bench.type(DANA, "job J1 cancel")
    bench.run()

    assert "*J1* is cancelled" in answer.text
    assert bench.job().state == "cancelled"
    assert bench.job().progress is None
    assert "cancelled before it began" in words(posted(world)[0])
    assert "already" in bench.type(MIA, "job cancel J1").text


def test_a_job_that_runs_is_cancelled_between_two_steps(bench: Bench, tiny: Fixture) -> None:
    bench.register_fixture(tiny)
    bench.type(DANA, "model optimize kws@1.4.0 recipe=auto budget=accuracy>-5pt")

    def cancelled_soon(ctx: Context, ref: str) -> None:
        from bot.flows import optimize

        def is_stopping() -> bool:
            if (bench.job().progress or {}).get("step", 0) >= 3 and not bench.job().cancelled_by:
                bench.type(DANA, "job cancel J1")
            return False

        optimize.optimize(ctx, ref, is_stopping=is_stopping)

    bench.run(optimize=cancelled_soon)

    assert bench.job().state == "cancelled"
    assert (bench.job().progress or {})["step"] < 8
    assert job_views.line(bench.job()) == "⚪ cancelled"


def test_a_worker_that_stops_leaves_the_job_to_the_next(bench: Bench, tiny: Fixture) -> None:
    bench.register_fixture(tiny)
    bench.type(DANA, ORDER)

    def stopping(ctx: Context, ref: str) -> None:
        from bot.flows import optimize

        with pytest.raises(UpstreamError, match="goes on elsewhere"):
            optimize.optimize(ctx, ref, is_stopping=lambda: True)

    bench.run(optimize=stopping)
    assert bench.job().state == "running"

    from bot.flows import optimize

    optimize.optimize(bench.ctx, "J1")
    assert bench.job().state == "done"


def test_a_job_whose_files_are_gone_fails_in_words(bench: Bench, tiny: Fixture) -> None:
    bench.register_fixture(tiny)
    bench.type(DANA, ORDER)
    for path in bench.ctx.settings.blob_dir.glob("??/*"):
        path.unlink()

    bench.run()

    assert bench.job().state == "failed"
    assert "is not here" in (bench.job().result or {})["sentence"]


def test_jobs_are_listed_and_shown_by_their_short_id(bench: Bench, tiny: Fixture) -> None:
    bench.register_fixture(tiny)
    bench.type(DANA, ORDER)
    bench.run()

    assert "J1" in words(bench.type(PAM, "job list"))
    assert "fits: " in words(bench.type(PAM, "J1"))
    assert "There is no job J9" in words(bench.type(PAM, "job J9"))


def test_an_original_is_compared_with_what_was_made_from_it(bench: Bench, tiny: Fixture) -> None:
    bench.register_fixture(tiny)
    bench.type(DANA, ORDER)
    bench.run()
    bench.type(DANA, "job register J1")

    said = words(bench.type(PAM, "model compare kws@1.4.0 kws@1.4.0+int8"))

    assert '"text": "fp32 → int8"' in said
    assert '"text": "–"' not in said


def test_two_versions_are_measured_on_the_inputs_of_either(bench: Bench, tiny: Fixture, world: World) -> None:
    bench.register_fixture(tiny)
    bench.type(DANA, ORDER)
    bench.run()
    bench.type(DANA, "job register J1 as=1.4.0+small")
    bench.run()

    line = button_values(bench.type(PAM, "model compare kws@1.4.0 kws@1.4.0+small"))["Measure both"]
    ordered = bench.type(PAM, line)
    bench.run()

    assert "*J2* compares kws@1.4.0 against 1.4.0+small" in ordered.text
    assert bench.job("J2").state == "done"
    told = bench.type(PAM, line)
    said = words(told)
    assert "*J2* " in said
    assert "answers changed" in said
    assert "of 400" in said
    assert "Measure both" not in button_values(told)
    assert bench.job("J2").registered_as is None


def test_versions_that_cannot_be_measured_say_why(bench: Bench, tiny: Fixture) -> None:
    bench.register(tiny.model)
    bench.register(a_pickle(), "1.5.0")

    said = words(bench.type(DANA, "model compare kws@1.4.0 kws@1.5.0 --measure"))

    assert "kws@1.5.0: is a Python pickle" in said
