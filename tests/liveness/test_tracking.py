import numpy as np
import pytest

from liveness.observe import observe_frame
from liveness.tracking import follow, plane_motion, region_change, start_tracking
from tests.liveness.builders import HEIGHT, WIDTH, face_at, texture
from vision.face import BgrImage, DetectedFace

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
