from collections.abc import Mapping
from dataclasses import replace

import pytest

from formats.image_format import ImageFormat, ImageHeader
from matcher.conformance.declared import declared_requirements
from matcher.conformance.interface import PortraitView
from matcher.conformance.profiles import Profile, profile_rules
from matcher.conformance.requirement import IntakeCode, Requirement, Severity
from matcher.records import (
    EyeCentres,
    PoseDegrees,
    RecordVersion,
    Representation,
    build_record,
    open_trusted_image,
    serialise,
)
from tests.matcher.conformance.pictures import plain, portrait_of
from vision.face import HeadPose
from vision.image import encode_jpeg

HEADER = ImageHeader(format=ImageFormat.JPEG, width=616, height=616, channels=3, bits_per_channel=8)
RULES = profile_rules(Profile.FACEGATE)
MEASURED = EyeCentres(left=(364, 272), right=(251, 272))


@pytest.fixture(scope="module")
def silent() -> Representation:
    """A record that declares only the size."""
    record = build_record(encode_jpeg(plain()), version=RecordVersion.ISO_19794_5_2011)
    declared = open_trusted_image(serialise(record)).representation
    assert declared is not None
    return declared


def turned(*, yaw: float = 0.0, pitch: float = 0.0, roll: float = 0.0) -> PortraitView:
    return replace(portrait_of(plain()), pose=HeadPose(yaw=yaw, pitch=pitch, roll=roll))


def found(
    declared: Representation | None,
    *,
    header: ImageHeader = HEADER,
    portrait: PortraitView | None = None,
) -> Mapping[IntakeCode, Requirement]:
    view = portrait or portrait_of(plain())
    requirements = tuple(declared_requirements(view, header=header, declared=declared, rules=RULES))
    return {IntakeCode(each.code): each for each in requirements}


def test_a_bare_picture_declares_nothing() -> None:
    assert found(None) == {}


def test_a_record_that_declares_only_a_size_is_held_to_it(silent: Representation) -> None:
    requirements = found(silent)
    assert set(requirements) == {IntakeCode.DECLARED_SIZE}
    size = requirements[IntakeCode.DECLARED_SIZE]
    assert (size.measured, size.passed) == ("616 x 616 px", True)
    assert size.severity is Severity.ADVISORY


def test_the_picture_is_believed_where_the_record_has_another_size(silent: Representation) -> None:
    size = found(replace(silent, width=337, height=449))[IntakeCode.DECLARED_SIZE]
    assert (size.measured, size.required) == ("616 x 616 px", "as declared: 337 x 449 px")
    assert size.passed is False


def test_a_size_that_is_not_given_is_no_disagreement(silent: Representation) -> None:
    assert IntakeCode.DECLARED_SIZE not in found(replace(silent, width=None))
    assert IntakeCode.DECLARED_SIZE not in found(replace(silent, height=None))


def test_eyes_where_they_are(silent: Representation) -> None:
    eyes = found(replace(silent, eye_centres=MEASURED))[IntakeCode.DECLARED_EYE_POSITIONS]
    assert eyes.passed is True
    assert eyes.value == 0
    assert eyes.score is None


def test_whose_left_is_meant_plays_no_part(silent: Representation) -> None:
    swapped = EyeCentres(left=MEASURED.right, right=MEASURED.left)
    assert found(replace(silent, eye_centres=swapped))[IntakeCode.DECLARED_EYE_POSITIONS].value == 0


def test_an_eye_elsewhere_is_reported_by_the_further_one(silent: Representation) -> None:
    off = EyeCentres(left=(364, 272 + 57), right=(251 + 10, 272))
    eyes = found(replace(silent, eye_centres=off))[IntakeCode.DECLARED_EYE_POSITIONS]
    assert eyes.value == pytest.approx(57 / 113)
    assert eyes.passed is False
    assert eyes.unit == "eye distances"


def test_points_of_a_picture_that_is_turned_to_be_shown_are_not_compared(silent: Representation) -> None:
    eyes = found(replace(silent, eye_centres=MEASURED), header=replace(HEADER, orientation=6))[
        IntakeCode.DECLARED_EYE_POSITIONS
    ]
    assert eyes.passed is None
    assert "EXIF" in eyes.unassessed


def test_the_largest_difference_of_the_declared_angles_counts(silent: Representation) -> None:
    declared = replace(silent, pose=PoseDegrees(yaw=10, roll=-4))
    pose = found(declared, portrait=turned(yaw=-12, pitch=40, roll=10))[IntakeCode.DECLARED_POSE]
    # Signs are not compared, and the pitch is not declared.
    assert pose.value == pytest.approx(6)
    assert pose.passed is True
    far = found(declared, portrait=turned(yaw=25))[IntakeCode.DECLARED_POSE]
    assert (far.value, far.passed) == (15, False)


def test_a_pose_that_was_not_found_is_not_compared(silent: Representation) -> None:
    pose = found(replace(silent, pose=PoseDegrees(yaw=0)), portrait=turned(yaw=180))[IntakeCode.DECLARED_POSE]
    assert pose.passed is None


@pytest.mark.parametrize("orientation", [3, 6, 8])
def test_angles_of_a_picture_that_is_turned_to_be_shown_are_not_compared(
    silent: Representation, orientation: int
) -> None:
    header = replace(HEADER, orientation=orientation)
    declared = replace(silent, pose=PoseDegrees(yaw=0, pitch=0, roll=0))
    pose = found(declared, header=header, portrait=turned(roll=90))[IntakeCode.DECLARED_POSE]
    assert (pose.passed, pose.value) == (None, None)
    assert "EXIF" in pose.unassessed
    assert found(declared, portrait=turned(roll=90))[IntakeCode.DECLARED_POSE].passed is False
