"""Holdback, A/A and what stands after a release that did not reach everybody."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from sqlalchemy.orm import Session

from core.db import Databases
from core.device import DeviceContext
from core.errors import InvalidInputError
from releases import artifact_store, store
from releases.buckets import bucket, is_held_back
from releases.catalog import read_slots
from releases.offers import Live, Offer, Slot, offer
from releases.plan import Plan, parse_plan, text
from releases.rollout import Advance, Complete, Halt, RollBack, State
from tests.builders import T0
from tests.releases.builders import a_release, a_rollout, an_artifact, do, propose, register_both, start

ANDROID = DeviceContext(platform="android", ram_gb=8.0)
IPHONE = DeviceContext(platform="ios", ram_gb=8.0)
HELD = parse_plan(to="50,100", bake="1h", guard="none", holdback="10")
INSTALLS = [f"device-{n}" for n in range(300)]


def a_slot(plan: Plan, stage: int) -> Slot:
    live = Live(release=a_release(plan), rollout=a_rollout(stage=stage), candidates=(an_artifact(),))
    return Slot(model="kws", baselines=(an_artifact("1.3.2"),), live=live)


def versions(offers: Sequence[Offer]) -> set[str | None]:
    return {found.artifact.version if found.artifact else None for found in offers}


def held_back(install: str) -> bool:
    return is_held_back("holdback-2026Q4", install, 10)


def test_the_salt_of_the_holdback_is_its_quarters() -> None:
    assert a_release(HELD).holdback_salt == "holdback-2026Q4"
    assert bucket(a_release(HELD).holdback_salt, "device-42") == 62547


@pytest.mark.parametrize("stage", [0, 1])
def test_who_is_held_back_keeps_the_baseline_at_every_share(stage: int) -> None:
    offers = {install: offer(install, ANDROID, a_slot(HELD, stage)) for install in INSTALLS}
    held = [found for install, found in offers.items() if held_back(install)]

    assert 10 <= len(held) <= 60
    assert versions(held) == {"1.3.2"}
    assert {found.arm for found in held} == {"baseline" if stage else "none"}
    if stage == 1:
        assert versions([found for install, found in offers.items() if not held_back(install)]) == {"1.4.0"}


def test_the_holdback_stays_on_the_earlier_baseline_when_the_release_is_over(databases: Databases) -> None:
    with databases.control.begin() as session:
        register_both(session)
        _, rollout = start(session, HELD)
        do(session, rollout, Complete(reason="done"))
        slot = _slot(session)

        held, others = ([install for install in INSTALLS if held_back(install) is is_in] for is_in in (True, False))
        assert versions([offer(install, ANDROID, slot) for install in held]) == {"1.3.2"}
        assert versions([offer(install, ANDROID, slot) for install in others]) == {"1.4.0"}


def test_devices_that_a_completed_release_was_not_for_keep_what_they_had(databases: Databases) -> None:
    with databases.control.begin() as session:
        register_both(session)
        artifact_store.register_artifact(session, an_artifact("1.5.0"), app="demo", by="key_1", now=T0)
        _, rollout = start(session, parse_plan(to="5,100", bake="1h", guard="none", where="platform=android"))
        do(session, rollout, Complete(reason="done"))
        assert versions([offer("device-1", IPHONE, _slot(session))]) == {"1.3.2"}
        assert versions([offer("device-1", ANDROID, _slot(session))]) == {"1.4.0"}

        _, rollout = start(session, parse_plan(to="50,100", bake="1h", guard="none"), version="1.5.0")
        offers = [offer(install, IPHONE, _slot(session)) for install in INSTALLS]
        assert versions(offers) == {"1.3.2", "1.5.0"}
        # Nobody on 1.3.2 may pass for the baseline 1.4.0 that 1.5.0 is compared with.
        assert {found.arm for found in offers if versions([found]) == {"1.3.2"}} == {"none"}

        do(session, rollout, Advance(stage=1, reason="go"), Complete(reason="done"))
        assert versions([offer(install, IPHONE, _slot(session)) for install in INSTALLS]) == {"1.5.0"}


def test_a_comparison_of_the_baseline_with_itself_offers_one_file_in_two_arms(databases: Databases) -> None:
    plan = parse_plan(to="50,100", bake="1h", mode="aa")
    with databases.control.begin() as session:
        register_both(session)
        with pytest.raises(InvalidInputError, match=r"say kws@1\.3\.2"):
            propose(session, plan)
        release, rollout = start(session, plan, version="1.3.2")

        offers = [offer(install, ANDROID, _slot(session)) for install in INSTALLS]
        assert versions(offers) == {"1.3.2"}
        assert {found.arm for found in offers} == {"candidate", "baseline"}

        do(session, rollout, Halt(reason="enough"), RollBack(reason="enough"))
        assert not artifact_store.find_artifact(session, app="demo", sha256=release.candidates[0]).quarantined
        assert store.load_rollout(session, release.id).state is State.ROLLING_BACK


def test_holdback_and_mode_are_part_of_what_is_approved() -> None:
    assert text(HELD) == 'to=50,100 bake=1h guard="none" holdback=10'
    assert text(parse_plan(to="50,100", mode="aa", guard="none", approvals="2")).endswith("approvals=2 mode=aa")


@pytest.mark.parametrize(
    ("typed", "path"), [({"holdback": "60"}, "holdback"), ({"holdback": "some"}, "holdback"), ({"mode": "ab"}, "mode"),
                        ({"approvals": "0"}, "approvals"), ({"approvals": "11"}, "approvals")],
)  # fmt: skip
def test_a_mistyped_option_is_told_by_its_name(typed: dict[str, str], path: str) -> None:
    with pytest.raises(InvalidInputError) as caught:
        parse_plan(to="5,100", **typed)

    assert [problem.path for problem in caught.value.problems] == [path]


def _slot(session: Session) -> Slot:
    return read_slots(session)["demo"][0]
