from dataclasses import replace
from pathlib import Path

import pytest

from matcher.conformance.head_pose_yaw import HeadPoseYaw
from matcher.conformance.interface import PortraitView
from tests.matcher.conformance.ofiq import expected_scores
from tests.matcher.conformance.pictures import NO_POSE, measured, plain, portrait_of, refused, score
from vision.face import HeadPose

MEASURE = HeadPoseYaw()


def turned(angle: float) -> PortraitView:
    return replace(portrait_of(plain(side=64)), pose=replace(NO_POSE, yaw=angle))


def test_scores_as_ofiq_does(assets: Path) -> None:
    for angle, points in expected_scores(assets, "HeadPoseYaw"):
        assert measured(MEASURE, turned(angle)) == angle
        assert score(MEASURE, turned(angle)) == points


@pytest.mark.parametrize(("angle", "points"), [(0, 100), (5, 99), (30, 75), (-45, 50), (90, 0), (-120, 0)])
def test_a_head_that_turns_further_scores_lower(angle: float, points: int) -> None:
    assert score(MEASURE, turned(angle)) == points


def test_a_pose_that_was_not_found_is_not_assessed() -> None:
    lost = replace(portrait_of(plain(side=64)), pose=HeadPose(yaw=180.0, pitch=0.0, roll=0.0))
    assert "pose" in refused(MEASURE.assess(lost))
