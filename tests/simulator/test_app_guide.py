from dataclasses import replace

import numpy as np
import pytest

from simulator import (
    AppGuide,
    FlashKind,
    FlashScanSettings,
    Photo,
    ScreenLight,
    simulate_flash_scan,
)
from simulator.app_guide import RestingFace
from simulator.geometry.relief import ReliefPose
from tests.simulator.measures import eye_openings
from vision.packs.pack import Pack

_FACE = RestingFace(width=0.5, outline_width=0.52, x=0.51, y=0.5, frame=(480, 640))


def test_a_person_reacts_late_moves_smoothly_and_about_meets_the_oval() -> None:
    for seed in range(10):
        guide = AppGuide(seed=seed)
        guide.prompt_distance(0.7, at=1.0, seconds=0.5)
        times = np.linspace(0, 4, 200)
        shares = np.array([guide.placement(float(time), face=_FACE).approach for time in times])
        assert shares[times <= 1.25].max() == 0
        assert np.abs(np.diff(shares)).max() < 0.03
        assert 0.5 / (1 - shares[-1]) == pytest.approx(0.7, rel=0.03)


def test_one_may_be_asked_back() -> None:
    guide = AppGuide(seed=1)
    guide.prompt_distance(0.7, at=0.0)
    guide.prompt_distance(0.4, at=3.0)
    assert guide.placement(2.9, face=_FACE).approach > 0.2
    assert guide.placement(9.0, face=_FACE).approach < -0.1


def test_a_face_goes_where_the_oval_is_and_back_when_it_is_gone() -> None:
    for seed in range(10):
        guide = AppGuide(seed=seed)
        guide.fill(0.36, centre=(0.4, 0.55), at=0.0, seconds=1.0)
        moved = guide.placement(4.0, face=_FACE)
        growth = 1 / (1 - moved.approach)
        assert growth * _FACE.outline_width == pytest.approx(0.36, rel=0.031)
        seen_x = 0.5 + growth * (_FACE.x - 0.5 + moved.shift_x / 480)
        seen_y = 0.5 + growth * (_FACE.y - 0.5 + moved.shift_y / 640)
        assert (seen_x, seen_y) == pytest.approx((0.4, 0.55), abs=0.012)
        guide.release(at=5.0)
        assert guide.placement(9.0, face=_FACE) == ReliefPose()


def test_a_requested_blink_comes_once_after_reading_time() -> None:
    for seed in range(10):
        guide = AppGuide(seed=seed)
        guide.blink(at=1.0)
        times = np.linspace(0, 4, 400)
        closure = np.array([guide.closure(float(time)) for time in times])
        assert closure[times <= 1.4].max() == 0
        assert 0.85 < closure.max() <= 1
        assert 0.15 < (closure > 0).sum() * (times[1] - times[0]) < 0.6
        guide.blink(at=5.0)
        assert max(guide.closure(float(time)) for time in times + 5) > 0.85


def test_a_requested_turn_goes_to_both_sides_after_reading_time() -> None:
    times = np.linspace(0, 6, 601)
    for seed in range(10):
        guide = AppGuide(seed=seed)
        guide.turn(at=1.0)
        # If asked again during a turn, the person only continues.
        guide.turn(at=2.0)
        yaw = np.array([guide.placement(float(time), face=_FACE).yaw for time in times])
        assert not yaw[times <= 1.4].any()
        assert not yaw[times >= 5.8].any()
        assert 8 <= yaw.max() <= 16
        assert yaw.min() == pytest.approx(-yaw.max(), abs=0.1)
        assert np.abs(np.diff(yaw)).max() < 1, "no leap"
        guide.turn(at=6.0)
        assert max(guide.placement(float(time), face=_FACE).yaw for time in times + 6) >= 8


def test_a_blink_or_a_turn_changes_nothing_of_how_ovals_are_followed() -> None:
    asked, unasked = AppGuide(seed=3), AppGuide(seed=3)
    asked.blink(at=0.0)
    asked.turn(at=-4.0)
    for guide in (asked, unasked):
        guide.fill(0.36, centre=(0.4, 0.55), at=0.5)
    assert asked.placement(3.0, face=_FACE) == unasked.placement(3.0, face=_FACE)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("kind", "blinks"),
    [
        (FlashKind.GENUINE, True),
        (FlashKind.CUT_OUT_PRINT, True),
        (FlashKind.RIGID_MASK, False),
        (FlashKind.INJECTED_VIDEO, False),
    ],
)
def test_living_eyes_blink_on_request(
    astronaut: Photo, embedded: Pack, kind: FlashKind, blinks: bool
) -> None:
    settings = FlashScanSettings(kind=kind, seed=2, seconds=2.4)
    asked, unasked = AppGuide(seed=1), AppGuide(seed=1)
    asked.blink(at=0.6)
    film = [
        list(simulate_flash_scan(astronaut, settings, ScreenLight(settings.phone), guide))
        for guide in (asked, unasked)
    ]
    openings = [eye_openings(embedded, frames) for frames in film]
    assert len(openings[0]) == len(openings[1]) == len(film[0])
    shut = np.subtract(openings[1], openings[0]).max() / np.median(openings[1])
    assert shut > 0.3 if blinks else shut == 0


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
def test_held_media_follow_the_movement_and_injected_frames_do_not(
    astronaut: Photo, embedded: Pack, kind: FlashKind, follows: bool
) -> None:
    settings = replace(
        FlashScanSettings(kind=kind, seed=2, seconds=2.4), width=240, height=320, face_width=0.42
    )
    guide = AppGuide(seed=1)
    guide.prompt_distance(0.6, at=0.0)
    frames = list(simulate_flash_scan(astronaut, settings, ScreenLight(settings.phone), guide))
    widths = [
        face.eye_distance
        for frame in (frames[0], frames[-1])
        for face in embedded.detector.detect(frame.pixels)[:1]
    ]
    assert len(widths) == 2
    assert (widths[1] > 1.2 * widths[0]) == follows
