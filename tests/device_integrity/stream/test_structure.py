import numpy as np

from device_integrity.check import DeviceFinding
from device_integrity.stream.structure import check_structure
from tests.device_integrity.stream.streams import HEIGHT, WIDTH, camera_stream, encode, frames, measured


def test_a_camera_exposes_every_part_anew() -> None:
    assert check_structure(measured(camera_stream()).tallies).outcome is DeviceFinding.PASS


def test_a_window_on_a_desktop_has_a_static_surround() -> None:
    desktop = np.repeat(np.linspace(60, 180, WIDTH)[None], HEIGHT, 0).astype(np.uint8)
    shown = []
    for luma in frames(20):
        screen = desktop.copy()
        screen[64:208, 64:256] = luma[64:208, 64:256]
        shown.append(encode(screen))
    check = check_structure(measured(shown).tallies)
    assert (check.outcome, check.reason, check.soft) == (DeviceFinding.FAIL, "PARTS_STAND_STILL", True)


def test_clipped_black_and_white_are_ignored() -> None:
    shown = []
    for luma in frames(20):
        lit = luma.copy()
        lit[:, :112], lit[:, 208:] = 4, 252
        shown.append(encode(lit))
    assert check_structure(measured(shown).tallies).outcome is DeviceFinding.PASS


def test_a_duplicate_frame_is_not_a_static_one() -> None:
    twice = [jpeg for jpeg in camera_stream(20) for _ in range(2)]
    assert check_structure(measured(twice).tallies).outcome is DeviceFinding.PASS


def test_too_few_frames_are_not_evaluated() -> None:
    assert check_structure(measured(camera_stream(4)).tallies).outcome is DeviceFinding.UNAVAILABLE
    assert check_structure(()).outcome is DeviceFinding.UNAVAILABLE
