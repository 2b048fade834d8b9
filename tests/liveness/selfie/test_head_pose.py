import numpy as np
import pytest

from liveness.selfie import SelfieSettings
from liveness.selfie.head_pose import SelfieHeadPose
from tests.liveness.selfie.builders import faceless, subject, turned_face, turned_landmarks
from vision.face import DetectedFace, Landmarks

_SIGNAL, _SETTINGS = SelfieHeadPose(), SelfieSettings()


@pytest.mark.parametrize(
    ("turn", "score"),
    [
        ({"yaw": 0.0}, 1.0),
        ({"yaw": 17.5}, 0.75),
        ({"yaw": -35.0}, 0.5),
        ({"pitch": 15.0}, 0.75),
        ({"pitch": -30.0}, 0.5),
        ({"roll": 15.0}, 0.75),
        ({"roll": -30.0}, 0.5),
        ({"yaw": 52.5}, 0.25),
    ],
)
def test_the_worst_angle_counts_against_its_limit(turn: dict[str, float], score: float) -> None:
    dense = _SIGNAL.assess(subject(landmarks=turned_landmarks(**turn)), _SETTINGS)
    coarse = _SIGNAL.assess(subject(face=turned_face(**turn)), _SETTINGS)
    assert dense.score == pytest.approx(score, abs=0.02)
    assert coarse.score == pytest.approx(score, abs=0.02)


def test_the_limits_are_settings() -> None:
    face = turned_face(yaw=20)
    assert _SIGNAL.assess(subject(face=face), SelfieSettings(max_yaw_deg=15)).passed is False
    assert _SIGNAL.assess(subject(face=face), _SETTINGS).passed is True


def test_a_pose_that_the_points_do_not_determine_scores_nothing() -> None:
    point = DetectedFace(box=turned_face().box, confidence=0.9, five_points=np.full((5, 2), 100, np.float32))
    found = _SIGNAL.assess(subject(face=point), _SETTINGS)
    assert (found.score, found.passed) == (0, False)
    assert "180" not in found.detail


def test_broken_landmarks_leave_the_five_points() -> None:
    broken = Landmarks(points=np.full((68, 2), np.nan, np.float32), scheme="ibug68")
    found = _SIGNAL.assess(subject(face=turned_face(yaw=17.5), landmarks=broken), _SETTINGS)
    assert found.score == pytest.approx(0.75, abs=0.02)


def test_without_a_face_it_is_not_assessed() -> None:
    assert _SIGNAL.assess(faceless(), _SETTINGS).score is None
