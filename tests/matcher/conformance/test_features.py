from dataclasses import replace

import numpy as np
import pytest

from matcher.conformance.features import Features, features_of
from tests.matcher.conformance.heads import SCHEMES, Head
from vision.face import Landmarks
from vision.geometry import eye_corners

HEAD = Head(left_eye=12, right_eye=18, mouth=7, mouth_width=88, corner_lift=5)


def features(head: Head, scheme: str) -> Features:
    found = features_of(head.landmarks(scheme))
    assert found is not None
    return found


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("turned", [0.0, 25.0, -90.0])
def test_distances_are_those_of_the_head_however_it_leans(scheme: str, turned: float) -> None:
    found = features(replace(HEAD, turned=turned), scheme)
    assert found.eye_distance == pytest.approx(113, abs=1e-3)
    assert found.eyes_to_chin == pytest.approx(200, abs=1e-3)
    assert found.eye_openings == pytest.approx((12, 18), abs=1e-3)
    assert found.mouth_opening == pytest.approx(7, abs=1e-3)
    assert found.mouth_width == pytest.approx(88, abs=1e-3)
    assert found.corner_lift == pytest.approx(5, abs=1e-3)


@pytest.mark.parametrize("scheme", SCHEMES)
def test_the_eyes_are_where_they_are(scheme: str) -> None:
    found = features(HEAD, scheme)
    assert found.eye_x == pytest.approx((308 - 56.5, 308 + 56.5), abs=1e-3)
    assert found.eyes_y == pytest.approx(272)
    corners = eye_corners(HEAD.landmarks(scheme))
    assert corners is not None
    assert corners.shape == (2, 2, 2)
    assert (np.diff(corners[..., 0].ravel()) > 0).all()  # from left to right


@pytest.mark.parametrize("scheme", SCHEMES)
def test_points_that_make_no_face_have_no_features(scheme: str) -> None:
    good = HEAD.landmarks(scheme)
    assert features_of(None) is None
    assert eye_corners(None) is None
    assert features_of(replace(good, points=np.zeros_like(good.points))) is None
    broken = good.points.copy()
    broken[3, 1] = np.nan
    assert features_of(replace(good, points=broken)) is None
    assert eye_corners(replace(good, points=broken)) is None


def test_landmarks_of_an_unknown_scheme_have_none() -> None:
    unknown = Landmarks(points=np.ones((5, 2), dtype=np.float32), scheme="five")
    assert features_of(unknown) is None
    assert eye_corners(unknown) is None
