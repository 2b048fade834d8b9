import numpy as np

from research.screens_in_time.cues import time_cues
from research.screens_in_time.drawn import TRACES, as_stored, draw_trace
from tests.research.screens_in_time.scenes import images_of, person_in_room


def test_every_trace_changes_frames_and_leaves_the_faces_places() -> None:
    frames = person_in_room(sway=20, count=12)
    plain = draw_trace("reflection", 0.0, frames, images_of(frames))
    for name, trace in TRACES.items():
        drawn = draw_trace(name, trace.strengths[-1], frames, images_of(frames))
        assert [frame.face for frame in drawn] == [frame.face for frame in frames]
        assert any((one.luma != other.luma).any() for one, other in zip(drawn, plain, strict=True)), name


def test_a_stored_video_keeps_number_and_size_of_images_of_odd_sides() -> None:
    images = [image[:301, :221] for image in images_of(person_in_room(count=10))]
    stored = as_stored(images)
    assert [image.shape for image in stored] == [image.shape for image in images]
    assert 0 < np.abs(stored[5].astype(int) - images[5]).mean() < 60


def test_bands_are_still_seen_in_a_stored_video() -> None:
    frames = person_in_room(sway=20)
    plain, banded = (
        time_cues(draw_trace("bands", strength, frames, images_of(frames), stored=True), ["drifting stripes"])
        for strength in (0.0, 4.0)
    )
    assert banded["drifting stripes"] > plain["drifting stripes"] + 0.2
