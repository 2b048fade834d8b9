import numpy as np
import pytest

from liveness.extent import face_extent
from tests.liveness.builders import face_at
from vision.face import Box, DetectedFace


def test_the_extent_of_a_built_face_is_recovered() -> None:
    extent = face_extent(face_at(200, 250, 180))
    assert extent.width == pytest.approx(180, rel=0.02)
    assert extent.x == pytest.approx(200)
    assert extent.y == pytest.approx(250, abs=3)
    assert extent.right - extent.left == pytest.approx(extent.width)
    assert extent.bottom - extent.top == pytest.approx(extent.height)


def test_a_turned_head_is_no_smaller() -> None:
    face = face_at()
    turned = face.five_points.copy()
    turned[:, 0] = 240 + (turned[:, 0] - 240) * 0.7
    narrow = DetectedFace(box=face.box, confidence=1, five_points=turned)
    assert face_extent(narrow).width == pytest.approx(face_extent(face).width, rel=0.02)


def test_points_on_one_spot_still_give_a_width() -> None:
    face = DetectedFace(Box(0, 0, 1, 1), 0.5, np.zeros((5, 2), np.float32))
    assert face_extent(face).width >= 1
