"""The cheap work on frames: the frames that are decoded, detected, followed and measured."""

from collections.abc import Sequence

import cv2
import numpy as np
import pytest

from liveness.errors import ObservationError
from liveness.observation import GreyView, SkippedFrame
from liveness.watch import FrameWatcher
from tests.liveness.builders import FACE, HEIGHT, WIDTH, face_at, texture
from vision.face import BgrImage, DetectedFace, Landmarks

_APART = 0.125


class _Picture:
    """Counts its calls."""

    def __init__(self, image: BgrImage) -> None:
        self.image = image
        self.asked: list[str] = []

    def grey(self) -> GreyView:
        self.asked.append("grey")
        return np.asarray(cv2.cvtColor(self.image, cv2.COLOR_BGR2GRAY), np.uint8)

    def colour(self) -> BgrImage:
        self.asked.append("colour")
        return self.image


class _Models:
    """A detector and a landmarker with a known face, which count their calls."""

    def __init__(self) -> None:
        self.face = face_at()
        self.faces: Sequence[DetectedFace] | None = None
        self.yaw_shift = 0.0
        self.lids = 1.0
        self.found = self.located = 0

    def find(self, image: BgrImage) -> Sequence[DetectedFace]:
        assert image.ndim == 3
        self.found += 1
        return (self.face,) if self.faces is None else self.faces

    def locate(self, image: BgrImage, face: DetectedFace) -> Landmarks | None:
        assert image.ndim == 3
        self.located += 1
        points = np.zeros((68, 2), np.float32)
        points[:17] = np.stack(
            [np.linspace(140, 340, 17), 300 + 130 * np.sin(np.linspace(0, np.pi, 17))], axis=1
        )
        points[[17, 21, 22, 26]] = [(160, 225), (215, 225), (265, 225), (320, 225)]
        for start, x in ((36, 190), (42, 290)):
            points[start : start + 6] = [
                (x - 20, 250),
                (x - 7, 250 - 7 * self.lids),
                (x + 7, 250 - 7 * self.lids),
                (x + 20, 250),
                (x + 7, 250 + 7 * self.lids),
                (x - 7, 250 + 7 * self.lids),
            ]
        points[[30, 31, 35, 48, 54, 57, 8]] = [
            (240 + self.yaw_shift, 300),
            (222, 315),
            (258, 315),
            (205, 360),
            (275, 360),
            (240, 375),
            (240, 430),
        ]
        return Landmarks(points, "ibug68")


def _shifted(pixels: int) -> BgrImage:
    moved: BgrImage = texture()[:HEIGHT, pixels : pixels + WIDTH]
    return np.ascontiguousarray(moved)


def _watcher(models: _Models, *, landmarks: bool = True) -> FrameWatcher:
    return FrameWatcher(find_faces=models.find, locate_landmarks=models.locate if landmarks else None)


def test_models_see_few_frames_and_the_others_are_not_even_decoded_in_colour() -> None:
    models = _Models()
    watcher = _watcher(models)
    for index in range(32):
        picture = _Picture(_shifted(2 * index))
        models.face = face_at(FACE[0] - 2 * index)
        before = models.located
        watched = watcher.measure(picture, index=index, capture_time=index * _APART, fingerprint=index)
        frame = watched.observation
        assert (watched.pixels is None) == frame.followed
        # If a detection is due, only the colours are decoded, otherwise only the luma.
        assert picture.asked == (["grey"] if frame.followed and models.located == before else ["colour"])
        assert frame.face is not None
        assert frame.face.five_points == pytest.approx(models.face.five_points, abs=1.0)
        assert frame.eyes == pytest.approx((14 / 40, 14 / 40), abs=0.01)
        assert (frame.index, frame.fingerprint, frame.view) == (index, index, None)
    assert 10 <= models.found <= 12
    assert 2 <= models.located <= 4
    assert len(watcher.observations.frames) == 32


def test_a_face_that_is_lost_is_looked_for_in_colour() -> None:
    models = _Models()
    watcher = _watcher(models)
    for index in range(2):
        watcher.measure(_Picture(_shifted(0)), index=index, capture_time=index * _APART)
    other = _Picture(texture(seed=9)[:HEIGHT, :WIDTH].copy())
    watched = watcher.measure(other, index=2, capture_time=2 * _APART)
    assert other.asked == ["grey", "colour"]
    assert not watched.observation.followed
    assert watched.pixels is other.image


def test_eyes_that_turn_out_open_are_corrected_in_the_frames_before() -> None:
    """The pixels change with the second detection, and the landmarks of that frame alone fall."""
    models = _Models()
    watcher = _watcher(models)
    lids: list[float] = []
    for index in range(12):
        low = index == 4
        models.lids = 0.4 if low else 1.0
        picture = _Picture(_shifted(0) if index < 4 else texture(seed=9)[:HEIGHT, :WIDTH].copy())
        watcher.measure(picture, index=index, capture_time=index * _APART, expects_blink=True)
        lids.append(watcher.observations.frames[4].eyes[0] if index >= 4 else 1.0)  # type: ignore[index]
    assert lids[4] == pytest.approx(0.4 * 14 / 40, abs=0.01)
    assert lids[5:] == pytest.approx([14 / 40] * 7, abs=0.01)
    assert not watcher.blinked


def test_without_a_landmarker_no_eyes_are_seen() -> None:
    models = _Models()
    watcher = _watcher(models, landmarks=False)
    frames = [
        watcher.measure(_Picture(_shifted(0)), index=index, capture_time=index * _APART).observation
        for index in range(8)
    ]
    assert models.located == 0
    assert {frame.eyes for frame in frames} == {None}
    assert all(frame.pose is not None for frame in frames)


def test_detection_runs_on_every_frame_without_a_face() -> None:
    models = _Models()
    models.faces = ()
    watcher = _watcher(models)
    for index in range(4):
        watched = watcher.measure(_Picture(_shifted(0)), index=index, capture_time=index * _APART)
        assert watched.observation.face is None
        assert watched.observation.pose is None
    assert (models.found, models.located) == (4, 0)


def test_poses_between_landmarks_are_those_of_landmarks() -> None:
    models = _Models()
    dense_only = _watcher(models).measure(_Picture(_shifted(0)), index=0, capture_time=0.0).observation.pose
    models.faces = None
    watcher = _watcher(models)
    poses = [
        watcher.measure(_Picture(_shifted(0)), index=index, capture_time=index * _APART).observation.pose
        for index in range(8)
    ]
    assert models.found > models.located
    assert dense_only is not None
    # The face does not move: a constant offset of the five points is corrected.
    for pose in poses:
        assert pose is not None
        assert (pose.yaw, pose.pitch, pose.roll) == pytest.approx(
            (dense_only.yaw, dense_only.pitch, dense_only.roll), abs=0.5
        )


def test_depth_is_measured_where_it_is_asked_for() -> None:
    models = _Models()
    watcher = _watcher(models)
    depths: dict[int, float | None] = {}
    for index in range(32):
        models.face = face_at(FACE[0] - 2 * index)
        watched = watcher.measure(
            _Picture(_shifted(2 * index)),
            index=index,
            capture_time=index * _APART,
            expects_depth=index % 16 == 15,
        )
        depths[index] = watched.depth
    measured = {index: depth for index, depth in depths.items() if depth is not None}
    assert list(measured) == [15, 31]
    # A shifted texture is exactly flat.
    assert max(measured.values()) < -1


def test_frames_that_are_passed_over_stand_in_the_scan() -> None:
    watcher = _watcher(_Models())
    watcher.measure(_Picture(_shifted(0)), index=0, capture_time=0.0)
    passed = SkippedFrame(index=1, capture_time=0.04, fingerprint=7, samples=None)
    watcher.skip(passed)
    assert watcher.observations.passed == (passed,)
    with pytest.raises(ObservationError):
        watcher.measure(_Picture(_shifted(0)), index=0, capture_time=0.1)
