from dataclasses import replace

import cv2
import numpy as np
import pytest

from liveness.dynamic.movement.perspective import ApproachTracker
from liveness.observation import FrameObservation
from liveness.observe import observe_frame
from tests.liveness.builders import face_at
from tests.liveness.express.portrait import portrait

_FAR = 190.0


def _frame(index: int, growth: float, *, shift: float = 0.0) -> FrameObservation:
    """The drawn portrait, ``growth`` times as large around its face."""
    zoom = np.array([[growth, 0, (1 - growth) * 240 + shift], [0, growth, (1 - growth) * 300]])
    picture = cv2.warpAffine(
        portrait(), zoom, (480, 640), flags=cv2.INTER_AREA, borderMode=cv2.BORDER_REPLICATE
    )
    noise = np.random.default_rng(index).normal(0, 1.5, picture.shape)
    noisy = np.clip(picture + noise, 0, 255).astype(np.uint8)
    return observe_frame(
        noisy, index=index, capture_time=index / 15, faces=[face_at(240 + shift, 300, _FAR * growth)]
    )


def _growths() -> list[float]:
    return [float(growth) for growth in np.geomspace(1.03, 1.7, 12)]


def test_a_picture_that_grows_is_followed_without_left_over() -> None:
    tracker = ApproachTracker()
    assert tracker.begin(_frame(0, 1.0))
    for index, growth in enumerate(_growths(), start=1):
        tracker.track_frame(_frame(index, growth, shift=2.0 * index))
    parallax = tracker.parallax()
    assert parallax is not None
    assert parallax.closeups[-1].growth > 1.55
    for closeup in parallax.closeups:
        assert closeup.growth == pytest.approx(_growths()[closeup.frame - 1], rel=0.02)
        left_over = closeup.left_over[np.isfinite(closeup.left_over[:, 0])]
        assert np.median(np.abs(left_over)) < 0.004
    assert parallax.places.shape == parallax.closeups[0].left_over.shape
    assert parallax.face_pixels == pytest.approx(_FAR * 0.6, rel=0.05)


def test_a_leap_loses_the_face() -> None:
    tracker = ApproachTracker()
    tracker.begin(_frame(0, 1.0))
    tracker.track_frame(_frame(1, 1.02))
    before = tracker.following
    tracker.track_frame(_frame(2, 1.7))
    assert (before, tracker.following) == (True, False)
    tracker.track_frame(_frame(3, 1.02))
    parallax = tracker.parallax()
    assert parallax is not None
    assert [closeup.frame for closeup in parallax.closeups] == [1]


def test_a_frame_of_another_size_loses_the_face() -> None:
    tracker = ApproachTracker()
    tracker.begin(_frame(0, 1.0))
    tracker.track_frame(replace(_frame(1, 1.0), width=960))
    assert not tracker.following


@pytest.mark.parametrize("changes", [{"view": None}, {"face": None, "faces": 0}, {"faces": 2}])
def test_only_one_face_with_its_view_can_be_followed(changes: dict[str, object]) -> None:
    tracker = ApproachTracker()
    assert not tracker.begin(replace(_frame(0, 1.0), **changes))  # type: ignore[arg-type]
    tracker.track_frame(_frame(1, 1.0))
    assert tracker.parallax() is None
