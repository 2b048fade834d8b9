"""Pose angles: one byte in steps of two degrees."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from matcher.errors import RecordInvalid
from matcher.records import PoseCode, PoseDegrees


@pytest.mark.parametrize(
    ("code", "degrees"),
    [
        (0, None),
        (1, 0),
        (2, 2),
        (46, 90),
        (91, 180),
        (92, -178),
        (136, -90),
        (180, -2),
        (181, 0),
        (182, None),
        (255, None),
    ],
)
def test_codes_stand_for_these_degrees(code: int, degrees: float | None) -> None:
    pose = PoseCode(code, code, code).degrees
    assert (pose.yaw, pose.pitch, pose.roll) == (degrees, degrees, degrees)
    assert pose.given is (degrees is not None)


@pytest.mark.parametrize(("code", "degrees"), [(0, None), (1, 0), (11, 10), (181, 180), (182, None)])
def test_uncertainties_stand_for_these_degrees(code: int, degrees: float | None) -> None:
    pose = PoseCode(0, 0, 0, code, code, code).degrees
    assert (pose.yaw_uncertainty, pose.pitch_uncertainty, pose.roll_uncertainty) == (degrees,) * 3
    assert not pose.given


@pytest.mark.parametrize(
    ("degrees", "code"),
    [
        (None, 0),
        (0.0, 1),
        (-0.9, 1),
        (0.9, 1),
        (1.2, 2),
        (-1.2, 180),
        (-180.0, 91),
        (180.0, 91),
        (-178.0, 92),
    ],
)
def test_degrees_become_the_nearest_code(degrees: float | None, code: int) -> None:
    assert PoseCode.of_degrees(PoseDegrees(yaw=degrees)).yaw == code


@given(st.integers(0, 180))
def test_a_code_survives_its_degrees(code: int) -> None:
    pose = PoseCode(code, code, code, code, code, code)
    assert PoseCode.of_degrees(pose.degrees) == pose


@given(st.floats(-180, 180))
def test_rounding_is_off_by_one_degree_at_most(degrees: float) -> None:
    yaw = PoseCode.of_degrees(PoseDegrees(yaw=degrees)).degrees.yaw
    assert yaw is not None
    assert min(abs(yaw - degrees), abs(yaw - degrees - 360)) <= 1.0


@pytest.mark.parametrize("degrees", [180.1, -181.0, float("nan"), float("inf")])
def test_an_impossible_angle_is_no_code(degrees: float) -> None:
    with pytest.raises(RecordInvalid, match="roll"):
        PoseCode.of_degrees(PoseDegrees(roll=degrees))


@pytest.mark.parametrize("degrees", [-1.0, 180.5, float("nan")])
def test_an_impossible_uncertainty_is_no_code(degrees: float) -> None:
    with pytest.raises(RecordInvalid, match="uncertainty of the pitch"):
        PoseCode.of_degrees(PoseDegrees(pitch_uncertainty=degrees))


def test_an_uncertainty_is_rounded_up() -> None:
    assert PoseCode.of_degrees(PoseDegrees(yaw_uncertainty=4.1)).degrees.yaw_uncertainty == 5.0


def test_reserved_codes_are_reported() -> None:
    assert PoseCode(182).reserved
    assert PoseCode(0, 0, 0, 0, 0, 255).reserved
    assert not PoseCode(181, 181, 181, 181, 181, 181).reserved
