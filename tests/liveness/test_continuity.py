"""Stretches in which one face was followed, and the events that break them."""

from dataclasses import replace

import cv2
import numpy as np
import pytest

from liveness.continuity import Stretch, examined_share, stretches, unexamined_stretches
from liveness.observation import ScanObservations
from liveness.observe import observe_followed, observe_frame, view_frame
from liveness.watch import ScanCollector
from simulator.scan import simulate_scan
from simulator.scene import ScanKind, SceneSettings
from tests.liveness.builders import as_head, face_at, observations, scan, segment
from tests.packs import real_pack, real_photo
from vision.face import BgrImage
from vision.geometry import similarity_transform


def _followed(
    count: int = 10, *, shares: dict[int, float] | None = None, **places: float
) -> ScanObservations:
    """A scan of one segment; at the named steps only that share of the face's points is found."""
    motion = segment(as_head(0.05), steps=count)
    positions = motion.positions.copy()
    points = np.flatnonzero(motion.on_face)
    for step, share in (shares or {}).items():
        positions[step, points[round(share * len(points)) :]] = np.nan
    frames = [replace(frame, followed=frame.index % 4 != 0) for frame in observations(count)]
    return scan(frames, [replace(motion, positions=positions)])


def test_a_face_that_was_followed_all_along_is_one_stretch() -> None:
    (stretch,) = stretches(_followed())
    assert stretch == Stretch(frames=tuple(range(10)), detected=(0, 4, 8))


def test_without_motion_no_frame_represents_another() -> None:
    found = stretches(scan(observations(5)))
    assert found == tuple(Stretch((index,), (index,)) for index in range(5))


def test_torn_points_end_a_stretch() -> None:
    found = stretches(_followed(shares={5: 0.4}))
    assert [stretch.frames for stretch in found] == [(0, 1, 2, 3, 4), (5, 6, 7, 8, 9)]
    assert [stretch.detected for stretch in stretches(_followed(shares={5: 0.6}))] == [(0, 4, 8)]


def test_points_that_are_lost_little_by_little_as_a_head_turns_end_no_stretch() -> None:
    lost = {step: 0.9**step for step in range(10)}
    assert lost[9] < 0.4
    assert [stretch.frames for stretch in stretches(_followed(shares=lost))] == [tuple(range(10))]


def test_a_few_points_show_no_face_to_be_the_same() -> None:
    lost = {step: 0.7**step for step in range(10)}
    assert [stretch.frames for stretch in stretches(_followed(shares=lost))][-1] == (9,)


def test_another_frame_size_ends_a_stretch() -> None:
    whole = _followed()
    frames = [replace(frame, width=2 * frame.width) if frame.index >= 6 else frame for frame in whole.frames]
    found = stretches(replace(whole, frames=tuple(frames)))
    assert [stretch.frames for stretch in found] == [(0, 1, 2, 3, 4, 5), (6, 7, 8, 9)]


@pytest.mark.parametrize("change", [{"face": None, "faces": 0}, {"faces": 2}])
def test_a_frame_without_exactly_one_face_ends_a_stretch(change: dict[str, object]) -> None:
    whole = _followed()
    frames = [replace(frame, **change) if frame.index == 3 else frame for frame in whole.frames]  # type: ignore[arg-type]
    found = stretches(replace(whole, frames=tuple(frames)))
    assert [stretch.frames for stretch in found] == [(0, 1, 2), (4, 5, 6, 7, 8, 9)]


def test_a_face_found_elsewhere_than_where_the_points_went_ends_a_stretch() -> None:
    whole = _followed()
    aside = [replace(f, face=face_at(x=400.0)) if f.index >= 4 else f for f in whole.frames]
    found = stretches(replace(whole, frames=tuple(aside)))
    assert found[0].frames == (0, 1, 2, 3)
    assert all(4 not in stretch.frames or stretch.frames[0] == 4 for stretch in found)


def test_a_stretch_goes_on_from_one_segment_to_the_next() -> None:
    first, second = segment(as_head(0.05), steps=6), segment(as_head(0.05), steps=5)
    second = replace(second, frames=second.frames + 5, times=second.times + first.times[5])
    (stretch,) = stretches(scan(observations(10), [first, second]))
    assert stretch.frames == tuple(range(10))


def test_unexamined_stretches_come_longest_first() -> None:
    whole = _followed(shares={2: 0.1, 7: 0.1})
    assert [s.frames for s in stretches(whole)] == [(0, 1), (2,), (3, 4, 5, 6), (7,), (8, 9)]
    unseen = unexamined_stretches(whole, examined={0})
    assert [s.frames for s in unseen] == [(3, 4, 5, 6), (8, 9), (2,), (7,)]
    assert examined_share(whole, examined={0}) == pytest.approx(0.2)
    assert examined_share(whole, examined={0, 4}) == pytest.approx(0.6)


def test_a_followed_frame_represents_no_stretch() -> None:
    assert examined_share(_followed(), examined={1}) == 0.0


def test_a_scan_without_faces_is_not_spoken_for() -> None:
    nobody = scan(observations(4, face=None, faces=0))
    assert stretches(nobody) == ()
    assert examined_share(nobody, examined={0}) == 0.0


def _pictures(person: str, count: int) -> list[BgrImage]:
    settings = SceneSettings(
        kind=ScanKind.GENUINE, seed=3, seconds=count / 15.0, frames_per_second=15.0, width=360, height=480
    )
    return [frame.pixels for frame in simulate_scan(real_photo(person), settings)]


def _observed(pictures: list[BgrImage]) -> ScanObservations:
    """As in a server: the detector runs on some frames."""
    collector = ScanCollector()
    for index, picture in enumerate(pictures):
        seen, time = view_frame(picture), index / 15.0
        followed = collector.follow(seen, time)
        if followed is None:
            faces = real_pack().detector.detect(picture)
            collector.collect_frame(
                observe_frame(picture, index=index, capture_time=time, faces=faces, seen=seen)
            )
        else:
            collector.collect_frame(
                observe_followed(
                    seen, index=index, capture_time=time, face=followed.face, detected=followed.detected
                )
            )
    return collector.observations()


@pytest.fixture(scope="module")
def two_persons() -> tuple[list[BgrImage], list[BgrImage]]:
    """Scans of two persons, with the second face at the place of the first."""
    ours, theirs = _pictures("astronaut", 16), _pictures("red-shirt", 16)
    here, there = (real_pack().detector.detect(pictures[8])[0].five_points for pictures in (ours, theirs))
    move = similarity_transform(there, here)
    laid = [
        np.asarray(cv2.warpAffine(picture, move, (360, 480), borderMode=cv2.BORDER_REFLECT), np.uint8)
        for picture in theirs
    ]
    return ours, laid


def test_a_real_face_is_followed_over_more_than_one_segment(
    two_persons: tuple[list[BgrImage], list[BgrImage]],
) -> None:
    ours, _ = two_persons
    found = stretches(_observed(ours))
    assert len(found) == 1
    assert len(found[0].frames) == 16
    assert 2 <= len(found[0].detected) < 16


@pytest.mark.parametrize("cut", [3, 8])
def test_another_face_in_the_same_place_never_belongs_to_the_stretch(
    two_persons: tuple[list[BgrImage], list[BgrImage]], cut: int
) -> None:
    ours, theirs = two_persons
    found = stretches(_observed([*ours[:cut], *theirs[cut : cut + 1], *ours[cut + 1 :]]))
    (alone,) = [stretch for stretch in found if cut in stretch.frames]
    assert alone == Stretch(frames=(cut,), detected=(cut,))
