import numpy as np
import pytest

from research.temporal_cues.paper_mask import WornMask, wear
from tests.liveness.builders import texture
from vision.face import BgrImage


def _frames(*, yaw: float, pitch: float = 0.0, frames: int = 3) -> list[tuple[float, BgrImage]]:
    photo = texture()[:320, :240]
    backdrop = np.zeros_like(photo)
    return list(wear(WornMask(photo, (120, 160, 90), backdrop, yaw, pitch, seed=1, frames=frames)))


def test_a_mask_that_does_not_turn_shows_its_photo_in_the_middle_and_the_room_around() -> None:
    (_, picture), *_ = _frames(yaw=0)
    photo = texture()[:320, :240]
    middle = np.s_[140:180, 100:140]
    error = np.abs(picture[middle].astype(float) - photo[middle]).mean()
    assert error < 12
    assert picture[:, :20].mean() < 5


def test_its_sides_are_seen_at_a_slant() -> None:
    (_, picture), *_ = _frames(yaw=0)
    lit = np.flatnonzero(picture[160].max(axis=1) > 40)
    # 2.2 radians of a radius of 0.6 face widths are 119 pixels of paper, but less of the view.
    assert 2 * 0.6 * np.sin(1.1) * 90 * 0.8 < np.ptp(lit) < 119


def test_the_mask_moves_with_the_head() -> None:
    frames = _frames(yaw=25, frames=10)
    assert [time for time, _ in frames] == pytest.approx(np.arange(10) / 15)
    places = [float(np.flatnonzero(picture[160].max(axis=1) > 40).mean()) for _, picture in frames]
    assert np.ptp(places) > 6
