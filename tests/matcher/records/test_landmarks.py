"""Points of a face."""

from matcher.records import EyeCentres, Landmark
from matcher.records.codes import LandmarkType
from matcher.records.landmarks import eye_centres, eye_landmarks


def test_a_code_is_a_group_and_a_point() -> None:
    point = Landmark(1, 0xC1, 5, 6)
    assert point.number == "12.1"
    assert point.name == "centre of the left eye"
    assert Landmark(1, 0x9F, 0, 0).number == "9.15"


def test_only_points_of_mpeg_4_have_names() -> None:
    assert Landmark(2, 0xC1, 5, 6).name is None
    assert Landmark(1, 0xFF, 5, 6).name is None


def test_eye_centres_are_the_points_12_1_and_12_2() -> None:
    points = (Landmark(1, 0xC2, 90, 130), Landmark(1, 0x93, 120, 170), Landmark(1, 0xC1, 150, 131))
    assert eye_centres(points) == EyeCentres(left=(150, 131), right=(90, 130))


def test_one_eye_is_not_enough() -> None:
    assert eye_centres((Landmark(1, 0xC1, 150, 130),)) is None
    assert eye_centres((Landmark(1, 0xC1, 150, 130), Landmark(2, 0xC2, 90, 130))) is None
    assert eye_centres(()) is None


def test_written_eyes_are_read_again() -> None:
    eyes = EyeCentres(left=(150, 131), right=(90, 130))
    points = eye_landmarks(eyes)
    assert {point.type for point in points} == {LandmarkType.MPEG_4}
    assert eye_centres(points) == eyes
