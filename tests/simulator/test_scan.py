"""Whole scans, measured with the embedded pack's models as in the server."""

import csv
from collections.abc import Iterator
from dataclasses import replace
from functools import cache
from pathlib import Path

import cv2
import numpy as np
import pytest

from simulator import (
    Photo,
    PhotoUnusable,
    ScanKind,
    SceneSettings,
    SimulatedFrame,
    photo_from_image,
    simulate_scan,
)
from tests.sampling import some_fast
from tests.simulator.measures import eye_openings, non_planar_motion
from vision.face import Landmarks
from vision.geometry import eye_aspect_ratio
from vision.packs.pack import Pack

_BASE = SceneSettings(kind=ScanKind.GENUINE, seed=1, seconds=2.4, width=360, height=480)


class Scans:
    """Renders each scan once for all tests."""

    def __init__(self, photo: Photo) -> None:
        self._photo = photo
        self.of = cache(self._render)

    def _render(self, kind: ScanKind) -> tuple[SimulatedFrame, ...]:
        return tuple(simulate_scan(self._photo, replace(_BASE, kind=kind)))


@pytest.fixture(scope="module")
def scans(astronaut: Photo) -> Scans:
    return Scans(astronaut)


@pytest.mark.parametrize("kind", some_fast(ScanKind, step=len(ScanKind)))
def test_frames_are_upright_portraits_with_growing_times(scans: Scans, kind: ScanKind) -> None:
    frames = scans.of(kind)
    assert len(frames) == 48
    assert all(frame.pixels.shape == (480, 360, 3) and frame.pixels.dtype == np.uint8 for frame in frames)
    assert frames[0].capture_time == 0.0
    assert np.diff([frame.capture_time for frame in frames]).min() > 0


@pytest.mark.parametrize(
    "kind", some_fast([ScanKind.GENUINE, ScanKind.WAVED_PHOTO, ScanKind.SCREEN_REPLAY], step=3)
)
def test_the_same_seed_gives_the_same_frames(astronaut: Photo, scans: Scans, kind: ScanKind) -> None:
    again = simulate_scan(astronaut, replace(_BASE, kind=kind))
    for first, second in zip(scans.of(kind)[:4], again, strict=False):
        assert np.array_equal(first.pixels, second.pixels)
        assert first.capture_time == second.capture_time


def test_another_seed_gives_another_scan(astronaut: Photo, scans: Scans) -> None:
    elsewhere = next(simulate_scan(astronaut, replace(_BASE, seed=2)))
    assert not np.array_equal(scans.of(ScanKind.GENUINE)[0].pixels, elsewhere.pixels)


@pytest.mark.parametrize(
    "kind",
    some_fast(
        [ScanKind.GENUINE, ScanKind.STATIC_PHOTO, ScanKind.WAVED_PHOTO, ScanKind.SCREEN_REPLAY], step=2
    ),
)
def test_exactly_one_face_of_the_right_size_is_found(scans: Scans, embedded: Pack, kind: ScanKind) -> None:
    frames = scans.of(kind)[::4]
    found = [embedded.detector.detect(frame.pixels) for frame in frames]
    assert sum(len(faces) == 1 for faces in found) >= 0.95 * len(frames)
    widths = [faces[0].box.width / _BASE.width for faces in found if faces]
    assert 0.40 < float(np.median(widths)) < 0.70


def test_a_head_does_not_move_as_a_plane_and_a_photo_does(scans: Scans, embedded: Pack) -> None:
    genuine = non_planar_motion(embedded, scans.of(ScanKind.GENUINE), gap=8)
    waved = non_planar_motion(embedded, scans.of(ScanKind.WAVED_PHOTO), gap=8)
    static = non_planar_motion(embedded, scans.of(ScanKind.STATIC_PHOTO), gap=8)
    assert genuine > 0.4
    assert waved < 0.6 * genuine
    assert static < 0.3 * genuine


def test_a_landmarker_sees_a_person_blink_and_a_photo_not(scans: Scans, embedded: Pack) -> None:
    genuine = eye_openings(embedded, scans.of(ScanKind.GENUINE))
    assert min(genuine) < 0.7 * float(np.median(genuine))
    photo = eye_openings(embedded, scans.of(ScanKind.STATIC_PHOTO)[::4])
    assert min(photo) > 0.85 * float(np.median(photo))


def test_a_photo_on_a_stand_differs_by_camera_noise_only(scans: Scans) -> None:
    first, *rest = [frame.pixels.astype(np.float64) for frame in scans.of(ScanKind.STATIC_PHOTO)[::10]]
    for later in rest:
        # The drift of the camera's exposure and white balance is no movement.
        apart = later - first * (later.mean(axis=(0, 1)) / first.mean(axis=(0, 1)))
        assert 0.8 < apart.std() < 6
        middle = apart[75:405:4, 75:285:4].mean(axis=2)
        # Noise is not smooth, unlike the trace of a moved edge.
        assert abs(float((middle[:, 1:] * middle[:, :-1]).mean())) < 0.3 * float(middle.var())


def test_a_frozen_frame_is_one_frame_with_a_perfect_clock(scans: Scans) -> None:
    frames = scans.of(ScanKind.FROZEN_FRAME)
    assert all(np.array_equal(frame.pixels, frames[0].pixels) for frame in frames)
    assert np.diff([frame.capture_time for frame in frames]).std() < 1e-9


def test_a_looped_clip_repeats_itself(scans: Scans) -> None:
    frames = scans.of(ScanKind.LOOPED_CLIP)
    assert np.array_equal(frames[0].pixels, frames[12].pixels)
    assert np.array_equal(frames[7].pixels, frames[43].pixels)
    assert not np.array_equal(frames[0].pixels, frames[6].pixels)


def test_an_injected_frame_is_a_genuine_frame(scans: Scans) -> None:
    genuine, frozen = scans.of(ScanKind.GENUINE), scans.of(ScanKind.FROZEN_FRAME)
    assert np.array_equal(frozen[0].pixels, genuine[0].pixels)


def test_a_camera_jitters_by_milliseconds(scans: Scans) -> None:
    gaps = np.diff([frame.capture_time for frame in scans.of(ScanKind.GENUINE)])
    assert 0.001 < gaps.std() < 0.008


def test_other_frame_sizes_are_rendered(astronaut: Photo) -> None:
    for width, height in ((480, 640), (320, 240)):
        settings = replace(_BASE, width=width, height=height, seconds=0.2)
        assert next(simulate_scan(astronaut, settings)).pixels.shape == (height, width, 3)


def test_the_face_is_as_large_as_asked(astronaut: Photo, embedded: Pack) -> None:
    widths = []
    for share in (0.35, 0.55):
        frame = next(simulate_scan(astronaut, replace(_BASE, face_width=share, seconds=0.2)))
        widths.append(embedded.detector.detect(frame.pixels)[0].eye_distance)
    assert widths[1] / widths[0] == pytest.approx(0.55 / 0.35, rel=0.1)


# Simulated scans of many people: the generic head and the cut-out must work for more than one photo.

_PEOPLE = 6
_LONGEST_SIDE = 2000
_WIDE_OPEN = 0.26


def _people(assets: Path, pack: Pack) -> Iterator[tuple[str, Photo]]:
    """One photo with wide open eyes of each of the first people in the set."""
    assert pack.landmarker is not None
    seen: set[str] = set()
    with (assets / "data" / "faces" / "manifest.csv").open(newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            if row["usable"] != "1" or row["identity"] in seen:
                continue
            image = cv2.imread(str(assets / "data" / "faces" / row["file"]))
            if image is None or max(image.shape) > _LONGEST_SIDE:
                continue
            try:
                photo = photo_from_image(
                    np.asarray(image, np.uint8), detector=pack.detector, landmarker=pack.landmarker
                )
            except PhotoUnusable:
                continue
            opening = np.mean(eye_aspect_ratio(Landmarks(points=photo.landmarks, scheme="ibug68")))
            if photo.eye_distance < 60 or opening < _WIDE_OPEN:
                continue
            seen.add(row["identity"])
            yield row["file"], photo
            if len(seen) == _PEOPLE:
                return


@pytest.mark.slow
@pytest.mark.long
def test_faces_of_every_photo_are_found_and_blink(assets: Path, embedded: Pack) -> None:
    people = list(_people(assets, embedded))
    assert len(people) == _PEOPLE
    found = blinked = total = 0
    for number, (_, photo) in enumerate(people):
        settings = SceneSettings(kind=ScanKind.GENUINE, seed=number, seconds=3.0)
        frames = list(simulate_scan(photo, settings))
        openings = eye_openings(embedded, frames)
        total += len(frames)
        found += len(openings)
        blinked += min(openings) < 0.75 * float(np.median(openings))
    assert found >= 0.95 * total
    assert blinked >= _PEOPLE - 2
