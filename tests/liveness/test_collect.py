import numpy as np
import pytest

from liveness.collect import FOLLOW_SECONDS, ScanCollector
from liveness.continuity import followed_from
from liveness.errors import ObservationError
from liveness.observe import observe_followed, observe_frame, view_frame
from tests.liveness.builders import FACE, HEIGHT, WIDTH, face_at, observation, rendered_scan, texture
from vision.face import BgrImage, DetectedFace


def test_frames_must_go_forward() -> None:
    collector = ScanCollector()
    collector.add(observation(3))
    for wrong in (
        observation(3),
        observation(2),
        observation(4, capture_time=0.1),
        observation(5, capture_time=0.2),
    ):
        with pytest.raises(ObservationError):
            collector.add(wrong)
    assert [frame.index for frame in collector.observations().frames] == [3]


def test_views_are_not_kept() -> None:
    collector = ScanCollector()
    for index in range(20):
        seen = observe_frame(
            texture()[:HEIGHT, :WIDTH], index=index, capture_time=index / 15, faces=[face_at()]
        )
        assert collector.add(seen).view is None
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
        collector.add(seen)
    starts = [int(segment.frames[0]) for segment in collector.observations().motion]
    assert starts[0] == 0
    assert 20 in starts
    assert len(collector.observations().usable) == 20


def test_an_empty_scan_is_a_scan() -> None:
    scan = ScanCollector().observations()
    assert (scan.frames, scan.motion, scan.duration, scan.usable) == ((), (), 0.0, ())


def _shifted(pixels: float) -> BgrImage:
    moved: BgrImage = texture()[:HEIGHT, round(pixels) : round(pixels) + WIDTH]
    return moved


def _take(
    collector: ScanCollector, image: BgrImage, index: int, *, time: float, faces: tuple[DetectedFace, ...]
) -> bool:
    """Takes a frame as a server does; returns whether the detector had to run."""
    seen = view_frame(image)
    followed = collector.follow(seen, time)
    if followed is None:
        collector.add(observe_frame(image, index=index, capture_time=time, faces=faces, seen=seen))
        return True
    assert followed.detected.followed is False
    collector.add(
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
        found.add(observe_frame(image, index=index, capture_time=index / 15, faces=faces))
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
        collector.add(observe_frame(image, index=0, capture_time=0, faces=faces, seen=seen))
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


def test_a_shorter_time_between_looks_can_be_asked_for() -> None:
    collector = ScanCollector(follow_seconds=0.1)
    looks = sum(
        _take(collector, _shifted(0), index, time=index / 15, faces=(face_at(),)) for index in range(13)
    )
    assert looks == 7


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


def test_another_face_at_a_change_of_the_frame_size_is_not_followed() -> None:
    collector = ScanCollector()
    assert _take(collector, _shifted(0), 0, time=0.0, faces=(face_at(),))
    other = texture(seed=9)[:HEIGHT, :WIDTH]
    larger = np.ascontiguousarray(np.repeat(np.repeat(other, 2, axis=0), 2, axis=1))
    twice = face_at(*(2 * value for value in FACE))
    assert _take(collector, larger, 1, time=0.05, faces=(twice,))
    assert followed_from(collector.observations(), 0.0) == {0}


def test_a_face_is_not_followed_into_a_picture_of_another_shape() -> None:
    collector = ScanCollector()
    image = _shifted(0)
    assert _take(collector, image, 0, time=0.0, faces=(face_at(),))
    turned = np.ascontiguousarray(image.transpose(1, 0, 2))
    assert _take(collector, turned, 1, time=0.05, faces=(face_at(300.0, 240.0),))
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
