"""Which cohort got worse, and how sure that is. Fleets are simulated with fixed seeds."""

import random
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import hypergeom

from core.arms import ArmName
from core.device import DeviceContext
from core.segments import EVERYONE
from feedback.regressions import Leaf, find_regressions, fingerprint, tally
from feedback.scores import Z95, discoveries

CHIPS = ("Helio G35", "Tensor G2", "A16", "SD 8", "Exynos", "Kirin", "Unisoc", "Dimensity")
Row = tuple[DeviceContext, ArmName, float, float]
Chance = Callable[[DeviceContext, ArmName], float]


def a_fleet(chance: Chance, *, installs: int = 2400, hours: int = 10, seed: int = 0) -> list[Row]:
    """Phones of eight chipsets, two accelerators and four systems, half in each arm; each hour harmed by chance."""
    rng = random.Random(seed)
    rows: list[Row] = []
    for number in range(installs):
        device = DeviceContext(
            chipset=rng.choice(CHIPS),
            accelerator=rng.choice(("nnapi", "gpu")),
            os=rng.choice(("11", "12", "13", "14")),
            model_version="1.4.0" if number % 2 else "1.3.2",
        )
        arm: ArmName = "candidate" if number % 2 else "baseline"
        rows.append((device, arm, hours, sum(rng.random() < chance(device, arm) for _ in range(hours))))
    return rows


def found(rows: list[Row], metric: str = "crash_rate") -> list[str]:
    return [regression.cohort for regression in find_regressions(tally(rows), metric=metric)]


def harms(where: Callable[[DeviceContext], bool], usual: float = 0.02, bad: float = 0.2) -> Chance:
    return lambda device, arm: bad if arm == "candidate" and where(device) else usual


def test_a_fault_in_a_pair_of_values_is_told_as_that_pair() -> None:
    fault = harms(lambda device: device.chipset == "Helio G35" and device.accelerator == "nnapi")

    assert found(a_fleet(fault)) == ['accelerator=nnapi and chipset="Helio G35"']


def test_a_fault_in_one_value_is_told_as_that_value() -> None:
    assert found(a_fleet(harms(lambda device: device.chipset == "A16"))) == ["chipset=A16"]


@pytest.mark.parametrize("installs", [160, 2400])
def test_a_fault_is_told_where_it_is_even_if_the_baseline_never_crashes(installs: int) -> None:
    fault = harms(lambda device: device.chipset == "A16", usual=0.0, bad=0.4)

    assert found(a_fleet(fault, installs=installs)) == ["chipset=A16"]


def test_a_fault_of_everyone_is_told_as_everyone() -> None:
    assert found(a_fleet(harms(lambda _: True, bad=0.06))) == [""]


def test_two_faults_are_told_the_larger_first() -> None:
    two: Chance = lambda device, arm: (  # noqa: E731
        0.02 if arm == "baseline" else {"A16": 0.3, "Kirin": 0.15}.get(device.chipset or "", 0.02)
    )

    assert found(a_fleet(two)) == ["chipset=A16", "chipset=Kirin"]


@pytest.mark.parametrize("first", range(0, 60, 20))
def test_when_nothing_is_wrong_little_is_found(first: int) -> None:
    alarms = [found(a_fleet(lambda *_: 0.03, installs=600, hours=4, seed=seed)) for seed in range(first, first + 20)]

    assert sum(map(bool, alarms)) <= 3  # of 20 with a chance of at most .05, more than 3 come 1.6 % of the time


def test_what_got_better_is_no_regression() -> None:
    assert found(a_fleet(lambda _, arm: 0.2 if arm == "baseline" else 0.02)) == []


def test_a_single_phone_that_fails_every_hour_is_no_regression() -> None:
    rows = a_fleet(lambda *_: 0.0)
    device = DeviceContext(chipset="A16", accelerator="gpu")

    assert found([*rows, (device, "candidate", 1000, 1000)]) == []


def test_a_cohort_of_few_is_not_named() -> None:
    fault = a_fleet(harms(lambda device: device.chipset == "A16" and device.os == "14"), installs=200, seed=3)
    few = [row for row in fault if row[0].chipset == "A16" and row[0].os == "14"]

    assert 0 < len(few) < 20
    assert "chipset=A16 and os=14" not in found(fault)
    assert found(few) == []


def test_rules_for_the_same_phones_are_told_as_twins_and_the_shortest_first() -> None:
    rows = a_fleet(harms(lambda device: device.chipset == "Helio G35"))
    only_one_device: list[Row] = []
    for device, arm, n, total in rows:
        name = "Redmi 9C" if device.chipset == "Helio G35" else "other"
        only_one_device.append((DeviceContext(chipset=device.chipset, device=name), arm, n, total))

    (regression,) = find_regressions(tally(only_one_device), metric="crash_rate")

    assert regression.cohort == 'chipset="Helio G35"'
    assert regression.twins == ('device="Redmi 9C"',)


def test_low_ratings_are_found_and_told_as_ratings() -> None:
    rng = random.Random(5)
    rows: list[Row] = []
    for device, arm, _, _ in a_fleet(lambda *_: 0.0, installs=1600, seed=6):
        is_bad = arm == "candidate" and device.chipset == "A16"
        rows.append((device, arm, 1, rng.choice((1, 2, 3) if is_bad else (3, 4, 5, 5))))

    (regression,) = find_regressions(tally(rows), metric="csat")

    assert regression.cohort == "chipset=A16"
    assert regression.baseline == pytest.approx(mean_of(rows, "baseline"))
    assert regression.candidate == pytest.approx(mean_of(rows, "candidate"))
    assert regression.low < regression.effect == pytest.approx(regression.candidate - regression.baseline)
    assert regression.effect < regression.high < 0


def mean_of(rows: list[Row], arm: ArmName) -> float:
    ratings = [total for device, each, _, total in rows if each == arm and device.chipset == "A16"]
    return sum(ratings) / len(ratings)


def test_the_numbers_of_a_regression_are_those_of_its_cohort() -> None:
    rows = a_fleet(harms(lambda device: device.chipset == "A16"))

    (regression,) = find_regressions(tally(rows), metric="crash_rate")

    mine = [row for row in rows if row[0].chipset == "A16"]
    candidate = [row for row in mine if row[1] == "candidate"]
    assert regression.installs_candidate == len(candidate)
    assert regression.installs_baseline == len(mine) - len(candidate)
    assert regression.candidate == pytest.approx(sum(row[3] for row in candidate) / sum(row[2] for row in candidate))
    assert regression.low < 0.18 < regression.high


def one_cohort(harmed_baseline: int, harmed_candidate: int, installs: int) -> list[Row]:
    device = DeviceContext(chipset="A16")
    arms: tuple[tuple[ArmName, int], ...] = (("baseline", harmed_baseline), ("candidate", harmed_candidate))
    return [(device, arm, 1.0, float(number < harmed)) for arm, harmed in arms for number in range(installs)]


@pytest.mark.parametrize(("harmed_baseline", "harmed_candidate"), [(2, 14), (5, 20), (0, 9), (30, 60)])
def test_the_chance_agrees_with_permuting_the_installs(harmed_baseline: int, harmed_candidate: int) -> None:
    rows = one_cohort(harmed_baseline, harmed_candidate, 100)
    (regression,) = find_regressions(tally(rows), metric="crash_rate")

    exact = float(hypergeom.sf(harmed_candidate - 1, 200, harmed_baseline + harmed_candidate, 100))
    assert 0.9 * exact <= regression.p <= 2.5 * exact  # the half harm of continuity errs on the safe side


def test_the_chance_agrees_with_shuffling_when_phones_differ() -> None:
    rng = random.Random(7)
    rows = a_fleet(harms(lambda _: True, usual=0.05, bad=0.09), installs=200, hours=6, seed=11)
    clustered = [(DeviceContext(), arm, n, min(n, total * rng.choice((1, 1, 3)))) for _, arm, n, total in rows]
    (regression,) = find_regressions(tally(clustered), metric="crash_rate", alpha=0.5)

    totals = [total for _, _, _, total in clustered]
    seen = sum(total for _, arm, _, total in clustered if arm == "candidate")
    shuffled = [sum(rng.sample(totals, 100)) >= seen for _ in range(20_000)]

    assert sum(shuffled) / len(shuffled) == pytest.approx(regression.p, abs=0.02)


def test_the_interval_covers_the_true_effect_as_often_as_it_says() -> None:
    covered = 0
    for seed in range(60):
        rows = a_fleet(harms(lambda _: True, usual=0.05, bad=0.15), installs=300, hours=4, seed=seed)
        (regression, *_) = find_regressions(tally(rows), metric="crash_rate")
        if regression.cohort == "":
            covered += regression.low <= 0.10 <= regression.high

    assert covered >= 51  # 57 of 60 expected; fewer than 52 come 0.9 % of the time


def test_no_leaves_and_one_arm_alone_have_no_regression() -> None:
    rows = a_fleet(lambda *_: 0.5, installs=400)

    assert find_regressions((), metric="crash_rate") == ()
    assert found([row for row in rows if row[1] == "candidate"]) == []


@given(st.permutations(list(range(40))))
def test_leaves_are_the_same_in_any_order(order: list[int]) -> None:
    rows = a_fleet(harms(lambda _: True), installs=40, hours=3)

    def known(leaf: Leaf) -> str:
        return repr(leaf)

    assert sorted(tally(rows[index] for index in order), key=known) == sorted(tally(rows), key=known)


def test_a_fingerprint_is_sixteen_hex_digits_and_depends_on_every_part() -> None:
    parts = ("demo", "kws", "crash_rate", "chipset=A16", "1.4.0")
    others = {fingerprint(*(part + "x" if at == each else part for at, part in enumerate(parts))) for each in range(5)}

    # printf 'demo\0kws\0crash_rate\0chipset=A16\0001.4.0\0' | sha256sum
    assert fingerprint(*parts) == "39c754028fe63f58"
    assert len(others | {fingerprint(*parts)}) == 6
    assert fingerprint("a", "bc", "", "", "") != fingerprint("ab", "c", "", "", "")


# The worked example of Benjamini and Hochberg (1995): of these 15 p-values the first four stand at a rate of .05.
BH_EXAMPLE = [
    0.0001,
    0.0004,
    0.0019,
    0.0095,
    0.0201,
    0.0278,
    0.0298,
    0.0344,
    0.0459,
    0.3240,
    0.4262,
    0.5719,
    0.6528,
    0.7590,
    1.0,
]


def test_discoveries_are_those_of_the_published_example() -> None:
    assert discoveries(BH_EXAMPLE, 0.05) == {0, 1, 2, 3}
    assert discoveries(BH_EXAMPLE[::-1], 0.05) == {11, 12, 13, 14}
    assert discoveries([], 0.05) == frozenset()
    assert pytest.approx(1.959964, abs=1e-6) == Z95


def test_everyone_wins_over_the_one_value_that_all_have_in_common() -> None:
    (regression,) = find_regressions(tally(one_cohort(5, 40, 100)), metric="crash_rate")

    assert (regression.cohort, regression.segment, regression.twins) == ("", EVERYONE, ())
