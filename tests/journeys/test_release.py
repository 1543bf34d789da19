"""Journey B, as people live it: proposed, approved by somebody else, offered, stopped by a button, ticketed once."""

from __future__ import annotations

from collections import Counter

from sandbox import acting
from tests.journeys.conftest import Living, eventually

START = '/muster release start kws@1.4.0 to=5,25,100 bake=24h guard="crash_rate<+0.2pt" reason="hears better"'


def offered(living: Living, installs: int = 300) -> Counter[str]:
    """Ask as so many phones; count the versions they are told to run."""
    told: Counter[str] = Counter()
    for number in range(installs):
        context = {"targetingKey": f"journey-{number}", "platform": "android", "model.version": "1.3.2"}
        flag = living.phone("POST", "/ofrep/v1/evaluate/flags/kws", json={"context": context}).json()
        told[flag["value"]["version"]] += 1
    return told


def state_of(living: Living, name: str) -> str:
    return str(living.pipeline("GET", f"/v1/releases/{name}").json()["state"])


def test_a_release_lives_from_proposal_to_rollback(living: Living) -> None:
    proposed = living.say("Dana", "#model-releases", START, until="is proposed")
    name = acting.words(proposed).split("·")[0].split()[-1].strip("*")
    living.say("Dana", "#model-releases", f"/muster release approve {name}", until="You may not")
    assert state_of(living, name) == "awaiting_approval"
    assert set(offered(living, 50)) == {"1.3.2"}

    living.press("Mia", "#model-releases", "Approve", until="started")
    eventually(lambda: state_of(living, name) == "progressing")
    eventually(lambda: offered(living)["1.4.0"])
    assert 1 <= offered(living)["1.4.0"] <= 31  # 5 % of 300, give or take four standard deviations

    living.press("Mia", "#model-releases", "Roll back", until="rolled back")
    eventually(lambda: state_of(living, name) in ("rolling_back", "rolled_back"))
    eventually(lambda: set(offered(living, 100)) == {"1.3.2"})

    again = living.say("Dana", "#model-releases", START, until="never")
    assert again["ephemeral_to"] == "U0DANA"


def test_a_plan_with_mistakes_is_answered_with_all_of_them(living: Living) -> None:
    told = living.say(
        "Dana",
        "#model-releases",
        '/muster release start kws@9.9.9 to=25,5 bake=soon guard="crash_rte<+0.2pt" where="chipst=x"',
        until="crash_rte",
    )

    said = acting.words(told)
    assert all(word in said for word in ("bake", "chipst"))


def test_who_may_not_is_told_who_may(living: Living) -> None:
    told = living.say("Pam", "#model-releases", "/muster role grant @Pam admin", until="U0TOM")

    assert told["ephemeral_to"] == "U0PAM"
