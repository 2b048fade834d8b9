from itertools import combinations, permutations

import pytest

from liveness.dynamic.challenge.palette import (
    LARGEST_LUMINANCE_STEP,
    LARGEST_RED_SHARE,
    LEAD_IN,
    LOW,
    MOST_CHANGES_A_SECOND,
    PALETTE,
    flash_between,
    red_flash_between,
    red_share,
)
from liveness.dynamic.challenge.steps import SHORTEST_HOLD_SECONDS, ScreenColour

BLACK, WHITE = ScreenColour(0, 0, 0), ScreenColour(255, 255, 255)
RED, BLUE = ScreenColour(255, 0, 0), ScreenColour(0, 0, 255)
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
        assert abs(one.luminance - other.luminance) <= LARGEST_LUMINANCE_STEP
    assert min(colour.luminance for colour in ALL) > 0.14


def test_no_saturated_red_in_light_or_in_encoded_values() -> None:
    assert max(red_share(colour) for colour in ALL) < LARGEST_RED_SHARE
    assert max(colour.red / (colour.red + colour.green + colour.blue) for colour in ALL) < LARGEST_RED_SHARE
    assert not any(red_flash_between(one, other) for one, other in permutations(ALL, 2))


def test_the_rules_find_what_they_are_for() -> None:
    assert flash_between(BLACK, WHITE)
    assert not flash_between(ScreenColour(245, 245, 245), WHITE), "both are bright"
    assert not flash_between(BLACK, ScreenColour(60, 60, 60)), "less than a tenth"
    assert red_flash_between(RED, BLUE)
    assert red_flash_between(WHITE, RED)
    assert not red_flash_between(RED, ScreenColour(250, 10, 0)), "nearly the same red"
    assert red_share(BLACK) == 0


def test_the_shortest_hold_keeps_changes_to_three_a_second() -> None:
    assert 1 / SHORTEST_HOLD_SECONDS < MOST_CHANGES_A_SECOND
