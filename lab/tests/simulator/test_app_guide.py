from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from lab.simulator import (
    AppGuide,
    FlashKind,
    FlashScanSettings,
    Photo,
    ScreenLight,
    Side,
    simulate_flash_scan,
)
from lab.simulator.app_guide import RestingFace
from lab.simulator.geometry import ReliefPose
from lab.tests.simulator.measures import eye_openings, lip_gaps
from liveness import FaceExtent, Oval
from tests.packs import shared_pack
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


@pytest.mark.parametrize("frame", [(480, 640), (800, 600), (1066, 600)])
def test_a_face_goes_where_the_oval_is_and_back_when_it_is_gone(frame: tuple[int, int]) -> None:
    (wide, tall), face = frame, replace(_FACE, outline_width=0.52 * 480 / frame[0], frame=frame)
    oval = Oval(0.4, 0.55, 0.36, 0.38)
    placed = oval.placed(width=wide, height=tall)
    for seed in range(10):
        guide = AppGuide(seed=seed)
        guide.fill(oval, at=0.0, seconds=1.0)
        moved = guide.placement(4.0, face=face)
        growth = 1 / (1 - moved.approach)
        assert growth * face.outline_width * wide == pytest.approx(placed.width, rel=0.031)
        seen_x = wide / 2 + growth * (wide * (face.x - 0.5) + moved.shift_x)
        seen_y = tall / 2 + growth * (tall * (face.y - 0.5) + moved.shift_y)
        assert (seen_x, seen_y) == pytest.approx((placed.x, placed.y), abs=0.012 * tall)
        guide.release(at=5.0)
        assert guide.placement(9.0, face=face) == ReliefPose()


@pytest.mark.parametrize("frame", [(480, 640), (800, 600)])
def test_a_person_who_sees_their_face_corrects_its_place(frame: tuple[int, int]) -> None:
    wide, tall = frame
    oval = Oval(0.4, 0.55, 0.36, 0.38)
    placed = oval.placed(width=wide, height=tall)
    guide = AppGuide(seed=1)
    guide.fill(oval, at=0.0)
    face = replace(_FACE, frame=frame)
    before = guide.placement(3.0, face=face)
    # The face is too small, and too far to the left and up.
    seen = FaceExtent(placed.x - 30, placed.y - 20, 0.8 * placed.width, placed.height)
    guide.show_position(seen, frame=frame, at=3.0)
    after = guide.placement(4.0, face=face)
    near = 1 - before.approach
    assert after.approach > before.approach
    assert after.shift_x - before.shift_x == pytest.approx(0.4 * 30 * near)
    assert after.shift_y - before.shift_y == pytest.approx(0.4 * 20 * near)


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


def test_a_requested_opening_of_the_mouth_comes_once_after_reading_time() -> None:
    times = np.linspace(0, 6, 601)
    for seed in range(10):
        guide, reminded = AppGuide(seed=seed), AppGuide(seed=seed)
        guide.open_mouth(at=1.0)
        # The request is repeated until the mouth is seen to open; the person only goes on.
        for again in (1.0, 1.5, 2.0):
            reminded.open_mouth(at=again)
        opening = [guide.opening(float(time)) for time in times]
        assert opening == [reminded.opening(float(time)) for time in times]
        assert not any(opening[:141])
        assert 0.55 <= max(opening) <= 1
        assert not any(opening[-30:])
        guide.open_mouth(at=6.0)
        assert max(guide.opening(float(time)) for time in times + 6) >= 0.55


@pytest.mark.parametrize("side", Side)
def test_a_requested_turn_to_a_side_comes_once_after_reading_time(side: Side) -> None:
    times = np.linspace(0, 6, 601)
    for seed in range(10):
        guide, reminded = AppGuide(seed=seed), AppGuide(seed=seed)
        guide.turn_aside(side, at=1.0)
        for again in (1.0, 1.5, 2.0):
            reminded.turn_aside(side, at=again)
        yaw = side * np.array([guide.placement(float(time), face=_FACE).yaw for time in times])
        assert (yaw == [side * reminded.placement(float(time), face=_FACE).yaw for time in times]).all()
        assert not yaw[:141].any()
        assert 15 <= yaw.max() <= 26
        assert yaw.min() == 0
        assert not yaw[-30:].any()
        assert np.abs(np.diff(yaw)).max() < 1.2, "no leap"


def test_a_requested_movement_changes_nothing_of_how_ovals_are_followed() -> None:
    asked, unasked = AppGuide(seed=3), AppGuide(seed=3)
    asked.blink(at=0.0)
    asked.turn(at=-4.0)
    asked.open_mouth(at=0.0)
    asked.turn_aside(Side.LEFT, at=-4.0)
    for guide in (asked, unasked):
        guide.fill(Oval(0.4, 0.55, 0.36, 0.38), at=0.5)
    assert asked.placement(3.0, face=_FACE) == unasked.placement(3.0, face=_FACE)


@pytest.mark.slow
@pytest.mark.long
@pytest.mark.parametrize(
    ("kind", "blinks"),
    [
        (FlashKind.GENUINE, True),
        (FlashKind.CUT_OUT_PRINT, True),
        (FlashKind.RIGID_MASK, False),
        (FlashKind.MASK_WITH_EYES, True),
        (FlashKind.INJECTED_VIDEO, False),
        (FlashKind.INJECTED_PHOTO, True),
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
@pytest.mark.long
@pytest.mark.parametrize(
    ("kind", "least", "most"),
    [
        (FlashKind.GENUINE, 1.5, 6.0),
        (FlashKind.MASK_WITH_EYES_AND_MOUTH, 1.0, 3.0),
        (FlashKind.MASK_WITH_EYES, 0.0, 0.4),
        (FlashKind.RIGID_MASK, 0.0, 0.4),
        (FlashKind.CUT_OUT_PRINT, 0.0, 0.4),
        (FlashKind.SCREEN_REPLAY, 0.0, 0.4),
        (FlashKind.INJECTED_VIDEO, 0.0, 0.4),
        (FlashKind.INJECTED_RELIGHTING, 0.0, 0.4),
        (FlashKind.INJECTED_PHOTO, 1.5, 6.0),
    ],
)
def test_living_lips_open_on_request(
    astronaut: Photo, assets: Path, kind: FlashKind, least: float, most: float
) -> None:
    """By MediaPipe's landmarks, in centimetres on its canonical face."""
    settings = FlashScanSettings(kind=kind, seed=2, seconds=3.6, frames_per_second=10)
    guide = AppGuide(seed=1)
    guide.open_mouth(at=0.2)
    frames = list(simulate_flash_scan(astronaut, settings, ScreenLight(settings.phone), guide))
    gaps = lip_gaps(shared_pack(f"open:{assets / 'models'}"), frames)
    assert len(gaps) == len(frames)
    assert least <= max(gaps) - np.median(gaps) <= most


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
