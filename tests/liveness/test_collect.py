import numpy as np
import pytest

from liveness.collect import ScanCollector
from liveness.errors import ObservationError
from liveness.observe import observe_frame
from tests.liveness.builders import HEIGHT, WIDTH, face_at, observation, rendered_scan, texture


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
    assert len(scan.motion) == 3
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
