"""Whole scans, measured with the embedded pack's models as in the server."""

import csv
from collections.abc import Iterator
from dataclasses import replace
from functools import cache
from pathlib import Path

import cv2
import numpy as np
import pytest

from lab.simulator import (
    Photo,
    PhotoUnusable,
    ScanKind,
    SceneSettings,
    SimulatedFrame,
    photo_from_image,
    simulate_scan,
)
from lab.simulator.geometry import ReliefPose, Viewport
from lab.simulator.scan import repeat_frames
from lab.simulator.scene import ScreenSettings
from lab.simulator.sheets import ScreenReplay, Sheet, crop_around_face
from lab.tests.simulator.measures import eye_openings, non_planar_motion
from tests.sampling import some_fast
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
    assert np.array_equal(frames[0].pixels, scans.of(ScanKind.GENUINE)[0].pixels)


def test_a_looped_clip_repeats_itself(scans: Scans) -> None:
    frames = scans.of(ScanKind.LOOPED_CLIP)
    assert np.array_equal(frames[0].pixels, frames[12].pixels)
    assert np.array_equal(frames[7].pixels, frames[43].pixels)
    assert not np.array_equal(frames[0].pixels, frames[6].pixels)


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


# Sheets, screens and loops.


@pytest.mark.parametrize("cycle", [1, 3, 50])
def test_the_first_frames_come_again_and_again(cycle: int) -> None:
    settings = SceneSettings(kind=ScanKind.LOOPED_CLIP, seconds=1.0, frames_per_second=10.0)
    clip = [SimulatedFrame(np.full((2, 2, 3), index, np.uint8), index * 0.11) for index in range(10)]
    frames = list(repeat_frames(iter(clip), settings, cycle=cycle))
    period = min(cycle, len(clip))
    assert [int(frame.pixels[0, 0, 0]) for frame in frames] == [index % period for index in range(10)]
    assert [frame.capture_time for frame in frames] == pytest.approx([index / 10 for index in range(10)])


_SETTINGS = SceneSettings(kind=ScanKind.SCREEN_REPLAY, seed=4, seconds=1.0, width=360, height=480)


def _mid_band_energy(image: np.typing.NDArray[np.uint8]) -> float:
    """Energy between a quarter and a half of the sampling rate in the middle of the image."""
    grey = image[112:368, 52:308].astype(np.float64).mean(axis=2)
    spectrum = np.abs(np.fft.fft2((grey - grey.mean()) * np.outer(np.hanning(256), np.hanning(256)))) ** 2
    frequency = np.abs(np.fft.fftfreq(256))
    radius = np.hypot(frequency[:, None], frequency[None, :])
    return float(spectrum[(radius > 0.25) & (radius < 0.5)].sum())


def test_the_grid_of_screen_pixels_shows_and_changes_no_colour_on_average(astronaut: Photo) -> None:
    plain, grid = (
        ScreenReplay(
            astronaut,
            replace(_SETTINGS, screen=ScreenSettings(grid_contrast=contrast, pixel_pitch=2.6)),
            np.random.default_rng(1),
        ).show(0.0)
        for contrast in (0.0, 0.2)
    )
    assert _mid_band_energy(grid) > 2 * _mid_band_energy(plain)
    assert grid.mean(axis=(0, 1)) == pytest.approx(plain.mean(axis=(0, 1)), abs=1.5)


def test_the_recording_plays(astronaut: Photo) -> None:
    replay = ScreenReplay(astronaut, _SETTINGS, np.random.default_rng(1))
    first, second = replay.show(0.0).astype(int), replay.show(0.5).astype(int)
    assert np.abs(second - first)[150:337, 90:270].mean() > 1.0


_VIEW = Viewport(width=240, height=320, margin=48, focal=270.0)


def _sheet(size: tuple[int, int] = (150, 200), bend: float = 0.0) -> Sheet:
    return Sheet(
        np.random.default_rng(1), viewport=_VIEW, size=size, bend=bend, edge_colour=(255, 255, 255), edge=6
    )


def test_the_sheet_hides_the_room_and_has_an_edge() -> None:
    sheet = _sheet()
    sheet.place_picture(np.full((100, 75, 3), (0, 0, 255), np.uint8))
    scene, cover = sheet.before_the_room(sheet.render(ReliefPose()))
    red = (scene == (0, 0, 255)).all(axis=2)
    assert red.sum() == pytest.approx(150 * 200, rel=0.02)
    white = (scene == 255).all(axis=2)
    # The edge is six pixels wide; softening takes one or two of them on each side.
    assert 0.5 < white.sum() / (162 * 212 - 150 * 200) < 1
    assert cover[160, 120] == pytest.approx(1)
    assert cover[0, 0] == 0


def test_a_sheet_larger_than_the_frame_fills_it() -> None:
    sheet = _sheet(size=(600, 800))
    sheet.place_picture(np.full((80, 60, 3), 77, np.uint8))
    scene, _ = sheet.before_the_room(sheet.render(ReliefPose(yaw=2)))
    assert (scene == 77).all()


def test_bending_moves_the_middle_more_than_the_sides() -> None:
    sheet = _sheet(bend=12.0)
    flat, bent = (sheet.render(ReliefPose(yaw=8), lift=lift).sight for lift in (0.0, 1.0))
    moved = np.abs(bent.map_x - flat.map_x)
    assert moved[160, 120] > 1.0
    assert moved[160, 120] > 2 * moved[160, 55]


def test_the_crop_has_the_share_asked_for_and_stays_inside() -> None:
    picture = np.zeros((640, 480, 3), np.uint8)
    part = crop_around_face(picture, face_centre=(240, 320), face_pixels=240, face_share=0.6)
    assert part.shape[1] == pytest.approx(400, abs=1)
    assert part.shape[0] == pytest.approx(533, abs=1)
    at_the_edge = crop_around_face(picture, face_centre=(470, 10), face_pixels=240, face_share=0.6)
    assert at_the_edge.shape == part.shape
    too_small = crop_around_face(picture, face_centre=(240, 320), face_pixels=240, face_share=0.3)
    assert too_small.shape == (640, 480, 3)
