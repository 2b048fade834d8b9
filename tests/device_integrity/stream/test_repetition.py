import numpy as np
import pytest

from device_integrity.check import DeviceFinding
from device_integrity.stream.repetition import check_duplicates, check_loop, loop_ratio
from tests.device_integrity.stream.streams import camera_stream, encode, frames, measured


def test_a_cameras_frames_are_new_and_do_not_loop() -> None:
    stream = measured(camera_stream())
    assert check_duplicates(stream.frames).outcome is DeviceFinding.PASS
    assert check_loop(stream.frames).outcome is DeviceFinding.PASS


def test_bytes_that_return_fail_hard() -> None:
    once = camera_stream(20)
    check = check_duplicates(measured([*once, *once]).frames)
    assert (check.outcome, check.reason, check.soft) == (DeviceFinding.FAIL, "FRAMES_RETURN", False)


def test_a_camera_read_twice_as_fast_passes_and_a_frozen_one_does_not() -> None:
    once = camera_stream(20)
    twice = [jpeg for jpeg in once for _ in range(2)]
    assert check_duplicates(measured(twice).frames).outcome is DeviceFinding.PASS
    frozen = check_duplicates(measured([*once[:4], *[once[4]] * 20]).frames)
    assert (frozen.reason, frozen.soft) == ("FRAMES_REPEAT", True)


def test_a_covered_lens_repeats_itself_by_nature() -> None:
    dark = [encode(np.full((240, 320), 16 + at % 2, np.uint8)) for at in range(20)]
    assert check_duplicates(measured(dark).frames).outcome is DeviceFinding.UNAVAILABLE
    assert check_loop(measured(dark).frames).outcome is DeviceFinding.NOT_EVALUATED


@pytest.mark.parametrize("length", [10, 16, 23])
def test_a_clip_that_comes_again_is_a_loop_though_encoded_anew(length: int) -> None:
    once = frames(length)
    jpegs = [encode(once[at % length], quality=90 - at // length) for at in range(48)]
    stream = measured(jpegs)
    assert check_duplicates(stream.frames).outcome is DeviceFinding.PASS
    check = check_loop(stream.frames)
    assert (check.outcome, check.reason, check.soft) == (DeviceFinding.FAIL, "FRAMES_LOOP", True)
    found = loop_ratio([frame.thumbnail for frame in stream.frames])
    assert found is not None
    assert found[0] % length == 0


def test_a_scene_without_movement_has_no_loop() -> None:
    # Its frames differ by noise alone, as much after a second as from one to the next.
    check = check_loop(measured(camera_stream(moves=False, noise=3.0)).frames)
    assert check.outcome in {DeviceFinding.PASS, DeviceFinding.NOT_EVALUATED}


def test_too_few_frames_are_not_evaluated() -> None:
    stream = measured(camera_stream(5))
    assert check_duplicates(stream.frames).outcome is DeviceFinding.UNAVAILABLE
    assert check_loop(stream.frames).outcome is DeviceFinding.NOT_EVALUATED
