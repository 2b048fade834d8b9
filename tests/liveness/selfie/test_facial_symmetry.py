from dataclasses import replace

import numpy as np
import pytest

from liveness.selfie import SelfieSettings, asymmetry, symmetric_pairs
from liveness.selfie.facial_symmetry import FacialSymmetry
from tests.liveness.builders import face_at
from tests.liveness.selfie.builders import faceless, mirrored_landmarks, subject
from vision.face import Landmarks

_SIGNAL, _SETTINGS = FacialSymmetry(), SelfieSettings()


@pytest.mark.parametrize(
    ("scheme", "count"), [("ibug68", 68), ("insightface106", 106), ("mediapipe478", 478)]
)
def test_a_symmetric_face_scores_1_and_a_warped_one_less_and_less(scheme: str, count: int) -> None:
    landmarks = mirrored_landmarks(scheme, count)
    scores = []
    for warp in (0.0, 0.02, 0.05, 0.1, 1.0):
        points = landmarks.points.copy()
        # The right half bends up, increasingly to the outside, as a curled sheet does.
        points[:, 1] -= warp * np.maximum(points[:, 0] - 240, 0)
        scores.append(_SIGNAL.assess(subject(landmarks=replace(landmarks, points=points)), _SETTINGS).score)
    assert scores[0] == pytest.approx(1, abs=1e-4)
    assert scores == sorted(scores, key=lambda score: score or 0, reverse=True)
    assert scores[-1] == 0


def test_the_maximum_is_a_setting() -> None:
    landmarks = mirrored_landmarks("ibug68", 68)
    points = landmarks.points + np.random.default_rng(1).normal(0, 6, (68, 2)).astype(np.float32)
    bent = Landmarks(points=points, scheme="ibug68")
    index = asymmetry(symmetric_pairs(bent))
    assert index is not None
    assert _SIGNAL.assess(subject(landmarks=bent), SelfieSettings(max_asymmetry=index)).score == 0
    half = _SIGNAL.assess(subject(landmarks=bent), SelfieSettings(max_asymmetry=2 * index))
    assert half.score == pytest.approx(0.5)


def test_five_points_do_and_broken_landmarks_leave_them() -> None:
    assert _SIGNAL.assess(subject(), _SETTINGS).score == pytest.approx(1, abs=1e-4)
    broken = Landmarks(points=np.full((68, 2), np.nan, np.float32), scheme="ibug68")
    assert _SIGNAL.assess(subject(landmarks=broken), _SETTINGS).score == pytest.approx(1, abs=1e-4)


def test_a_crop_without_a_face_is_not_assessed() -> None:
    point = replace(face_at(), five_points=np.full((5, 2), 9, np.float32))
    assert _SIGNAL.assess(subject(face=point), _SETTINGS).score is None
    assert _SIGNAL.assess(faceless(), _SETTINGS).score is None
