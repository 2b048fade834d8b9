from dataclasses import replace

import numpy as np
import pytest

from simulator import FlashKind, FlashScanSettings, OvalGuide, Photo, ScreenLight, simulate_flash_scan
from simulator.geometry.relief import Placement
from simulator.oval_guide import RestingFace
from vision.packs.pack import Pack

_FACE = RestingFace(width=0.5, outline_width=0.52, x=0.51, y=0.5, frame=(480, 640))


def test_a_person_reacts_late_moves_smoothly_and_about_meets_the_oval() -> None:
    for seed in range(10):
        guide = OvalGuide(seed=seed)
        guide.ask(0.7, at=1.0, seconds=0.5)
        times = np.linspace(0, 4, 200)
        shares = np.array([guide.placement(float(time), face=_FACE).approach for time in times])
        assert shares[times <= 1.25].max() == 0
        assert np.abs(np.diff(shares)).max() < 0.03
        assert 0.5 / (1 - shares[-1]) == pytest.approx(0.7, rel=0.03)


def test_one_may_be_asked_back() -> None:
    guide = OvalGuide(seed=1)
    guide.ask(0.7, at=0.0)
    guide.ask(0.4, at=3.0)
    assert guide.placement(2.9, face=_FACE).approach > 0.2
    assert guide.placement(9.0, face=_FACE).approach < -0.1


def test_a_face_goes_where_the_oval_is_and_back_when_it_is_gone() -> None:
    for seed in range(10):
        guide = OvalGuide(seed=seed)
        guide.fill(0.36, centre=(0.4, 0.55), at=0.0, seconds=1.0)
        moved = guide.placement(4.0, face=_FACE)
        growth = 1 / (1 - moved.approach)
        assert growth * _FACE.outline_width == pytest.approx(0.36, rel=0.031)
        seen_x = 0.5 + growth * (_FACE.x - 0.5 + moved.shift_x / 480)
        seen_y = 0.5 + growth * (_FACE.y - 0.5 + moved.shift_y / 640)
        assert (seen_x, seen_y) == pytest.approx((0.4, 0.55), abs=0.012)
        guide.release(at=5.0)
        assert guide.placement(9.0, face=_FACE) == Placement()


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
