"""Groups of devices."""

import pytest

from core.errors import InvalidInputError
from core.segments import parse
from feedback import cohorts


def test_an_unknown_attribute_is_answered_with_the_nearest() -> None:
    with pytest.raises(InvalidInputError, match="no attribute 'chipst'; did you mean 'chipset'"):
        cohorts.attribute("chipst")


def test_a_cohort_of_several_values_is_written_in_one_way() -> None:
    one = cohorts.of(chipset="Helio G35", accelerator="nnapi")

    assert one == cohorts.of(accelerator="nnapi", chipset="Helio G35")
    assert one == parse('accelerator=nnapi and chipset="Helio G35"')
