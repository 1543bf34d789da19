"""What phones tell about their device, under both names."""

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.device import FIELDS, MAX_VALUE_CHARS, WIRE_NAMES, DeviceContext, short_name

# The context of the batch example in the design of the collector.
SENT = {
    "install": "5b1d",
    "app.version": "5.4.1",
    "os.name": "Android",
    "os.version": "14",
    "device.manufacturer": "Google",
    "device.model": "Pixel 7",
    "device.class": "high",
    "soc": "Tensor G2",
    "ram_gb": 8,
    "locale": "de-DE",
    "geo.country": "de",
    "model": {"name": "scan", "version": "3.2.0", "variant": "int8", "sha256": "ab12"},
    "runtime": "tflite-2.16",
    "accelerator": "nnapi",
    "consent": {"granted": True},
}


def test_a_context_is_read_as_phones_send_it() -> None:
    device = DeviceContext.from_wire(SENT)

    assert device == DeviceContext(
        platform="android",
        os="14",
        manufacturer="Google",
        device="Pixel 7",
        tier="high",
        chipset="Tensor G2",
        ram_gb=8.0,
        locale="de-DE",
        country="DE",
        app_version="5.4.1",
        model="scan",
        model_version="3.2.0",
        variant="int8",
        runtime="tflite-2.16",
        accelerator="nnapi",
    )


def test_flat_and_short_names_are_read_as_well() -> None:
    assert DeviceContext.from_wire({"model": "scan", "model.version": "3", "chipset": "G2"}) == DeviceContext(
        model="scan", model_version="3", chipset="G2"
    )


def test_the_wire_name_wins_over_the_short_one() -> None:
    for context in ({"soc": "wire", "chipset": "short"}, {"chipset": "short", "soc": "wire"}):
        assert DeviceContext.from_wire(context).chipset == "wire"


def test_a_value_is_found_under_both_names() -> None:
    device = DeviceContext.from_wire(SENT)

    for wire, short in FIELDS.items():
        assert device.value(wire) == device.value(short) == getattr(device, short)
    assert device.value("ram_gb") == 8.0
    assert device.label("ram_gb") == "8"


def test_an_unknown_field_is_an_error_and_not_an_empty_value() -> None:
    assert short_name("colour") is None
    with pytest.raises(KeyError):
        DeviceContext().value("colour")


@pytest.mark.parametrize(
    "value", [True, "", "many", -1, 0, 10_000, math.inf, math.nan, None, [8], {"gb": 8}, "1" * 500]
)
def test_memory_that_cannot_be_counts_as_not_told(value: object) -> None:
    assert DeviceContext.from_wire({"ram_gb": value}).ram_gb is None


def test_long_and_dirty_words_are_clipped_and_cleaned() -> None:
    device = DeviceContext.from_wire(
        {"soc": "  a\n\tb\x00 " + "x" * 500, "locale": ["de"], "os.version": 14, "runtime": False}
    )

    assert device.chipset is not None
    assert device.chipset.startswith("a b x")
    assert len(device.chipset) == MAX_VALUE_CHARS
    assert (device.locale, device.os, device.runtime) == (None, "14", None)


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=90),
    lambda inner: (
        st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from(["name", "version", "x"]), inner, max_size=3)
    ),
    max_leaves=4,
)


@given(st.dictionaries(st.sampled_from([*FIELDS, *WIRE_NAMES, "model", "x"]), anything, max_size=8))
def test_reading_never_fails_and_what_was_read_is_read_again(context: dict[str, Any]) -> None:
    device = DeviceContext.from_wire(context)

    assert DeviceContext.from_wire(device.to_wire()) == device
