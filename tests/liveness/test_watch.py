"""The frames of a scan as they are watched, and the eyes in them."""

from collections.abc import Sequence
from dataclasses import replace

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from liveness.continuity import followed_from
from liveness.errors import ObservationError
from liveness.eye_watch import EyeRatios, EyeWatch
from liveness.observation import GreyView
from liveness.observe import observe_followed, observe_frame, view_frame
from liveness.watch import APART_SECONDS, FOLLOW_SECONDS, FramePace, FrameWatcher, FrameWork, ScanCollector
from tests.liveness.builders import FACE, HEIGHT, WIDTH, face_at, observation, rendered_scan, texture
from vision.face import BgrImage, DetectedFace, Landmarks


def _works(
    rate: float, *, seconds: float = 4.0, apart_seconds: float | None = None, restless: bool = False
) -> list[FrameWork]:
    pace = FramePace() if apart_seconds is None else FramePace(apart_seconds=apart_seconds)
    return [pace.next(index / rate, restless=restless) for index in range(round(seconds * rate))]


@pytest.mark.parametrize(("rate", "step"), [(8, 1), (10, 1), (11, 1), (14, 2), (15, 2), (24, 3), (30, 4)])
def test_every_so_many_frames_are_measured(rate: float, step: int) -> None:
    measured = [index for index, work in enumerate(_works(rate)) if work is FrameWork.MEASURE]
    assert measured == list(range(0, round(4 * rate), step))
    assert 7 <= rate / step <= 13


@pytest.mark.parametrize("rate", [12, 13, 20])
def test_at_other_rates_as_many_are_measured_in_the_mean(
    rate: float,
) -> None:
    works = _works(rate, seconds=10.0)
    times = np.array([index / rate for index, work in enumerate(works) if work is FrameWork.MEASURE])
    assert len(times) == pytest.approx(10 * 8, abs=2)
    assert np.diff(times).max() < 1.2 * APART_SECONDS
    assert _works(rate, restless=True).count(FrameWork.MEASURE) >= 4 * 9


def test_between_them_frames_are_sampled_for_a_second_and_then_only_noted() -> None:
    works = _works(24)
    between = [(index / 24, work) for index, work in enumerate(works) if work is not FrameWork.MEASURE]
    assert {work for time, work in between if time < 1} == {FrameWork.SAMPLE}
    assert {work for time, work in between if time >= 1} == {FrameWork.NOTE}


def test_a_mode_that_needs_every_frame_gets_it() -> None:
    assert set(_works(30, apart_seconds=0.0)) == {FrameWork.MEASURE}


@pytest.mark.parametrize(("rate", "every"), [(8, 1), (15, 1), (24, 2), (30, 3)])
def test_while_points_are_lost_ten_frames_a_second_are_measured_or_more(rate: float, every: int) -> None:
    works = _works(rate, restless=True)
    assert [at for at, work in enumerate(works) if work is FrameWork.MEASURE] == list(
        range(0, len(works), every)
    )


@pytest.mark.parametrize(
    ("gaps", "least"), [((0.06, 0.19), 8.0), ((0.04, 0.04, 0.27), 5.5)], ids=["in turns", "in bunches"]
)
def test_frames_that_come_unevenly_are_measured_as_often_as_they_can_be(
    gaps: tuple[float, ...], least: float
) -> None:
    times = np.concatenate([[0.0], np.cumsum(gaps * 20)])
    pace = FramePace()
    watched = [time for time in times if pace.next(float(time), restless=False) is FrameWork.MEASURE]
    assert (len(watched) - 1) / (watched[-1] - watched[0]) > least - 0.3


def test_of_frames_at_nearly_one_moment_one_is_measured() -> None:
    pace = FramePace()
    works = [pace.next(0.4 * moment + 1e-6 * nth, restless=False) for moment in range(10) for nth in range(6)]
    assert [at for at, work in enumerate(works) if work is FrameWork.MEASURE] == list(range(0, 60, 6))


def test_frames_must_go_forward() -> None:
    collector = ScanCollector()
    collector.collect_frame(observation(3))
    for wrong in (
        observation(3),
        observation(2),
        observation(4, capture_time=0.1),
        observation(5, capture_time=0.2),
    ):
        with pytest.raises(ObservationError):
            collector.collect_frame(wrong)
    assert [frame.index for frame in collector.observations().frames] == [3]


def test_views_are_not_kept() -> None:
    collector = ScanCollector()
    for index in range(20):
        seen = observe_frame(
            texture()[:HEIGHT, :WIDTH], index=index, capture_time=index / 15, faces=[face_at()]
        )
        assert collector.collect_frame(seen).view is None
    scan = collector.observations()
    assert all(frame.view is None for frame in scan.frames)
    assert scan.duration == pytest.approx(19 / 15)
    assert len(scan.usable) == 20


def test_a_shift_is_measured_to_a_tenth_of_a_pixel() -> None:
    def move(time: float, x: object, y: object) -> tuple[object, object]:
        return np.asarray(x) + 12 * time, np.asarray(y) - 6 * time

    scan = rendered_scan(move, frames=12)
    segment = scan.motion[0]
    elapsed = segment.times[-1] - segment.times[0]
    moved = np.nanmedian(segment.positions[-1] - segment.positions[0], axis=0) * segment.face_width / 0.6
    assert moved == pytest.approx([-12 * elapsed, 6 * elapsed], abs=0.17)
    left_over = segment.left_over[1:, segment.on_face] * segment.face_width
    assert np.nanmedian(np.abs(left_over)) < 0.1


def test_segments_cover_the_scan_about_a_second_each() -> None:
    scan = rendered_scan(lambda _, x, y: (x, y), frames=40)
    assert len(scan.motion) == 4
    assert scan.motion[0].frames[0] == 0
    for earlier, later in zip(scan.motion, scan.motion[1:], strict=False):
        assert later.frames[0] == earlier.frames[-1]
    assert scan.motion[-1].frames[-1] == 39


def test_a_face_that_goes_and_comes_back_starts_anew() -> None:
    collector = ScanCollector()
    image = texture()[:HEIGHT, :WIDTH]
    for index in range(30):
        blank = np.full_like(image, 90)
        away = 10 <= index < 20
        seen = observe_frame(
            blank if away else image,
            index=index,
            capture_time=index / 15,
            faces=[] if away else [face_at()],
        )
        collector.collect_frame(seen)
    starts = [int(segment.frames[0]) for segment in collector.observations().motion]
    assert starts[0] == 0
    assert 20 in starts
    assert len(collector.observations().usable) == 20


def _shifted(pixels: int) -> BgrImage:
    return np.ascontiguousarray(texture()[:HEIGHT, pixels : pixels + WIDTH])


def _take(
    collector: ScanCollector, image: BgrImage, index: int, *, time: float, faces: tuple[DetectedFace, ...]
) -> bool:
    """Take a frame as a server does; return whether the detector had to run."""
    seen = view_frame(image)
    followed = collector.follow(seen, time)
    if followed is None:
        collector.collect_frame(observe_frame(image, index=index, capture_time=time, faces=faces, seen=seen))
        return True
    assert followed.detected.followed is False
    collector.collect_frame(
        observe_followed(seen, index=index, capture_time=time, face=followed.face, detected=followed.detected)
    )
    return False


def test_a_face_is_followed_between_detections() -> None:
    collector = ScanCollector()
    detected = []
    for index in range(30):
        shift = 4 * index
        if _take(collector, _shifted(shift), index, time=index / 15, faces=(face_at(FACE[0] - shift),)):
            detected.append(index)
    assert detected[0] == 0
    assert len(detected) < 10
    for frame in collector.observations().frames:
        assert frame.face is not None
        assert frame.followed == (frame.index not in detected)
        expected = face_at(FACE[0] - 4 * frame.index)
        assert frame.face.five_points == pytest.approx(expected.five_points, abs=1.0)
        assert frame.face.box.width == pytest.approx(expected.box.width, rel=0.02)
        assert frame.face.box.centre == pytest.approx(expected.box.centre, abs=1.5)


def test_a_face_that_jumps_is_looked_for_farther_away() -> None:
    """12 view pixels at once are beyond the finer levels of the flow, and within the coarsest one's reach."""
    collector = ScanCollector()
    assert _take(collector, _shifted(0), 0, time=0.0, faces=(face_at(),))
    assert not _take(collector, _shifted(20), 1, time=0.1, faces=())
    jumped = collector.observations().frames[-1].face
    assert jumped is not None
    assert jumped.five_points == pytest.approx(face_at(FACE[0] - 20).five_points, abs=1.0)


def test_motion_is_the_same_for_followed_and_detected_faces() -> None:
    found, followed = ScanCollector(), ScanCollector()
    for index in range(24):
        image, faces = _shifted(3 * index), (face_at(FACE[0] - 3 * index),)
        found.collect_frame(observe_frame(image, index=index, capture_time=index / 15, faces=faces))
        _take(followed, image, index, time=index / 15, faces=faces)
    one, other = found.observations().motion, followed.observations().motion
    assert len(one) > 1
    assert len(other) > 1
    # Segments end at detections, so those of a face that is always detected end sooner.
    first, second = one[0], other[0]
    assert len(first.frames) <= len(second.frames)
    assert np.array_equal(first.positions, second.positions[: len(first.frames)], equal_nan=True)


@pytest.mark.parametrize("rate", [8.0, 15.0, 24.0])
def test_the_detector_looks_again_in_time(rate: float) -> None:
    collector = ScanCollector()
    looks = [
        index / rate
        for index in range(round(3 * rate))
        if _take(collector, _shifted(0), index, time=index / rate, faces=(face_at(),))
    ]
    gaps = np.diff([*looks, 3.0])
    assert max(gaps) <= FOLLOW_SECONDS + 1 / rate + 1e-9


def test_nothing_is_followed_where_the_detector_must_look() -> None:
    image = _shifted(0)
    seen = view_frame(image)
    assert ScanCollector().follow(seen, 0.0) is None
    for faces in ((), (face_at(), face_at(60, 60, 120))):
        collector = ScanCollector()
        collector.collect_frame(observe_frame(image, index=0, capture_time=0, faces=faces, seen=seen))
        assert collector.follow(view_frame(image), 0.05) is None


@pytest.mark.parametrize("picture", ["another picture", "grey", "another size", "nearer"])
def test_a_face_that_is_lost_is_looked_for_at_once(picture: str) -> None:
    collector = ScanCollector()
    image = _shifted(0)
    assert _take(collector, image, 0, time=0.0, faces=(face_at(),))
    assert not _take(collector, image, 1, time=0.05, faces=(face_at(),))
    shown = {
        "another picture": texture(seed=9)[:HEIGHT, :WIDTH],
        "grey": np.full_like(image, 128),
        "another size": np.ascontiguousarray(image[::2, ::2]),
        "nearer": np.ascontiguousarray(np.repeat(np.repeat(image, 2, axis=0), 2, axis=1)[:HEIGHT, :WIDTH]),
    }[picture]
    assert collector.follow(view_frame(shown), 0.1) is None


def test_a_face_whose_points_are_lost_is_restless_for_a_second() -> None:
    collector = ScanCollector()
    assert not collector.restless
    restless = []
    for index in range(24):
        image = _shifted(0) if index != 8 else texture(seed=9)[:HEIGHT, :WIDTH].copy()
        _take(collector, image, index, time=index / 8, faces=(face_at(),))
        restless.append(collector.restless)
    assert not any(restless[:8])
    assert all(restless[8:16])
    # The points that were chosen on the other image are lost, too.
    assert not any(restless[17 + 1 :])


def test_a_changed_frame_size_causes_a_detection() -> None:
    collector = ScanCollector()
    image = _shifted(0)
    assert _take(collector, image, 0, time=0.0, faces=(face_at(),))
    larger = np.ascontiguousarray(np.repeat(np.repeat(image, 2, axis=0), 2, axis=1))
    assert view_frame(larger).view.shape == view_frame(image).view.shape
    twice = face_at(*(2 * value for value in FACE))
    for index in (1, 2):
        detected = _take(collector, larger, index, time=index * 0.05, faces=(twice,))
        assert detected is (index == 1)
    face = collector.observations().frames[-1].face
    assert face is not None
    assert face.five_points == pytest.approx(twice.five_points, abs=1.0)
    # Another camera may have taken its place.
    assert followed_from(collector.observations(), 0.0) == {0}


def test_a_face_is_not_followed_into_a_picture_of_another_shape_nor_into_a_larger_one_of_another() -> None:
    turned = np.ascontiguousarray(_shifted(0).transpose(1, 0, 2))
    other = texture(seed=9)[:HEIGHT, :WIDTH]
    larger = np.ascontiguousarray(np.repeat(np.repeat(other, 2, axis=0), 2, axis=1))
    twice = face_at(*(2 * value for value in FACE))
    for picture, face in ((turned, face_at(300.0, 240.0)), (larger, twice)):
        collector = ScanCollector()
        assert _take(collector, _shifted(0), 0, time=0.0, faces=(face_at(),))
        assert _take(collector, picture, 1, time=0.05, faces=(face,))
        assert followed_from(collector.observations(), 0.0) == {0}


def test_motion_beside_another_face_is_not_counted() -> None:
    collector = ScanCollector()
    for index in range(30):
        faces = (face_at(FACE[0] - 3 * index), *((face_at(60, 60, 120),) if 10 <= index < 20 else ()))
        _take(collector, _shifted(3 * index), index, time=index / 15, faces=faces)
    scan = collector.observations()
    crowded = {frame.index for frame in scan.frames if frame.faces > 1}
    assert crowded == set(range(10, 20))
    assert {int(index) for segment in scan.motion for index in segment.frames} == set(range(30)) - crowded


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
    watcher.pass_frame(1, 0.04, fingerprint=7)
    (passed,) = watcher.observations.passed
    assert (passed.index, passed.capture_time, passed.fingerprint, passed.samples) == (1, 0.04, 7, None)
    with pytest.raises(ObservationError):
        watcher.measure(_Picture(_shifted(0)), index=0, capture_time=0.1)


# Eyes are measured when their pixels differ from before, and otherwise keep their measurement.

_OPEN: EyeRatios = (0.30, 0.31)
_SHUT: EyeRatios = (0.08, 0.09)
_FACE = face_at()


def _frame(*, left: int = 0, right: int = 0, noise: float = 2.0, seed: int = 0) -> GreyView:
    """A face with eyes of one of several patterns; pattern 0 is open eyes."""
    rng = np.random.default_rng(seed)
    grey = texture()[:HEIGHT, :WIDTH, 0].astype(np.float64)
    for eye, pattern in ((0, left), (1, right)):
        if pattern:
            x, y = _FACE.five_points[eye].astype(int)
            other = texture(seed=100 + pattern)[:60, :90, 0]
            grey[y - 30 : y + 30, x - 45 : x + 45] = other
    values: NDArray[np.uint8] = np.clip(grey + rng.normal(0, noise, grey.shape), 0, 255).astype(np.uint8)
    return values


def _run(
    watch: EyeWatch, frames: Sequence[tuple[GreyView, EyeRatios | None]], *, look_every: int = 3
) -> tuple[list[EyeRatios | None], list[int]]:
    """The eyes of each frame, and the measured ones; landmarks would give the second value of each."""
    known: list[EyeRatios | None] = []
    measured: list[int] = []
    for index, (grey, eyes) in enumerate(frames):
        sight = watch.compare(grey, _FACE, index * _APART, detected=index % look_every == 0)
        if sight.worth_measuring:
            measured.append(index)
            known.append(watch.add_measured(sight, eyes))
        else:
            known.append(watch.add_unmeasured(sight))
    return known, measured


@pytest.mark.parametrize(
    ("noise", "expected"), [(2.0, [0, 18]), (14.0, [0, 12, 24])], ids=["just the same", "nearly the same"]
)
def test_eyes_that_stay_open_are_measured_at_looks_now_and_then(noise: float, expected: list[int]) -> None:
    frames = [(_frame(noise=noise, seed=index), _OPEN) for index in range(32)]
    known, measured = _run(EyeWatch(), frames)
    assert known == [_OPEN] * 32
    # Every 2 seconds or every 1.2, at detections.
    assert measured == expected


def test_eyes_after_a_blink_are_derived_without_a_measurement() -> None:
    shut = {17, 18}
    frames = [
        (_frame(left=1, right=1, seed=index), _SHUT) if index in shut else (_frame(seed=index), _OPEN)
        for index in range(32)
    ]
    known, measured = _run(EyeWatch(), frames)
    assert known == [_SHUT if index in shut else _OPEN for index in range(32)]
    assert 17 in measured
    assert len(measured) <= 8


def _asked(frames: Sequence[tuple[GreyView, EyeRatios]]) -> tuple[EyeWatch, list[EyeRatios | None]]:
    """All are measured, as after a request for a blink; 20 a second."""
    watch = EyeWatch()
    known: list[EyeRatios | None] = []
    for index, (grey, eyes) in enumerate(frames):
        sight = watch.compare(grey, _FACE, index * 0.05, detected=False, expected=True)
        assert sight.worth_measuring
        known.append(watch.add_measured(sight, eyes))
    return watch, known


@pytest.mark.parametrize("look", [0, 1], ids=["they look open", "they look otherwise"])
def test_eyes_count_as_shut_only_if_their_appearance_changed(look: int) -> None:
    """Landmark noise alone is no blink; with changed pixels it is."""
    low = {20, 21, 22}
    frames = [
        (_frame(left=look, right=look, seed=index), _SHUT) if index in low else (_frame(seed=index), _OPEN)
        for index in range(40)
    ]
    watch, known = _asked(frames)
    assert watch.blinked == bool(look)
    assert [index for index, eyes in enumerate(known) if eyes == _SHUT] == (sorted(low) if look else [])


_HALF: EyeRatios = (0.18, 0.19)


def _turned(share: float) -> DetectedFace:
    """The face with its nose shifted sideways, in distances between the eyes."""
    points = _FACE.five_points.copy()
    points[2] += share * (points[1] - points[0])
    return replace(_FACE, five_points=points)


@pytest.mark.parametrize(
    ("aside", "low", "blinked"),
    [(0.0, _HALF, True), (0.06, _HALF, True), (0.2, _HALF, False), (-0.2, _HALF, False), (0.2, _SHUT, True)],
    ids=["straight", "hardly turned", "turned", "turned the other way", "turned, and shut"],
)
def test_where_the_head_is_turned_only_eyes_that_fall_far_are_shut(
    aside: float, low: EyeRatios, blinked: bool
) -> None:
    """A turn changes both the landmarks of open eyes and their pixels."""
    watch, known = EyeWatch(), []
    for index in range(40):
        falls = index in {20, 21, 22}
        grey = _frame(left=int(falls), right=int(falls), seed=index)
        face = _turned(aside) if index >= 18 else _FACE
        sight = watch.compare(grey, face, index * 0.05, detected=False, expected=True)
        known.append(watch.add_measured(sight, low if falls else _OPEN))
    assert watch.blinked is blinked
    assert known.count(low) == (3 if blinked else 0)


def test_a_head_that_stays_turned_is_held_so() -> None:
    watch = EyeWatch()
    for index in range(60):
        falls = index in {50, 51, 52}
        grey = _frame(left=int(falls), right=int(falls), seed=index)
        face = _turned(0.2) if index >= 10 else _FACE
        watch.add_measured(
            watch.compare(grey, face, index * 0.05, detected=False, expected=True), _HALF if falls else _OPEN
        )
    assert watch.blinked


def test_landmarks_without_any_eye_show_no_blink() -> None:
    watch, _ = _asked(
        [(_frame(left=index % 5, right=index % 5, seed=index), (0.0, 0.0)) for index in range(20)]
    )
    assert not watch.blinked


def test_where_a_blink_is_expected_every_frame_is_measured_however_alike() -> None:
    watch = EyeWatch()
    looks_the_same = [
        watch.compare(_frame(seed=index), _FACE, index * _APART, detected=index == 0, expected=index > 4)
        for index in range(20)
        if index != 3 or watch.add_measured(watch.compare(_frame(), _FACE, 0.3, detected=True), _OPEN)
    ]
    assert [sight.worth_measuring for sight in looks_the_same[5:]] == [True] * 15
    assert not looks_the_same[4].worth_measuring


def test_eyes_kept_shut_stay_shut() -> None:
    frames = [
        (_frame(left=1, right=1, seed=index), _SHUT) if index >= 13 else (_frame(seed=index), _OPEN)
        for index in range(40)
    ]
    known, measured = _run(EyeWatch(), frames)
    assert known[13:] == [_SHUT] * 27
    assert len(measured) < 12


def test_one_open_eye_is_not_shut() -> None:
    shut = [(_frame(left=1, right=1, seed=index), _SHUT) for index in range(10)]
    watch = EyeWatch()
    _run(watch, [(_frame(seed=50), _OPEN), *shut])
    winking = watch.compare(_frame(left=1, right=0, seed=60), _FACE, 2.0, detected=False)
    assert winking.eyes == _OPEN


@pytest.mark.parametrize("seconds", [2, 6])
def test_restless_eyes_cost_no_more_than_the_budget(seconds: int) -> None:
    frames = [
        (_frame(left=1 + index % 23, right=1 + index % 23, seed=index), _OPEN)
        for index in range(round(seconds / _APART))
    ]
    known, measured = _run(EyeWatch(), frames)
    regular = seconds / 1.2 + 1
    assert len(measured) <= regular + 4 + 1.5 * seconds + 1
    # Eyes that were not measured and differ from all before are unknown.
    assert None in known


def test_after_a_blink_only_the_regular_measurements_go_on() -> None:
    quiet = [(_frame(seed=index), _OPEN) for index in range(12)]
    blink = [(_frame(left=1, right=1, seed=90), _SHUT)]
    restless = [(_frame(left=2 + index, right=2 + index, seed=index), _OPEN) for index in range(12)]
    _, measured = _run(EyeWatch(), [*quiet, *blink, *quiet[:2], *restless])
    assert 12 in measured
    assert [index for index in measured if index >= 15] == [24]


def test_a_flat_picture_and_a_face_beyond_the_frame_are_no_failure() -> None:
    watch = EyeWatch()
    flat = np.full((HEIGHT, WIDTH), 90, np.uint8)
    for index, face in enumerate((_FACE, face_at(-400, -400), face_at(5, 5, 3))):
        sight = watch.compare(flat, face, float(index), detected=True)
        assert watch.add_measured(sight, _OPEN) == _OPEN
    assert watch.compare(flat, _FACE, 3.1, detected=False).eyes is None


def test_an_eye_behind_glare_looks_like_nothing_else() -> None:
    def glaring(seed: int) -> GreyView:
        grey = _frame(seed=seed)
        x, y = _FACE.five_points[0].astype(int)
        # As large as the compared area: only the margin around it has texture.
        grey[y - 27 : y + 28, x - 41 : x + 42] = 255
        return grey

    watch = EyeWatch()
    assert watch.compare(glaring(0), _FACE, 0.0, detected=True).worth_measuring
    watch.add_measured(watch.compare(glaring(0), _FACE, 0.0, detected=True), _OPEN)
    assert watch.compare(_frame(left=1, right=1, seed=1), _FACE, _APART, detected=False).eyes is None


def _eyes_after_a_fall(*, before: int, low: int, after: int) -> tuple[EyeWatch, list[EyeRatios | None]]:
    """Eyes that measure as shut in two of 24 frames, with the patterns before, then, and after."""
    frames = [(_frame(left=before, right=before, seed=index), _OPEN) for index in range(12)]
    frames += [(_frame(left=low, right=low, seed=index), _HALF) for index in (12, 13)]
    frames += [(_frame(left=after, right=after, seed=index), _OPEN) for index in range(14, 24)]
    return _asked(frames)


@pytest.mark.parametrize(
    ("patterns", "blinked"),
    [((0, 1, 1), False), ((0, 0, 1), False), ((0, 1, 0), True), ((0, 1, 2), True)],
    ids=["leap before", "leap after", "blink", "blink between two looks"],
)
def test_shut_eyes_differ_from_the_open_ones_before_and_after(
    patterns: tuple[int, int, int], blinked: bool
) -> None:
    """With a detection, the patches leap, and the landmarks of a rigid mask may fall for a moment."""
    before, low, after = patterns
    watch, _ = _eyes_after_a_fall(before=before, low=low, after=after)
    assert watch.blinked is blinked


def test_eyes_that_turn_out_open_are_corrected_once() -> None:
    watch, known = _eyes_after_a_fall(before=0, low=1, after=1)
    assert known[12:14] == [_HALF, _HALF]
    assert list(watch.corrections().items()) == [(12 * 0.05, _OPEN), (13 * 0.05, _OPEN)]
    assert watch.corrections() == {}


def test_measurements_reused_from_shut_eyes_are_corrected_with_them() -> None:
    watch = EyeWatch()
    watch.add_measured(watch.compare(_frame(), _FACE, 0.0, detected=True), _OPEN)
    watch.add_measured(watch.compare(_frame(left=1, right=1, seed=1), _FACE, 0.1, detected=True), _HALF)
    reused = watch.compare(_frame(left=1, right=1, seed=2), _FACE, 0.2, detected=False)
    assert watch.add_unmeasured(reused) == _HALF
    watch.add_measured(watch.compare(_frame(left=1, right=1, seed=3), _FACE, 0.3, detected=True), _OPEN)
    assert watch.corrections() == {0.1: _OPEN, 0.2: _OPEN}


def test_a_fall_longer_than_a_blink_corrects_nothing() -> None:
    """Frames that reuse ratios just below open ones would else raise the level of open eyes."""
    watch = EyeWatch()
    watch.add_measured(watch.compare(_frame(), _FACE, 0.0, detected=True), _OPEN)
    watch.add_measured(watch.compare(_frame(left=1, right=1, seed=1), _FACE, 0.1, detected=True), _HALF)
    for index in range(2, 9):
        watch.add_unmeasured(
            watch.compare(_frame(left=1, right=1, seed=index), _FACE, index / 10, detected=False)
        )
    watch.add_measured(watch.compare(_frame(left=1, right=1, seed=9), _FACE, 0.9, detected=True), _OPEN)
    assert watch.corrections() == {}


def test_one_eye_that_looks_as_when_it_opens_is_still_a_blink() -> None:
    """Real lids open slowly, so that one eye may hardly change between its last shut and first open frame."""
    frames = [(_frame(seed=index), _OPEN) for index in range(12)]
    frames += [(_frame(left=1, right=1, seed=index), _HALF) for index in (12, 13)]
    frames += [(_frame(left=1, right=0, seed=index), _OPEN) for index in range(14, 24)]
    watch, _ = _asked(frames)
    assert watch.blinked
    assert watch.corrections() == {}


def test_one_eye_that_looks_as_before_is_no_blink() -> None:
    frames = [(_frame(left=1 if index == 17 else 0, seed=index), _OPEN) for index in range(32)]
    _, measured = _run(EyeWatch(), frames)
    assert 17 not in measured


def test_a_frame_of_a_blink_that_measures_as_open_by_its_looks_corrects_nothing() -> None:
    """Only measured open eyes do: a half-shut frame may look open, and the shut ones may look like it."""
    shut = {20: 1, 21: 0, 22: 1}
    frames = [
        (_frame(left=shut.get(index, 0), right=shut.get(index, 0), seed=index), _SHUT)
        if index in shut
        else (_frame(seed=index), _OPEN)
        for index in range(40)
    ]
    watch, known = _asked(frames)
    assert watch.blinked
    assert known[20:23] == [_SHUT, _OPEN, _SHUT]
