"""What regressions tell of cohorts gives nobody away who subtracts them from everybody, or from one another."""

from __future__ import annotations

from collections.abc import Hashable, Sequence

from hypothesis import given, settings
from hypothesis import strategies as st

from core import segments
from core.device import DeviceContext
from core.disclosure import Atoms
from core.segments import EVERYONE, Segment, matches
from feedback.gate import admit_cohorts
from tests.core.test_disclosure import MINIMUM, Crowd, attack

G35, TENSOR = segments.parse('chipset="Helio G35"'), segments.parse('chipset="Tensor G2"')
RULES = [
    segments.parse(" and ".join(parts))
    for parts in (["chipset=a"], ["chipset=b"], ["platform=ios"], ["country=DE"], ["chipset=a", "platform=ios"],
                  ["chipset=a", "country=DE"], ["chipset=a", "platform=ios", "country=DE"])
]  # fmt: skip
FLEETS = st.dictionaries(
    st.tuples(st.sampled_from("abc"), st.sampled_from(["ios", "android"]), st.sampled_from(["DE", "FR"])),
    st.integers(1, 60), min_size=1, max_size=12,
)  # fmt: skip

Installs = list[tuple[DeviceContext, int]]


def phones(**of_chipset: int) -> Installs:
    names = {"g35": "Helio G35", "tensor": "Tensor G2", "rare": "Unisoc T606"}
    return [(DeviceContext(chipset=names[name]), n) for name, n in of_chipset.items()]


def told(wanted: Sequence[Segment], installs: Installs, **more: Sequence[Segment]) -> frozenset[Segment]:
    return admit_cohorts(wanted, installs=installs, minimum=20, **{"earlier": (), **more})


def test_a_cohort_that_all_but_a_few_are_in_is_not_told_beside_everybody() -> None:
    assert told([G35], phones(g35=480, rare=12)) == frozenset()
    assert told([G35], phones(g35=480, rare=20)) == {G35}
    assert told([G35, EVERYONE], phones(g35=480)) == {G35, EVERYONE}


def test_two_cohorts_that_leave_a_few_over_are_not_both_told() -> None:
    assert told([G35, TENSOR], phones(g35=100, tensor=90, rare=5)) == {G35}


def test_a_cohort_that_was_told_before_has_to_pass_again() -> None:
    """At the look before there was nobody else; now a few have come, whom its new numbers would tell of."""
    assert told([G35], phones(g35=480)) == {G35}
    assert told([G35], phones(g35=480, rare=3), earlier=[G35]) == frozenset()


def test_what_was_told_at_looks_before_counts() -> None:
    assert told([TENSOR], phones(g35=100, tensor=90, rare=5), earlier=[G35]) == frozenset()


def test_the_cohort_that_was_stopped_is_told_and_the_others_beside_it_are_not() -> None:
    assert told([G35, TENSOR], phones(g35=100, tensor=90, rare=5), certain=[G35]) == {G35}


@settings(deadline=None, max_examples=60)
@given(FLEETS, FLEETS, st.permutations(RULES), st.permutations(RULES))
def test_who_knows_what_a_look_told_and_solves_for_the_rest_finds_nobody(
    fleet: dict[tuple[str, str, str], int], more: dict[tuple[str, str, str], int],
    first: list[Segment], second: list[Segment],
) -> None:  # fmt: skip
    """The fleet grows between two looks; at each the attacker holds everybody's numbers and those that were told."""
    before: frozenset[Segment] = frozenset()
    for grown, wanted in ((fleet, first), ({**fleet, **more}, second)):
        installs = [
            (DeviceContext(chipset=chip, platform=platform, country=country), n)
            for (chip, platform, country), n in grown.items()
        ]
        passed = admit_cohorts(wanted, earlier=sorted(before, key=str), installs=installs, minimum=MINIMUM)
        crowd = Crowd({place: n for place, (_, n) in enumerate(installs)})
        open_ = [_atoms(where, installs) for where in [EVERYONE, *passed]]

        if crowd.people(open_[0]) >= MINIMUM:
            assert attack(crowd, [each for each in open_ if each]) == []
        before |= passed


def _atoms(where: Segment, installs: Installs) -> Atoms:
    found: frozenset[Hashable] = frozenset(p for p, (device, _) in enumerate(installs) if matches(where, device))
    return found
