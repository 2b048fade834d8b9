import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simulator.light.sources import (
    from_linear,
    kelvin_colour,
    linear_of_srgb,
    linear_table,
    luminance,
    melanin_factor,
)


def test_every_8_bit_value_comes_back() -> None:
    assert np.array_equal(from_linear(linear_table()), np.arange(256))


def test_srgb_triples_are_turned_into_the_order_of_frames() -> None:
    assert linear_of_srgb((255, 0, 0)) == pytest.approx([0, 0, 1])


@settings(deadline=None)
@given(st.floats(1700, 20_000))
def test_light_of_any_temperature_has_luminance_1_and_positive_channels(kelvin: float) -> None:
    colour = kelvin_colour(kelvin)
    assert luminance(colour) == pytest.approx(1.0)
    assert colour.min() > 0


def test_lamps_are_warm_and_shade_is_blue() -> None:
    lamp, day, shade = kelvin_colour(2900), kelvin_colour(6500), kelvin_colour(10_000)
    assert lamp[2] > lamp[1] > lamp[0]
    assert day == pytest.approx([1, 1, 1], abs=0.06)
    assert shade[0] > shade[2]


def test_melanin_darkens_blue_most() -> None:
    factor = melanin_factor(1.0)
    assert factor[0] < factor[1] < factor[2] < 1
    assert melanin_factor(0.0) == pytest.approx([1, 1, 1])
    assert 0.15 < float(luminance(factor)) < 0.35
