from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from liveness.express.screen_flicker import ScreenFlicker, measure_bands
from liveness.express.settings import ExpressSettings
from liveness.extent import face_extent
from liveness.observation import ScanObservations
from liveness.signal import Signal
from tests.liveness.builders import face_at, observation, scan

_SETTINGS = ExpressSettings()
_SCENE = np.random.default_rng(5).uniform(40, 200, (64, 64))


def _filmed(
    *,
    depth: float,
    everywhere: bool = False,
    face_width: float = 150.0,
    noise: float = 2.0,
    turn: float = 0.3,
) -> ScanObservations:
    """Frames of a fixed scene through a noisy camera, with drifting bands around the face or everywhere."""
    face = face_at(width=face_width)
    extent = face_extent(face)
    columns = (np.arange(64) + 0.5) * 480 / 64
    on_screen = np.abs(columns - extent.x) < (1000 if everywhere else 1.0 * extent.width)
    frames = []
    for index in range(30):
        bands = 1 + depth * np.cos(2 * np.pi * (2.5 * np.arange(64) / 64 + turn * index))
        seen: NDArray[np.float64] = _SCENE.copy()
        seen[:, on_screen] *= bands[:, None]
        seen += np.random.default_rng(index).normal(0, 2, seen.shape)
        samples = np.clip(seen, 0, 255).round().astype(np.uint8)
        frames.append(observation(index, face=face, samples=samples))
    return scan(frames)


def _assess(seen: ScanObservations) -> Signal:
    return ScreenFlicker().assess(seen, _SETTINGS)


@pytest.mark.parametrize("depth", [0.015, 0.03, 0.08])
def test_bands_beside_which_the_room_is_steady_are_a_screens(depth: float) -> None:
    found = _assess(_filmed(depth=depth))
    assert found.score is not None
    assert found.score < 0.3
    assert "screen" in found.detail


def test_no_bands_say_nothing() -> None:
    assert _assess(_filmed(depth=0)).score == 0.5


def test_bands_that_stand_still_do_not_flicker() -> None:
    assert _assess(_filmed(depth=0.05, turn=1.0)).score == 0.5


def test_bands_over_the_whole_picture_are_a_lamps() -> None:
    found = _assess(_filmed(depth=0.05, everywhere=True))
    assert found.score is None
    assert "lamp" in found.detail


def test_bands_without_a_room_in_view_prove_nothing() -> None:
    found = _assess(_filmed(depth=0.05, face_width=270))
    assert found.score is None
    assert "no room" in found.detail


def test_exposure_that_wanders_is_no_band() -> None:
    frames = [
        replace(
            frame, samples=np.clip(frame.samples * (1 + 0.1 * np.sin(frame.index)), 0, 255).astype(np.uint8)
        )
        for frame in _filmed(depth=0).frames
    ]
    assert _assess(scan(frames)).score == 0.5


@pytest.mark.parametrize(
    "seen",
    [
        scan(()),
        scan(_filmed(depth=0.05).frames[:6]),
        _filmed(depth=0.05, face_width=470),
        _filmed(depth=0.05, face_width=30),
        scan([observation(index, face=None, faces=0) for index in range(20)]),
        scan([observation(index, samples=np.full((64, 64), 90, np.uint8)) for index in range(20)]),
    ],
    ids=["empty", "few", "close", "small", "no face", "one picture"],
)
def test_too_little_is_not_assessed(seen: ScanObservations) -> None:
    assert measure_bands(seen) is None
    assert _assess(seen).score is None


def test_a_picture_that_changes_size_is_compared_within_each_size() -> None:
    frames = _filmed(depth=0.03).frames
    turned = tuple(replace(frame, width=640, height=480) if frame.index > 20 else frame for frame in frames)
    found = measure_bands(scan(turned))
    assert found is not None
    assert found.pairs == len(frames) - 2
