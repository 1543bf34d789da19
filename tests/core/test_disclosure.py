"""The attacker subtracts, and solves whatever equations there are: nobody in a small group may come out."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import linprog

from core.disclosure import Atoms, disjoint, leaks, withhold

MINIMUM = 20


class Crowd:
    """Atoms, each with so many answers of people of its own."""

    def __init__(self, sizes: dict[Hashable, int]) -> None:
        self.sizes = {atom: size for atom, size in sizes.items() if size}

    def people(self, atoms: Iterable[Hashable]) -> int:
        return sum(self.sizes.get(atom, 0) for atom in atoms)

    def group(self, atoms: Iterable[Hashable]) -> Atoms:
        return frozenset(atom for atom in atoms if atom in self.sizes)


def derived(crowd: Crowd, told: Sequence[Atoms], wanted: Atoms) -> bool:
    """Tell whether linear programming fixes how many answers `wanted` has, from the told groups' numbers alone."""
    atoms = sorted(crowd.sizes, key=str)
    known = np.array([[atom in group for atom in atoms] for group in told], float)
    sums = np.array([crowd.people(group) for group in told], float)
    aim = np.array([atom in wanted for atom in atoms], float)
    ends = [linprog(sign * aim, A_eq=known, b_eq=sums, bounds=(0, None)) for sign in (1, -1)]
    low, high = (end.fun if end.status == 0 else np.inf for end in ends)
    return bool(abs(low + high) < 1e-6) and ends[1].status == 0


def small_sets(crowd: Crowd, told: Sequence[Atoms]) -> list[Atoms]:
    """Return what is worth attacking: atoms, and differences of up to three told groups, of fewer than the minimum."""
    found = {frozenset({atom}) for atom in crowd.sizes}
    for one in told:
        for other in told:
            found |= {one - other, one & other, *(one - other - third for third in told)}
    return [each for each in found if 0 < crowd.people(each) < MINIMUM]


def attack(crowd: Crowd, told: Sequence[Atoms]) -> list[Atoms]:
    return [each for each in small_sets(crowd, told) if derived(crowd, told, each)] if told else []


def shown(groups: Sequence[Atoms], crowd: Crowd, told: Sequence[Atoms] = ()) -> list[Atoms]:
    hidden = withhold(groups, people=crowd.people, minimum=MINIMUM, told=told)
    return [group for place, group in enumerate(groups) if place not in hidden]


def table(crowd: Crowd, attribute: int, where: Iterable[Hashable] | None = None) -> list[Atoms]:
    """Return a report's groups: everybody of `where`, and one for each value of an attribute of the atoms."""
    inside = crowd.group(crowd.sizes if where is None else where)
    values = sorted({atom[attribute] for atom in inside if isinstance(atom, tuple)})
    return [inside, *(frozenset(a for a in inside if isinstance(a, tuple) and a[attribute] == v) for v in values)]


CUBES = st.dictionaries(
    st.tuples(st.sampled_from("abcd"), st.sampled_from("xyz"), st.integers(0, 2)),
    st.integers(0, 45), min_size=2, max_size=24,
)  # fmt: skip


@settings(deadline=None, max_examples=60)
@given(CUBES)
def test_over_one_table_nobody_comes_out(sizes: dict[Hashable, int]) -> None:
    crowd = Crowd(sizes)

    told = shown(table(crowd, 0), crowd)

    assert all(crowd.people(group) >= MINIMUM for group in told if group)
    assert attack(crowd, told) == []


@settings(deadline=None, max_examples=40)
@given(CUBES)
def test_over_tables_over_filters_and_over_weeks_nobody_comes_out(sizes: dict[Hashable, int]) -> None:
    """By one attribute and by another, all less one platform, this week less the last: one after the other."""
    crowd = Crowd(sizes)
    without = [atom for atom in crowd.sizes if isinstance(atom, tuple) and atom[1] != "x"]
    last_week = [atom for atom in crowd.sizes if isinstance(atom, tuple) and atom[2] == 0]
    two_weeks = [atom for atom in crowd.sizes if isinstance(atom, tuple) and atom[2] <= 1]
    told: list[Atoms] = []

    for asked in (table(crowd, 0), table(crowd, 1), table(crowd, 0, without), table(crowd, 0, last_week),
                  table(crowd, 0, two_weeks), table(crowd, 2)):  # fmt: skip
        told += shown(asked, crowd, told)

    assert attack(crowd, told) == []


def test_hiding_small_groups_alone_would_not_do() -> None:
    """The attack is one that works: without the complement, and without memory, it finds people."""
    crowd = Crowd({("a", "x", 0): 40, ("b", "x", 0): 30, ("c", "x", 0): 3})
    everybody, a, b, _ = table(crowd, 0)

    assert attack(crowd, [everybody, a, b]) == [frozenset({("c", "x", 0)})]
    assert [leak.given for leak in leaks([everybody, a, b], people=crowd.people, minimum=MINIMUM)] == [{("c", "x", 0)}]


def test_what_is_out_already_does_not_silence_everything_else() -> None:
    """Somebody erased their answers, and two old reports differ by a few now: of others there still is a lot to say."""
    crowd = Crowd({"old": 60, "few": 4, "others": 50})
    told = [crowd.group(["old"]), crowd.group(["old", "few"])]

    assert shown([crowd.group(["others"])], crowd, told) == [crowd.group(["others"])]


@pytest.mark.parametrize(
    ("before", "now"),
    [
        pytest.param("all", "all but few", id="all less Android"),
        pytest.param("all but few", "all", id="Android, then all"),
    ],
)
def test_a_difference_of_two_answers_is_as_good_as_an_answer(before: str, now: str) -> None:
    crowd = Crowd({"android": 100, "ios": 5})
    named = {"all": crowd.group(["android", "ios"]), "all but few": crowd.group(["android"])}

    assert shown([named[before]], crowd) == [named[before]]
    assert shown([named[now]], crowd, [named[before]]) == []


def test_asking_again_gives_the_same_and_a_few_more_people_do_not_come_out() -> None:
    crowd = Crowd({"monday": 60, "tuesday": 4})
    monday, both = crowd.group(["monday"]), crowd.group(["monday", "tuesday"])

    assert shown([monday], crowd, [monday]) == [monday]
    assert shown([both], crowd, [monday]) == []


def test_a_few_people_whom_several_answers_enclose_do_not_come_out() -> None:
    """No two answers differ by a few, but a sum of two less a third does."""
    crowd = Crowd({"a": 30, "b": 30, "few": 2})
    told = [crowd.group(["a", "few"]), crowd.group(["b", "few"])]

    assert shown([crowd.group(["a", "b"])], crowd, told) == []


def test_one_person_with_many_answers_is_one_person() -> None:
    said_by = {"morning": {"ann"}, "noon": {"ann"}, "night": {f"person {n}" for n in range(30)}}

    def people(atoms: Iterable[Hashable]) -> int:
        return len(set().union(*(said_by[str(atom)] for atom in atoms)))

    groups = [frozenset(said_by), frozenset({"night"})]

    assert len(withhold(groups, people=people, minimum=MINIMUM)) == 1


@given(st.lists(st.integers(0, 100), max_size=8))
def test_what_is_hidden_of_a_table_is_hidden_among_enough(counts: list[int]) -> None:
    cells, people = disjoint(counts)
    everybody = frozenset().union(*(cell for cell in cells if people(cell)))

    hidden = withhold(
        [*(cell if people(cell) else frozenset() for cell in cells), everybody], people=people, minimum=20
    )

    rest = sum(counts[place] for place in hidden if place < len(counts))
    assert len(counts) in hidden or rest == 0 or rest >= 20


def test_many_questions_in_a_row_give_nobody_away() -> None:
    rng = np.random.default_rng(5)
    crowd = Crowd(
        {(int(c), int(o), int(t)): int(rng.integers(1, 30)) for c in range(6) for o in range(4) for t in range(10)}
    )
    told: list[Atoms] = []
    for day in range(4):
        week = [atom for atom in crowd.sizes if isinstance(atom, tuple) and day <= atom[2] < day + 7]
        for attribute in (0, 1):
            told += shown(table(crowd, attribute, week), crowd, told)

    few = [each for each in small_sets(crowd, told) if len(each) > 1][:15]
    assert len(told) > 25
    assert not any(derived(crowd, told, each) for each in few)
