"""From frames to templates with a real pack, and the study's result for a scan of two persons."""

import functools

import numpy as np
import pytest
from rich.console import Console

from research.scan_match.clips import Recording, SentFrame
from research.scan_match.constancy_study import (
    constancy_tables,
    identify_all,
    identify_scan,
    join_selected,
    joined_table,
    judge_genuine,
    judge_spliced,
    portrait_template,
    upper_bound,
)
from simulator.photo import builtin_photos
from simulator.scan import simulate_scan
from simulator.scene import ScanKind, SceneSettings
from tests.packs import real_pack
from vision.image import encode_jpeg

pytestmark = pytest.mark.slow


@functools.cache
def _recording(person: str) -> Recording:
    settings = SceneSettings(
        kind=ScanKind.GENUINE, seed=3, seconds=3.0, frames_per_second=12.0, width=360, height=480
    )
    frames = tuple(
        SentFrame(frame.capture_time, encode_jpeg(frame.pixels, quality=88))
        for frame in simulate_scan(builtin_photos(names=(person,))[person], settings)
    )
    return Recording(name=person, portraits=frames[:4], scans=(frames[4:],))


def test_a_scan_is_identified_as_a_server_does() -> None:
    recording = _recording("astronaut")
    found = identify_scan(recording.scans[0], real_pack())
    assert len(found.selected) == 8
    assert set(found.selected_places) <= set(found.places)
    assert len(found.everything) == len(found.places) == len(found.selected) + len(found.witnesses)
    assert list(found.places) == sorted(found.places)
    assert 0.5 < found.examined_share <= 1.0
    portrait = portrait_template(recording, real_pack())
    assert portrait is not None
    assert min(float(portrait @ sample.template.vector) for sample in found.selected) > 0.95


def test_portrait_frames_without_a_face_give_no_portrait() -> None:
    grey = SentFrame(0.5, encode_jpeg(np.full((200, 200, 3), 90, np.uint8), quality=88))
    nobody = Recording("nobody", (grey,), _recording("astronaut").scans)
    assert portrait_template(nobody, real_pack()) is None


def test_one_person_and_two_persons_are_distinguished() -> None:
    recordings = [_recording("astronaut"), _recording("red-shirt")]
    console = Console(quiet=True)
    scans = identify_all(recordings, real_pack(), console)
    genuine = judge_genuine(scans, real_pack().match_calibration)
    spliced = judge_spliced(recordings, real_pack(), console, each=1, seed=1)
    assert len(genuine) == 2
    assert len(spliced) == 6
    least = min(judged.scores.groups for judged in genuine)
    assert all(judged.scores.groups < least for judged in spliced if judged.other_selected)
    one, two = constancy_tables(genuine, spliced, real_pack().match_calibration)
    assert one.row_count == 4
    assert two.row_count == 8
    # Neither person turns the head far.
    assert list(two.columns[1].cells) == ["1"] * 6 + ["0", "6"]
    joined = join_selected(scans, real_pack().match_calibration, others=4)
    assert joined.shape == (2,)
    assert joined.max() < least
    assert list(joined_table(scans, real_pack().match_calibration).columns[1].cells) == ["2"] * 4 + ["8"]


def test_the_bound_on_a_rate_is_clopper_and_pearsons() -> None:
    assert upper_bound(0, 100) == pytest.approx(1 - 0.05 ** (1 / 100))
    assert upper_bound(5, 100) == pytest.approx(0.1023, abs=1e-3)
    assert upper_bound(3, 3) == 1.0
    assert upper_bound(0, 0) == 1.0
