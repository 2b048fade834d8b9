import numpy as np
import pytest

from liveness.selfie import SelfieSettings
from liveness.selfie.eye_aspect_ratio import EyeAspectRatio
from tests.liveness.selfie.builders import faceless, mirrored_landmarks, subject
from vision.face import Landmarks

_SIGNAL, _SETTINGS = EyeAspectRatio(), SelfieSettings()


@pytest.mark.parametrize(("scheme", "count"), [("ibug68", 68), ("mediapipe478", 478)])
@pytest.mark.parametrize(
    ("ratio", "score"), [(0, 0), (0.075, 0.25), (0.15, 0.5), (0.20, 0.65), (0.25, 0.8), (0.30, 1), (0.5, 1)]
)
def test_the_score_follows_the_seeds_table(scheme: str, count: int, ratio: float, score: float) -> None:
    landmarks = mirrored_landmarks(scheme, count, eye=ratio)
    assert _SIGNAL.assess(subject(landmarks=landmarks), _SETTINGS).score == pytest.approx(score, abs=1e-4)


def test_the_floor_is_a_setting() -> None:
    landmarks = mirrored_landmarks("ibug68", 68, eye=0.10)
    assert _SIGNAL.assess(subject(landmarks=landmarks), SelfieSettings(min_ear=0.10)).passed is True
    assert _SIGNAL.assess(subject(landmarks=landmarks), _SETTINGS).passed is False


def test_without_landmarks_of_the_eyes_it_is_not_assessed() -> None:
    assert _SIGNAL.assess(subject(), _SETTINGS).score is None
    assert _SIGNAL.assess(faceless(), _SETTINGS).score is None
    broken = Landmarks(points=np.full((68, 2), np.nan, np.float32), scheme="ibug68")
    assert _SIGNAL.assess(subject(landmarks=broken), _SETTINGS).score is None
