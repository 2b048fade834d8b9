from itertools import combinations, permutations

import numpy as np
import pytest

from liveness.dynamic.challenge.script import (
    LEAD_IN,
    LOW,
    PALETTE,
    SHORTEST_HOLD_SECONDS,
    ColourStep,
    ScreenColour,
    Transition,
)
from liveness.errors import LivenessPolicyError


def _step(**changes: object) -> ColourStep:
    known: dict[str, object] = {
        "number": 1,
        "colour": ScreenColour(255, 108, 108),
        "transition": Transition.FLAT,
        "transition_seconds": 0.0,
        "hold_seconds": 0.4,
        "bits": 5.2,
        "last": False,
        "transition_bits": 0.4,
        "hold_bits": 2.0,
    }
    return ColourStep(**(known | changes))  # type: ignore[arg-type]  # the class checks


def test_linear_light_is_srgb_s() -> None:
    # IEC 61966-2-1: the curve's ends, its straight part, and the value that halves the light.
    assert ScreenColour(0, 255, 188).linear == pytest.approx([0.0, 1.0, 0.5029], abs=1e-4)
    assert ScreenColour(10, 0, 0).linear[0] == pytest.approx(10 / 255 / 12.92)


def test_luminance_is_white_s_share() -> None:
    assert ScreenColour(255, 255, 255).luminance == pytest.approx(1)
    assert ScreenColour(0, 255, 0).luminance == pytest.approx(0.7152)
    assert np.isclose(sum(ScreenColour(*c).luminance for c in np.eye(3, dtype=int) * 255), 1)


@pytest.mark.parametrize("channels", [(-1, 0, 0), (0, 256, 0)])
def test_colours_out_of_range_are_refused(channels: tuple[int, int, int]) -> None:
    with pytest.raises(LivenessPolicyError, match=r"0\.\.255"):
        ScreenColour(*channels)


@pytest.mark.parametrize(
    "changes",
    [
        {"number": 0},
        {"hold_seconds": SHORTEST_HOLD_SECONDS - 0.001},
        {"hold_seconds": float("inf")},
        {"hold_seconds": float("nan")},
        {"transition_seconds": 1.01},
        {"transition_seconds": -0.1},
        {"bits": 2.0},
        {"hold_bits": -1.0},
    ],
)
def test_impossible_steps_are_refused(changes: dict[str, object]) -> None:
    with pytest.raises(LivenessPolicyError):
        _step(**changes)


def test_colour_bits_follow_from_the_remaining_choices() -> None:
    assert _step().colour_bits == pytest.approx(2.8)


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
