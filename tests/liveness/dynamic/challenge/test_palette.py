from itertools import combinations, permutations

import pytest

from liveness.dynamic.challenge.palette import LEAD_IN, LOW, PALETTE

ALL = (*PALETTE, LEAD_IN)


def test_eight_different_corners_of_a_cube_in_linear_light() -> None:
    assert len(set(PALETTE)) == 8
    for colour in PALETTE:
        assert all(min(abs(light - LOW), abs(light - 1)) < 0.002 for light in colour.linear)


def test_any_two_colours_differ_by_the_same_light_in_some_channel() -> None:
    for one, other in combinations(PALETTE, 2):
        assert abs(one.linear - other.linear).max() == pytest.approx(1 - LOW, abs=0.002)


def test_the_lead_in_lies_half_way_in_light() -> None:
    assert LEAD_IN.linear == pytest.approx([(1 + LOW) / 2] * 3, abs=0.004)


def test_no_change_exceeds_the_bound_and_no_colour_is_black() -> None:
    for one, other in permutations(ALL, 2):
        assert abs(one.luminance - other.luminance) <= 0.86
    assert min(colour.luminance for colour in ALL) > 0.14
