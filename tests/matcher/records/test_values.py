"""The points, the pose and the time of a face; codes in words, masks as flags."""

from datetime import UTC, datetime, timedelta, timezone
from enum import IntEnum

import pytest
from hypothesis import given
from hypothesis import strategies as st

from matcher.errors import RecordInvalid
from matcher.records import EyeCentres, Landmark, codes
from matcher.records.codes import (
    ColourSpace2005,
    ColourSpace2011,
    Expression2005,
    FaceImageType2011,
    Feature,
    Gender,
    HairColour,
    ImageDataType2011,
    LandmarkType,
    PostAcquisition,
    bits_of,
    describe_code,
    flags_of,
    mask_of,
    named,
    sampling_rate_level,
)
from matcher.records.values import CaptureTime, PoseCode, PoseDegrees, eye_centres, eye_landmarks


class TestLandmarks:
    def test_a_code_is_a_group_and_a_point(self) -> None:
        point = Landmark(1, 0xC1, 5, 6)
        assert point.number == "12.1"
        assert point.name == "centre of the left eye"
        assert Landmark(1, 0x9F, 0, 0).number == "9.15"

    def test_only_points_of_mpeg_4_have_names(self) -> None:
        assert Landmark(2, 0xC1, 5, 6).name is None
        assert Landmark(1, 0xFF, 5, 6).name is None

    def test_eye_centres_are_the_points_12_1_and_12_2(self) -> None:
        points = (Landmark(1, 0xC2, 90, 130), Landmark(1, 0x93, 120, 170), Landmark(1, 0xC1, 150, 131))
        assert eye_centres(points) == EyeCentres(left=(150, 131), right=(90, 130))

    def test_one_eye_is_not_enough(self) -> None:
        assert eye_centres((Landmark(1, 0xC1, 150, 130),)) is None
        assert eye_centres((Landmark(1, 0xC1, 150, 130), Landmark(2, 0xC2, 90, 130))) is None
        assert eye_centres(()) is None

    def test_written_eyes_are_read_again(self) -> None:
        eyes = EyeCentres(left=(150, 131), right=(90, 130))
        points = eye_landmarks(eyes)
        assert {point.type for point in points} == {LandmarkType.MPEG_4}
        assert eye_centres(points) == eyes


class TestPose:
    @pytest.mark.parametrize(
        ("code", "degrees"),
        [
            (0, None),
            (1, 0),
            (91, 180),
            (92, -178),
            (180, -2),
            (181, 0),
            (182, None),
            (255, None),
        ],
    )
    def test_codes_stand_for_these_degrees(self, code: int, degrees: float | None) -> None:
        pose = PoseCode(code, code, code).degrees
        assert (pose.yaw, pose.pitch, pose.roll) == (degrees, degrees, degrees)
        assert pose.given is (degrees is not None)

    @pytest.mark.parametrize(("code", "degrees"), [(0, None), (1, 0), (11, 10), (181, 180), (182, None)])
    def test_uncertainties_stand_for_these_degrees(self, code: int, degrees: float | None) -> None:
        pose = PoseCode(0, 0, 0, code, code, code).degrees
        assert (pose.yaw_uncertainty, pose.pitch_uncertainty, pose.roll_uncertainty) == (degrees,) * 3
        assert not pose.given

    @pytest.mark.parametrize(
        ("degrees", "code"),
        [
            (None, 0),
            (0.0, 1),
            (1.2, 2),
            (-1.2, 180),
            (-180.0, 91),
            (-178.0, 92),
        ],
    )
    def test_degrees_become_the_nearest_code(self, degrees: float | None, code: int) -> None:
        assert PoseCode.of_degrees(PoseDegrees(yaw=degrees)).yaw == code

    @given(st.integers(0, 180))
    def test_a_code_survives_its_degrees(self, code: int) -> None:
        pose = PoseCode(code, code, code, code, code, code)
        assert PoseCode.of_degrees(pose.degrees) == pose

    @given(st.floats(-180, 180))
    def test_rounding_is_off_by_one_degree_at_most(self, degrees: float) -> None:
        yaw = PoseCode.of_degrees(PoseDegrees(yaw=degrees)).degrees.yaw
        assert yaw is not None
        assert min(abs(yaw - degrees), abs(yaw - degrees - 360)) <= 1.0

    @pytest.mark.parametrize("degrees", [180.1, -181.0, float("nan"), float("inf")])
    def test_an_impossible_angle_is_no_code(self, degrees: float) -> None:
        with pytest.raises(RecordInvalid, match="roll"):
            PoseCode.of_degrees(PoseDegrees(roll=degrees))

    @pytest.mark.parametrize("degrees", [-1.0, 180.5, float("nan")])
    def test_an_impossible_uncertainty_is_no_code(self, degrees: float) -> None:
        with pytest.raises(RecordInvalid, match="uncertainty of the pitch"):
            PoseCode.of_degrees(PoseDegrees(pitch_uncertainty=degrees))

    def test_an_uncertainty_is_rounded_up(self) -> None:
        assert PoseCode.of_degrees(PoseDegrees(yaw_uncertainty=4.1)).degrees.yaw_uncertainty == 5.0

    def test_reserved_codes_are_reported(self) -> None:
        assert PoseCode(182).reserved
        assert PoseCode(0, 0, 0, 0, 0, 255).reserved
        assert not PoseCode(181, 181, 181, 181, 181, 181).reserved


class TestCaptureTime:
    def test_a_moment_is_parsed(self) -> None:
        moment = CaptureTime(2022, 12, 28, 20, 51, 16, 542)
        assert moment.given
        assert moment.utc == datetime(2022, 12, 28, 20, 51, 16, 542_000, tzinfo=UTC)

    @pytest.mark.parametrize("moment", [CaptureTime(), CaptureTime(0, 0, 0, 0, 0, 0, 0)])
    def test_a_missing_time_stays_missing(self, moment: CaptureTime) -> None:
        assert not moment.given
        assert moment.utc is None

    def test_unknown_milliseconds_are_none(self) -> None:
        assert CaptureTime(2005, 12, 15, 17, 35, 20).utc == datetime(2005, 12, 15, 17, 35, 20, tzinfo=UTC)

    @pytest.mark.parametrize(
        "moment",
        [
            CaptureTime(2022, 13, 1, 0, 0, 0, 0),
            CaptureTime(2022, 2, 30, 0, 0, 0, 0),
            CaptureTime(2022, 1, 1, 24, 0, 0, 0),
            CaptureTime(2022, 1, 1, 0, 0, 0, 1000),
            CaptureTime(60_000, 1, 1, 0, 0, 0, 0),
            CaptureTime(2022),
        ],
    )
    def test_an_impossible_moment_is_given_but_none(self, moment: CaptureTime) -> None:
        assert moment.given
        assert moment.utc is None

    @given(st.datetimes(min_value=datetime(1, 1, 2), max_value=datetime(9999, 12, 30)))  # noqa: DTZ001
    def test_a_moment_survives_to_the_millisecond(self, moment: datetime) -> None:
        aware = moment.replace(tzinfo=UTC)
        cut = aware.replace(microsecond=moment.microsecond // 1000 * 1000)
        assert CaptureTime.of_datetime(moment).utc == cut
        assert CaptureTime.of_datetime(aware.astimezone(timezone(timedelta(hours=5)))).utc == cut


@pytest.mark.parametrize(
    ("kind", "code", "shown"),
    [
        (Gender, 1, "male"),
        (Gender, 3, "unknown (3)"),
        (HairColour, 1, "bald"),
        (HairColour, 0xFF, "unknown"),
        (FaceImageType2011, 0x82, "token frontal 3-D"),
        (ImageDataType2011, 2, "JPEG 2000 lossless"),
        (ColourSpace2011, 4, "48-bit RGB"),
        (ColourSpace2005, 200, "vendor code 0xc8"),
        (ColourSpace2005, 5, "reserved code 0x05"),
        (Expression2005, 0x8001, "vendor code 0x8001"),
        (Gender, 0x81, "reserved code 0x81"),
    ],
)
def test_words(kind: type[IntEnum], code: int, shown: str) -> None:
    assert describe_code(kind, code) == shown


def test_a_code_that_is_not_named_stays_a_number() -> None:
    assert named(Gender, 1) is Gender.MALE
    assert named(Gender, 77) == 77
    assert not isinstance(named(Gender, 77), Gender)


def test_the_versions_code_distortion_with_different_bits() -> None:
    # The 2011 edition uses this code for the head covering.
    assert flags_of(1 | 1 << 10, codes.FEATURE_BITS_2005) == frozenset({Feature.DISTORTING_CONDITION})
    assert flags_of(1 | 1 << 10, codes.FEATURE_BITS_2011) == frozenset({Feature.HEAD_COVERING})
    assert flags_of(1 | 1 << 11, codes.FEATURE_BITS_2011) == frozenset({Feature.DISTORTING_CONDITION})


def test_nothing_specified_is_not_nothing_there() -> None:
    assert flags_of(0, codes.FEATURE_BITS_2005) is None
    assert flags_of(1, codes.FEATURE_BITS_2005) == frozenset()
    # Some writers do not set the "specified" bit.
    assert flags_of(1 << 1, codes.FEATURE_BITS_2005) == frozenset({Feature.GLASSES})


def test_bits_that_are_not_named_are_reported() -> None:
    assert bits_of(0b1000_0000_0011, codes.FEATURE_BITS_2005) == (11,)
    assert bits_of(0b1, codes.POST_ACQUISITION_BITS, specified=False) == ()
    assert bits_of(1 << 15, codes.POST_ACQUISITION_BITS, specified=False) == (15,)


@given(st.none() | st.frozensets(st.sampled_from(sorted(set(Feature) - {Feature.HEAD_COVERING}))))
def test_flags_survive_the_mask(flags: frozenset[Feature] | None) -> None:
    for bits in (codes.FEATURE_BITS_2005, codes.FEATURE_BITS_2011):
        mask = mask_of(flags, bits)
        assert mask is not None
        assert flags_of(mask, bits) == flags


def test_the_post_acquisition_mask_has_no_bit_for_being_specified() -> None:
    flags = frozenset({PostAcquisition.ROTATED, PostAcquisition.SUPER_RESOLUTION})
    assert mask_of(flags, codes.POST_ACQUISITION_BITS, specified=False) == 1 | 1 << 10


@pytest.mark.parametrize(
    ("width", "level"),
    [(0, 0), (179.9, 0), (180, 1), (239, 1), (240, 2), (370, 4), (749, 6), (750, 7), (5000, 7)],
)
def test_sampling_rate_levels(width: float, level: int) -> None:
    assert sampling_rate_level(width) == level
