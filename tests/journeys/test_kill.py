"""A worker killed with -9 while Jira makes its ticket leaves exactly one when it is back."""

from __future__ import annotations

from tests.journeys.conftest import eventually, opened

TICKET = '/muster ticket open kws@1.4.0 metric=crash_rate where="chipset=\'Helio G35\'" reason="crashes on start"'


def test_killing_the_worker_in_the_middle_of_opening_a_ticket_leaves_exactly_one() -> None:
    with opened() as living:
        jira, house = living.world.world.jira, living.world.house
        jira.hang_s = 30.0
        living.stage.switch({"jira_timeout_after_create": 1, "jira_lag_s": 5})
        assert living.stage.say("Dana", "#model-releases", TICKET)["ok"]
        eventually(lambda: living.stage.state()["jira"])  # Jira has made it; the worker still waits for the answer

        house.kill("worker")
        house.start("worker")

        key = living.stage.state()["jira"][0]["key"]
        living.heard(key, "#model-releases")
        assert len(living.stage.state()["jira"]) == 1
