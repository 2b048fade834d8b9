"""Simulated attacks."""

from dataclasses import replace

import numpy as np
import pytest

from simulator import Photo, ScanKind, SceneSettings, SimulatedFrame
from simulator.geometry import ReliefPose, Viewport
from simulator.scan import repeat_frames
from simulator.scene import ScreenSettings
from simulator.sheets import ScreenReplay, Sheet, crop_around_face


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


def test_the_grid_of_screen_pixels_shows(astronaut: Photo) -> None:
    shown = [
        ScreenReplay(
            astronaut,
            replace(_SETTINGS, screen=ScreenSettings(grid_contrast=contrast, pixel_pitch=2.6)),
            np.random.default_rng(1),
        ).show(0.0)
        for contrast in (0.0, 0.2)
    ]
    assert _mid_band_energy(shown[1]) > 2 * _mid_band_energy(shown[0])


def test_the_grid_changes_no_colour_on_average(astronaut: Photo) -> None:
    means = [
        ScreenReplay(
            astronaut,
            replace(_SETTINGS, screen=ScreenSettings(grid_contrast=contrast)),
            np.random.default_rng(1),
        )
        .show(0.0)
        .mean(axis=(0, 1))
        for contrast in (0.0, 0.1)
    ]
    assert means[1] == pytest.approx(means[0], abs=1.5)


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
    view = sheet.show(ReliefPose())
    red = (view.scene == (0, 0, 255)).all(axis=2)
    assert red.sum() == pytest.approx(150 * 200, rel=0.02)
    white = (view.scene == 255).all(axis=2)
    # The edge is six pixels wide; softening takes one or two of them on each side.
    assert 0.5 < white.sum() / (162 * 212 - 150 * 200) < 1
    assert view.cover[160, 120] == pytest.approx(1)
    assert view.cover[0, 0] == 0


def test_a_sheet_larger_than_the_frame_fills_it() -> None:
    sheet = _sheet(size=(600, 800))
    sheet.place_picture(np.full((80, 60, 3), 77, np.uint8))
    view = sheet.show(ReliefPose(yaw=2))
    assert (view.scene == 77).all()


def test_bending_moves_the_middle_more_than_the_sides() -> None:
    sheet = _sheet(bend=12.0)
    flat, bent = sheet.show(ReliefPose(yaw=8), lift=0.0), sheet.show(ReliefPose(yaw=8), lift=1.0)
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
