"""`release …`: every mistake at once, who may, and an answer to whatever is late, double or not allowed."""

from __future__ import annotations

import pytest

from bot.context import Context
from bot.flows.release_card import card_facts
from bot.views import release as release_views
from releases import registry
from releases.artifact_store import find_artifacts
from releases.registry import Inspection
from releases.rollout import State
from sandbox.world import World
from tests.bot.releases_made import START, Floor, button_values, words
from tests.bot.workspace import DANA, MIA, PAM, TOM
from tests.builders import ManualClock
from tests.conftest import JobList
from tests.releases.builders import an_artifact


@pytest.fixture
def floor(ctx: Context, world: World, jobs: JobList, clock: ManualClock) -> Floor:
    return Floor(ctx=ctx, world=world, jobs=jobs, clock=clock)


def test_a_plan_with_mistakes_is_answered_with_every_mistake(floor: Floor) -> None:
    line = 'release start kws@9.9.9 to=5,3 bake=soon where="chipst=G35" guard="crash<+1pt csat<+5pt"'

    said = words(floor.type(DANA, line))

    for mistake in ("to", "bake", "chipset", "no metric is called", "csat may not fall",
                    "kws@9.9.9 has no registered file"):  # fmt: skip
        assert mistake in said
    assert "There is no release R1" in words(floor.type(DANA, "release show R1"))


def test_an_unknown_option_is_told_with_a_guess(floor: Floor) -> None:
    assert "did you mean guard=" in words(floor.type(DANA, f"{START} gard=none"))


def test_a_dry_run_says_what_would_be_and_writes_nothing(floor: Floor) -> None:
    answer = floor.type(DANA, f"{START} --dry-run")

    assert "Dry run" in answer.text
    assert not answer.in_channel
    assert "to=5,25,100" in words(answer)
    assert "No release yet" in words(floor.type(DANA, "release list"))
    assert floor.jobs.names() == []


def test_a_file_that_could_not_be_read_is_told_to_who_proposes_and_to_who_approves(floor: Floor) -> None:
    with floor.ctx.databases.control.begin() as session:
        (file,) = find_artifacts(session, app="demo", model="kws", version="1.4.0")
        found = Inspection(facts=None, refused="is no ONNX file")
        told = {"app": "demo", "artifact": file.sha256, "role": "model", "sha256": file.sha256}
        registry.save_inspection(session, found, **told, now=floor.clock())
    warning = f"Not read here, so nobody knows whether phones can run it: {file.name} is no ONNX file."

    assert warning in words(floor.type(DANA, f"{START} --dry-run"))
    assert warning in words(floor.type(DANA, START))
    card = words(release_views.card(card_facts(floor.ctx, floor.release().id, floor.clock())))
    assert (warning in card, warning in words(floor.type(MIA, "release show R1"))) == (True, True)
    floor.type(MIA, "release approve R1")
    floor.tick()
    assert warning not in words(floor.type(MIA, "release show R1"))


def test_without_guardrails_the_default_ones_stand(floor: Floor) -> None:
    floor.type(DANA, "release start kws@1.4.0")

    metrics = [guardrail.metric for guardrail in floor.release().plan.guardrails]
    assert metrics == ["crash_rate", "latency_p95"]


def test_a_dry_run_does_not_claim_to_have_proposed(floor: Floor) -> None:
    said = words(floor.type(PAM, f"{START} --dry-run"))

    assert "You may propose, not start. It would be proposed in <#C0RELEASES>." in said


def test_an_admin_by_setting_is_told_where_the_right_comes_from(floor: Floor) -> None:
    said = words(floor.type(TOM, f"role revoke <@{TOM}> admin"))

    assert said.count("MUSTER_SLACK_ADMINS")
    assert "was not admin" not in said


def test_somebody_without_a_role_may_propose_and_learns_who_can_approve(floor: Floor) -> None:
    said = words(floor.type(PAM, START))

    assert "You may propose, not start. Proposed in <#C0RELEASES>." in said
    assert "<@U0MIA> or <@U0TOM> can approve" in said
    assert floor.rollout().state is State.AWAITING_APPROVAL


def test_the_same_proposal_twice_is_one_release(floor: Floor) -> None:
    floor.type(DANA, START)

    assert "proposed already" in words(floor.type(DANA, START))
    assert "1 release" in words(floor.type(DANA, "release list"))


def test_the_same_proposal_while_its_release_is_rolled_back_is_refused_for_good(floor: Floor) -> None:
    floor.started()
    floor.type(MIA, "release rollback R1")
    assert floor.rollout().state is State.ROLLING_BACK

    assert "it can never be offered again" in words(floor.type(DANA, START))


def test_another_release_of_the_model_has_to_wait(floor: Floor) -> None:
    floor.type(DANA, START)

    assert "one release of a model at a time" in words(floor.type(PAM, START))


def test_nobody_approves_their_own_proposal(floor: Floor) -> None:
    floor.type(TOM, START)

    said = words(floor.type(TOM, "release approve R1"))

    assert "You proposed R1, so somebody else has to approve it. <@U0MIA> can." in said
    assert floor.rollout().state is State.AWAITING_APPROVAL


def test_a_taken_slot_is_told_with_everything_else_that_is_wrong(floor: Floor) -> None:
    floor.started()
    floor.clock.advance(minutes=20)
    floor.phones_report(crashing=0)
    floor.register(an_artifact("1.5.0"))

    said = words(floor.type(DANA, "release start kws@1.5.0 where=platform=ios"))

    assert "platform=ios matches none of last week's 400 installs; widen it" in said
    assert "R1 of kws is progressing; one release of a model at a time" in said


def test_a_file_that_is_not_there_is_told_with_the_mistakes_of_the_plan(floor: Floor) -> None:
    said = words(floor.type(DANA, "release start kws@9.9.9 to=25,5 bake=soon"))

    assert "kws@9.9.9 has no registered file" in said
    assert "to: must rise" in said
    assert "bake: must be a length of time" in said


def test_a_start_that_is_over_is_refused(floor: Floor) -> None:
    said = words(floor.type(DANA, "release start kws@1.4.0 start=2020-01-01T00:00Z"))

    assert "start: 2020-01-01T00:00:00+00:00 is past; leave it out to start once it is approved" in said


@pytest.mark.parametrize(
    ("line", "role"),
    [("approve", "approver"), ("advance", "operator"), ("pause", "operator"), ("halt", "operator, approver or admin"),
     ("kill", "operator, approver or admin")],
)  # fmt: skip
def test_without_the_right_the_answer_says_who_can(floor: Floor, line: str, role: str) -> None:
    floor.started()

    said = words(floor.type(PAM, f"release {line} R1"))

    assert f"it takes the role {role}" in said
    assert "<@U0" in said
    assert floor.rollout().state is State.PROGRESSING


def test_a_second_click_on_approve_is_answered_and_changes_nothing(floor: Floor) -> None:
    floor.type(DANA, START)
    floor.run()
    click = button_values(floor.card())["Approve"]

    floor.type(MIA, click)
    again = floor.type(TOM, click)

    assert "R1 is approved already, by <@U0MIA>" in again.text
    assert floor.history() == ["proposed", "approved"]


def test_an_approval_of_what_has_changed_since_is_out_of_date(floor: Floor) -> None:
    floor.type(DANA, START)

    said = words(floor.type(MIA, "release approve R1 seen=000000000000"))

    assert "has changed since this was shown: look again" in said
    assert floor.rollout().state is State.AWAITING_APPROVAL


def test_two_clicks_on_the_same_advance_button_widen_one_stage(floor: Floor) -> None:
    floor.started()
    floor.run()
    click = button_values(floor.card())["Advance"]

    floor.type(DANA, click)
    late = floor.type(TOM, click)

    assert "has moved on to stage 2 since this was shown" in late.text
    assert floor.rollout().stage == 1


def test_a_command_that_is_heard_twice_is_carried_out_once(floor: Floor) -> None:
    floor.started()

    floor.type(DANA, "release advance R1", delivery="dlv_1")
    answer = floor.type(DANA, "release advance R1", delivery="dlv_1")

    assert "goes on" in answer.text
    assert floor.rollout().stage == 1


def test_the_operator_cannot_advance_past_a_breach(floor: Floor) -> None:
    floor.started()
    floor.clock.advance(minutes=20)
    floor.phones_report(crashing=0.5)

    said = words(floor.type(DANA, "release advance R1"))

    assert "A guardrail is breached" in said
    assert floor.rollout().stage == 0


def test_a_stage_that_needs_approval_waits_for_a_second_person(floor: Floor) -> None:
    floor.type(DANA, f"{START} approve=25")
    floor.type(MIA, "release approve R1")
    floor.tick()
    floor.clock.advance(hours=1, minutes=10)
    floor.phones_report(crashing=0)
    floor.tick()
    floor.run()

    assert "25 % needs an approval" in words(floor.card())
    floor.type(MIA, button_values(floor.card())["Approve"])
    floor.tick()

    assert (floor.rollout().state, floor.rollout().stage) == (State.PROGRESSING, 1)


def test_after_a_halt_only_an_approval_goes_on(floor: Floor) -> None:
    floor.started()
    floor.type(MIA, 'release halt R1 reason="<!channel> looks bad"')

    assert "goes on only after an approval" in words(floor.type(DANA, "release resume R1"))
    floor.type(MIA, "release approve R1")

    assert floor.rollout().state is State.PROGRESSING


def test_the_four_stops_are_different_and_each_is_late_the_second_time(floor: Floor) -> None:
    floor.started()

    assert "is paused" in floor.type(DANA, "release pause R1").text
    assert "is paused already, by <@U0DANA>" in floor.type(TOM, "release pause R1").text
    assert "is halted" in floor.type(MIA, "release halt R1").text
    assert "is halted already" in floor.type(DANA, "release halt R1").text
    assert "is being rolled back" in floor.type(MIA, "release rollback R1").text
    assert "is rolling back already" in floor.type(MIA, "release rollback R1").text
    assert "is killed" in floor.type(TOM, "release kill R1").text
    assert "cannot be paused now" in floor.type(DANA, "release pause R1").text


def test_a_rolled_back_version_can_never_be_proposed_again(floor: Floor) -> None:
    floor.started()
    floor.type(MIA, "release kill R1")
    floor.clock.advance(days=2)
    floor.tick()

    assert "quarantined" in words(floor.type(DANA, START))


def test_the_proposer_may_cancel_and_an_approver_reject(floor: Floor) -> None:
    floor.type(PAM, START)
    assert "is cancelled" in floor.type(PAM, "release cancel R1").text

    floor.type(PAM, START)
    assert "is rejected" in floor.type(MIA, 'release reject R2 reason="not this week"').text
    assert floor.history("R2") == ["proposed", "rejected"]


def test_a_dry_run_of_a_stop_changes_nothing(floor: Floor) -> None:
    floor.started()

    said = floor.type(MIA, "release halt R1 --dry-run").text

    assert "would be halted" in said
    assert floor.rollout().state is State.PROGRESSING


def test_show_tells_state_findings_and_history(floor: Floor) -> None:
    floor.started()
    floor.clock.advance(minutes=20)
    floor.phones_report(crashing=0)

    said = words(floor.type(PAM, "release show r1"))

    for part in ("R1 · kws 1.3.2 → 1.4.0", "Progressing", "Bakes until Mon 16 Nov 10:00 UTC", "Crash rate 0 %",
                 "approved by <@U0MIA>", "started"):  # fmt: skip
        assert part in said


def test_a_segment_that_matches_nobody_is_told_with_what_to_do(floor: Floor) -> None:
    floor.used_and_over()
    floor.register(an_artifact("1.5.0"))

    said = words(floor.type(DANA, "release start kws@1.5.0 where=chipset=Unheard"))

    assert "chipset=Unheard matches none of last week's 400 installs; widen it" in said


def test_a_release_that_some_targeted_installs_cannot_run_does_not_start(floor: Floor) -> None:
    floor.used_and_over()
    floor.register(an_artifact("1.5.0", min_ram_gb=8.0))

    said = words(floor.type(DANA, "release start kws@1.5.0"))

    assert "400 of last week's installs can run no file of 1.5.0" in said
    assert "needs 8 GB of memory" in said
