from dataclasses import replace

import numpy as np
import pytest

from simulator import FlashKind, FlashScanSettings, OvalGuide, Photo, ScreenLight, simulate_flash_scan
from vision.packs.pack import Pack


def test_a_person_reacts_late_moves_smoothly_and_about_meets_the_oval() -> None:
    for seed in range(10):
        guide = OvalGuide(seed=seed)
        guide.ask(0.7, at=1.0, seconds=0.5)
        times = np.linspace(0, 4, 200)
        shares = np.array([guide.approach(float(time), face_width=0.5) for time in times])
        assert shares[times <= 1.25].max() == 0
        assert np.abs(np.diff(shares)).max() < 0.03
        assert 0.5 / (1 - shares[-1]) == pytest.approx(0.7, rel=0.03)


def test_one_may_be_asked_back() -> None:
    guide = OvalGuide(seed=1)
    guide.ask(0.7, at=0.0)
    guide.ask(0.4, at=3.0)
    assert guide.approach(2.9, face_width=0.5) > 0.2
    assert guide.approach(9.0, face_width=0.5) < -0.1


@pytest.mark.slow
@pytest.mark.parametrize(
    ("kind", "follows"),
    [
        (FlashKind.GENUINE, True),
        (FlashKind.PRINT, True),
        (FlashKind.SCREEN_REPLAY, True),
        (FlashKind.INJECTED_VIDEO, False),
    ],
)
def test_what_is_held_follows_and_what_is_injected_does_not(
    astronaut: Photo, embedded: Pack, kind: FlashKind, follows: bool
) -> None:
    settings = replace(
        FlashScanSettings(kind=kind, seed=2, seconds=2.4), width=240, height=320, face_width=0.42
    )
    guide = OvalGuide(seed=1)
    guide.ask(0.6, at=0.0)
    frames = list(simulate_flash_scan(astronaut, settings, ScreenLight(settings.phone), guide))
    widths = [
        face.eye_distance
        for frame in (frames[0], frames[-1])
        for face in embedded.detector.detect(frame.pixels)[:1]
    ]
    assert len(widths) == 2
    assert (widths[1] > 1.2 * widths[0]) == follows
