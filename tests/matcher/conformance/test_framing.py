from collections.abc import Callable
from dataclasses import replace
from operator import attrgetter

import numpy as np
import pytest

from matcher.conformance.framing import (
    head_pose,
    head_size,
    inter_eye_distance,
    leftward_crop,
    margin_above,
    margin_below,
    rightward_crop,
    single_face_present,
)
from matcher.conformance.interface import Assess, PortraitView
from tests.matcher.conformance.pictures import (
    FIVE_POINTS,
    NO_POSE,
    SCHEMES,
    Head,
    above_the_edge,
    below_the_edge,
    measured,
    plain,
    portrait_of,
    refused,
    score,
    spaced_left,
    spaced_right,
)
from vision.face import Box, HeadPose


def crowd(*sides: float) -> PortraitView:
    portrait = portrait_of(plain(side=64))
    faces = tuple(replace(portrait.face, box=Box(0, 0, side, side)) for side in sides)
    return replace(portrait, faces=faces, face=faces[0])


class TestSingleFacePresent:
    def test_the_second_largest_face_counts_at_any_place(self) -> None:
        assert score(single_face_present, crowd(100)) == 100
        assert score(single_face_present, crowd(100, 20, 50)) == 50
        assert score(single_face_present, crowd(100, 100)) == 0

    def test_boxes_without_area_are_ignored(self) -> None:
        refused(single_face_present(crowd(0)))


def apart(distance: float) -> float:
    points = FIVE_POINTS * np.float32(distance / 113)
    return score(inter_eye_distance, portrait_of(plain(side=64), five_points=points))


class TestInterEyeDistance:
    @pytest.mark.parametrize(("distance", "points"), [(60, 38), (70, 50), (85, 68), (90, 73), (120, 92)])
    def test_the_score_follows_the_sigmoid_of_the_standard(self, distance: float, points: int) -> None:
        assert apart(distance) == points

    def test_the_distance_is_measured_in_the_image(self) -> None:
        assert measured(inter_eye_distance, portrait_of(plain(side=64))) == pytest.approx(113)

    def test_points_that_are_no_numbers_have_no_distance(self) -> None:
        nowhere = FIVE_POINTS * np.float32("nan")
        refused(inter_eye_distance(portrait_of(plain(side=64), five_points=nowhere)))


class TestHeadSize:
    @pytest.mark.parametrize("scheme", SCHEMES)
    def test_the_score_peaks_at_nine_tenths_of_the_height(self, scheme: str) -> None:
        heads = [Head(eyes_to_chin=616 * size) for size in (0.3, 0.45, 0.6)]
        assert [score(head_size, head.portrait(scheme)) for head in heads] == [9, 100, 9]


@pytest.mark.parametrize(
    ("measure", "placed", "middle"),
    [
        (leftward_crop, spaced_left, 0.9),
        (rightward_crop, spaced_right, 0.9),
        (margin_above, below_the_edge, 1.4),
        (margin_below, above_the_edge, 1.8),
    ],
)
@pytest.mark.parametrize("scheme", SCHEMES)
def test_a_head_at_the_edge_lacks_space(
    scheme: str, measure: Assess, placed: Callable[[float, str], PortraitView], middle: float
) -> None:
    spaces = (middle - 0.3, middle, middle + 0.3)
    assert [score(measure, placed(space, scheme)) for space in spaces] == [5, 50, 95]


@pytest.mark.parametrize(
    ("measure", "space"), [(leftward_crop, 251 / 113), (rightward_crop, (616 - 364) / 113)]
)
def test_without_landmarks_the_detectors_eyes_count(measure: Assess, space: float) -> None:
    assert measured(measure, portrait_of(plain())) == pytest.approx(space)
    refused(measure(portrait_of(plain(), five_points=np.zeros_like(FIVE_POINTS))))


@pytest.mark.parametrize("measure", [head_size, margin_above, margin_below])
def test_without_landmarks_it_is_not_assessed(measure: Assess) -> None:
    refused(measure(portrait_of(plain())))


@pytest.mark.parametrize("angle_name", ["yaw", "pitch", "roll"])
class TestHeadPose:
    @pytest.mark.parametrize(
        ("angle", "points"), [(0, 100), (5, 99), (30, 75), (-45, 50), (90, 0), (-120, 0)]
    )
    def test_a_head_that_turns_further_scores_lower(self, angle_name: str, angle: float, points: int) -> None:
        portrait = replace(portrait_of(plain(side=64)), pose=replace(NO_POSE, **{angle_name: angle}))
        assert score(head_pose(attrgetter(angle_name)), portrait) == points

    def test_a_pose_that_was_not_found_is_not_assessed(self, angle_name: str) -> None:
        lost = replace(portrait_of(plain(side=64)), pose=HeadPose(yaw=180.0, pitch=0.0, roll=0.0))
        assert "pose" in refused(head_pose(attrgetter(angle_name))(lost))
