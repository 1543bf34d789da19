"""Groups of devices."""

import pytest

from core.device import DeviceContext
from core.errors import InvalidInputError
from core.segments import matches, parse
from feedback import cohorts

DEVICES = [
    DeviceContext(chipset="Helio G35", ram_gb=4.0),
    DeviceContext(chipset="Tensor G2", ram_gb=8.0),
    DeviceContext(chipset="Helio G35"),
    DeviceContext(),
]


def test_devices_are_split_by_an_attribute_the_largest_cohort_first() -> None:
    found = cohorts.split_by("soc", DEVICES)

    assert [(cohort.label, cohort.installs) for cohort in found] == [
        ('chipset="Helio G35"', 2),
        ('chipset="Tensor G2"', 1),
    ]
    for cohort in found:
        assert sum(matches(cohort.segment, device) for device in DEVICES) == cohort.installs


def test_numbers_split_as_well() -> None:
    assert [cohort.label for cohort in cohorts.split_by("ram_gb", DEVICES)] == ["ram_gb=4", "ram_gb=8"]


def test_an_unknown_attribute_is_answered_with_the_nearest() -> None:
    with pytest.raises(InvalidInputError, match="no attribute 'chipst'; did you mean 'chipset'"):
        cohorts.split_by("chipst", DEVICES)


def test_a_cohort_of_several_values_is_written_in_one_way() -> None:
    one = cohorts.of(chipset="Helio G35", accelerator="nnapi")

    assert one == cohorts.of(accelerator="nnapi", chipset="Helio G35")
    assert one == parse('accelerator=nnapi and chipset="Helio G35"')
