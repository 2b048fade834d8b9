import numpy as np
import pytest

from research.face_actions.scans import open_mouth
from tests.liveness.builders import texture
from vision.face import BgrImage, Landmarks

_IMAGE: BgrImage = np.ascontiguousarray(texture()[:320, :240])


def _landmarks() -> Landmarks:
    points = np.zeros((478, 2), np.float32)
    for index, x in {61: 90, 78: 92, 178: 106, 14: 120, 402: 134, 308: 148, 291: 150}.items():
        points[index] = (x, 200)
    points[168], points[152] = (120, 100), (120, 260)
    return Landmarks(points, "mediapipe478")


def test_a_mouth_that_is_not_opened_is_unchanged() -> None:
    assert (open_mouth(_IMAGE, _landmarks(), 0, with_jaw=True) == _IMAGE).all()


@pytest.mark.parametrize("with_jaw", [True, False])
def test_the_gap_is_a_fifth_of_the_way_from_bridge_to_chin(with_jaw: bool) -> None:
    shown = open_mouth(_IMAGE, _landmarks(), 1, with_jaw=with_jaw)
    dark = (shown[:, 120] == (25, 20, 45)).all(axis=1)
    assert int(dark.sum()) == pytest.approx(32, abs=1)
    assert (shown[:199] == _IMAGE[:199]).all()


def test_only_a_jaw_takes_the_chin_along() -> None:
    with_jaw, lips = (open_mouth(_IMAGE, _landmarks(), 1, with_jaw=way) for way in (True, False))
    assert (with_jaw[292, 120] == _IMAGE[260, 120]).all()
    assert (lips[252:, :] == _IMAGE[252:, :]).all()
