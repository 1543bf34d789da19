"""What people type and click in Slack is answered, over signed HTTP and back."""

from __future__ import annotations

from tests.bot.workspace import DANA, FEEDBACK, PAM, TOM, Workspace


def test_a_command_is_acknowledged_at_once_and_answered_to_the_asker_alone(workspace: Workspace) -> None:
    outcome = workspace.say(PAM, "/muster whoami")

    assert outcome.ok
    assert workspace.messages() == []
    workspace.settle()
    answer = workspace.last()
    assert answer.ephemeral_to == PAM
    assert "You have no role" in answer.text


def test_a_delivery_that_slack_repeats_is_answered_once(workspace: Workspace) -> None:
    workspace.world.faults.set(slack_retry=True)

    workspace.say(TOM, f"/muster role grant <@{DANA}> operator")
    workspace.settle()

    assert [message.text for message in workspace.messages()] == [f"<@{DANA}> is now operator of every model."]


def test_a_mention_is_answered_in_its_thread(workspace: Workspace) -> None:
    workspace.say(PAM, "@Muster status", FEEDBACK)
    workspace.settle()

    asked, answer = workspace.messages()
    assert answer.thread_ts == asked.ts
    assert "No release" in answer.text or "0 releases are open" in answer.text


def test_a_direct_message_is_a_command_too(workspace: Workspace) -> None:
    workspace.say(PAM, "whoami", "D0PAM")
    workspace.settle()

    assert "You have no role" in workspace.last().text


def test_an_unknown_word_comes_with_a_button_that_runs_what_was_meant(workspace: Workspace) -> None:
    answer = workspace.ask(PAM, "statsu")

    assert "No word *statsu*. Did you mean `/muster status`?" in answer.text
    workspace.click(PAM, answer, "Run it")
    workspace.settle()
    assert "0 releases are open" in workspace.last().text
    assert workspace.last().ephemeral_to == PAM


def test_other_tools_words_are_answered_with_ours(workspace: Workspace) -> None:
    answer = workspace.ask(PAM, "survey ls")

    assert "survey is poll here" in workspace.said(answer)


def test_somebody_without_the_right_learns_who_can(workspace: Workspace) -> None:
    answer = workspace.ask(PAM, "role grant @Mia approver")

    assert answer.ephemeral_to == PAM
    assert f"<@{TOM}> can." in answer.text
    assert "error E-" in workspace.said(answer)


def test_a_role_that_is_granted_is_told_in_the_channel_and_audited(workspace: Workspace) -> None:
    told = workspace.ask(TOM, "role grant @Mia approver model=kws")
    again = workspace.ask(TOM, "role grant @Mia approver model=kws")
    audited = workspace.ask(PAM, "audit")

    assert told.ephemeral_to is None
    assert told.text == "<@U0MIA> is now approver of kws."
    assert again.ephemeral_to == TOM
    assert "already" in again.text
    assert workspace.said(audited).count("role.grant") == 1


def test_a_dry_run_changes_nothing(workspace: Workspace) -> None:
    told = workspace.ask(TOM, "role grant @Mia approver --dry-run")

    assert "Nothing was changed" in told.text
    assert "Nobody changed anything" in workspace.ask(PAM, "audit").text
    assert "Mia" not in workspace.said(workspace.ask(PAM, "role list"))


def test_what_is_wrong_with_a_command_is_told_all_at_once(workspace: Workspace) -> None:
    answer = workspace.ask(TOM, "role grant nobody aprover modle=kws")

    assert "did you mean model=?" in answer.text


def test_people_cannot_ping_a_channel_through_us(workspace: Workspace) -> None:
    answer = workspace.ask(PAM, "<!channel> & friends")

    assert "<!channel>" not in workspace.said(answer)


def test_slack_being_down_delays_the_answer_and_never_loses_it(workspace: Workspace) -> None:
    workspace.say(PAM, "/muster whoami")
    workspace.world.faults.set(slack_down=True)
    workspace.settle()
    assert workspace.messages() == []

    workspace.world.faults.set(slack_down=False)
    workspace.settle()

    assert "You have no role" in workspace.last().text
    assert len(workspace.messages()) == 1


def test_too_many_requests_wait_as_long_as_slack_says(workspace: Workspace) -> None:
    workspace.world.faults.set(slack_429=1)
    workspace.say(PAM, "@Muster whoami", FEEDBACK)
    workspace.settle()
    assert len(workspace.messages()) == 1

    workspace.settle()

    assert len(workspace.messages()) == 2


def test_what_was_decided_is_not_decided_again_when_only_the_answer_was_lost(workspace: Workspace) -> None:
    workspace.say(TOM, "/muster role grant @Mia approver")
    workspace.world.faults.set(slack_down=True)
    workspace.settle()
    workspace.world.faults.set(slack_down=False)
    workspace.settle()

    assert workspace.last().text == "<@U0MIA> is now approver of every model."


def test_an_answer_whose_response_url_is_used_up_goes_another_way(workspace: Workspace) -> None:
    workspace.say(PAM, "/muster whoami")
    workspace.real.seconds += 31 * 60

    workspace.settle()

    assert workspace.last().ephemeral_to == PAM


def test_a_reading_answer_can_be_shared_in_the_channel(workspace: Workspace) -> None:
    shared = workspace.ask(PAM, "glossary guardrail --share")

    assert shared.ephemeral_to is None
    assert f"Shared by <@{PAM}>" in workspace.said(shared)


def test_the_home_shows_what_i_may_do(workspace: Workspace) -> None:
    workspace.ask(TOM, "role grant @Dana operator model=kws")

    workspace.world.people.open_home(DANA)
    workspace.settle()

    home = workspace.world.slack.windows.homes()[DANA]
    assert "operator of kws" in str(home.view)
