import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from liveness.observe import observe_frame
from liveness.tracking import (
    MINIMUM_POINTS,
    apply_plane_motion,
    carry_face,
    fit_plane_motion,
    follow,
    plane_motion,
    region_change,
    start_tracking,
)
from tests.liveness.builders import HEIGHT, WIDTH, face_at, texture
from vision.face import BgrImage, DetectedFace


def _points(count: int = 60, seed: int = 0) -> np.ndarray[tuple[int, int], np.dtype[np.float32]]:
    return np.random.default_rng(seed).uniform(0, 100, (count, 2)).astype(np.float32)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.floats(-1, 1), min_size=8, max_size=8))
def test_any_mild_homography_is_found_again(values: list[float]) -> None:
    scale = np.array([[0.1, 0.1, 20], [0.1, 0.1, 20], [5e-4, 5e-4, 0]])
    true = np.eye(3) + scale * np.append(values, 0).reshape(3, 3)
    first = _points()
    second = apply_plane_motion(true, first)
    found = fit_plane_motion(first, second)
    assert found is not None
    assert np.abs(apply_plane_motion(found, first) - second).max() < 0.01


def test_lost_points_do_not_bend_it() -> None:
    first = _points()
    second = first + 5
    second[:6] += 30
    found = fit_plane_motion(first, second)
    assert found is not None
    assert np.abs(apply_plane_motion(found, first[6:]) - second[6:]).max() < 0.5


@pytest.mark.parametrize(
    "first", [_points(MINIMUM_POINTS - 1), np.zeros((30, 2), np.float32), np.zeros((0, 2), np.float32)]
)
def test_points_that_determine_no_plane_give_none(
    first: np.ndarray[tuple[int, int], np.dtype[np.float32]],
) -> None:
    assert fit_plane_motion(first, first) is None


@pytest.mark.parametrize("scale", [1.0, 0.6])
def test_a_face_goes_where_its_plane_goes(scale: float) -> None:
    face = face_at(240, 300, 200)
    # 12 view pixels to the right and 6 up, and a tenth nearer, about the view's corner.
    motion = np.array([[1.1, 0, 12], [0, 1.1, -6], [0, 0, 1]])
    carried = carry_face(face, motion, scale)
    assert carried is not None
    assert carried.five_points == pytest.approx(face.five_points * 1.1 + np.array([12, -6]) / scale, abs=0.01)
    assert carried.five_points.dtype == np.float32
    assert carried.box.width == pytest.approx(1.1 * face.box.width, rel=1e-4)
    assert carried.box.height == pytest.approx(1.1 * face.box.height, rel=1e-4)
    expected = np.array(face.box.centre) * 1.1 + np.array([12, -6]) / scale
    assert carried.box.centre == pytest.approx(tuple(expected), abs=0.05)
    assert carried.confidence == face.confidence


@pytest.mark.parametrize("growth", [0.7, 1.4, np.nan, np.inf])
def test_a_face_that_cannot_have_gone_there_is_not_carried(growth: float) -> None:
    assert carry_face(face_at(), np.diag([growth, growth, 1.0]), 0.6) is None


_SCALE = 0.6


def _view(image: BgrImage) -> "np.ndarray[tuple[int, int], np.dtype[np.uint8]]":
    view = observe_frame(image, index=0, capture_time=0, faces=[]).view
    assert view is not None
    return view


_FIRST = texture()[:HEIGHT, :WIDTH].copy()


def test_points_lie_on_the_face_and_away_from_it() -> None:
    start = start_tracking(_view(_FIRST), face_at(), _SCALE)
    assert start is not None
    assert start.face_width == pytest.approx(230 * _SCALE, rel=0.02)
    away = np.abs(start.points - start.centre) / start.face_width
    assert start.on_face.sum() >= 40
    assert (away[start.on_face, 0] < 0.45).all()
    assert (np.linalg.norm(away[~start.on_face], axis=1) > 0.7).all()


@pytest.mark.parametrize("face", [face_at(width=30), face_at(x=-500), face_at(y=2000)])
def test_a_face_too_small_or_elsewhere_gives_nothing(face: DetectedFace) -> None:
    assert start_tracking(_view(_FIRST), face, _SCALE) is None


def test_a_blank_view_gives_nothing() -> None:
    assert start_tracking(_view(np.full_like(_FIRST, 80)), face_at(), _SCALE) is None


def test_points_that_vanish_are_lost() -> None:
    start = start_tracking(_view(_FIRST), face_at(), _SCALE)
    assert start is not None
    other = texture(seed=99)[:HEIGHT, :WIDTH].copy()
    found, error = follow(start, _view(other), start.points)
    lost = np.isnan(found[:, 0])
    assert lost.mean() > 0.7
    assert np.array_equal(lost, np.isnan(error))


def test_only_the_changed_part_is_detected() -> None:
    start = start_tracking(_view(_FIRST), face_at(), _SCALE)
    assert start is not None
    winking = _FIRST.copy()
    x, y = face_at().five_points[0].astype(int)
    winking[y - 12 : y + 12, x - 25 : x + 25] = 110
    shifted = np.roll(winking, 4, axis=1)
    view = _view(shifted)
    found, _ = follow(start, view, start.points)
    motion = plane_motion(start, found)
    assert motion is not None
    change = region_change(start, view, motion)
    assert change.eyes > 3 * change.rest
    assert change.mouth < 2 * change.rest
