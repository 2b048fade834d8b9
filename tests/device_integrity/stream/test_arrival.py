from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from device_integrity.check import DeviceFinding
from device_integrity.stream import FrameTrace
from device_integrity.stream.arrival import check_arrival
from tests.device_integrity.stream.streams import camera_stream, measured


@pytest.fixture(scope="module")
def stream() -> tuple[FrameTrace, ...]:
    return measured(camera_stream(48)).frames


def _arriving(stream: tuple[FrameTrace, ...], when: Callable[[int, int], float]) -> list[FrameTrace]:
    return [
        replace(frame, arrival_time_us=round(when(at, frame.capture_time_us)))
        for at, frame in enumerate(stream)
    ]


def test_frames_that_arrive_as_they_were_captured_pass(stream: tuple[FrameTrace, ...]) -> None:
    assert check_arrival(stream).outcome is DeviceFinding.PASS


def test_a_network_that_stalls_once_passes(stream: tuple[FrameTrace, ...]) -> None:
    rng = np.random.default_rng(1)
    stalled = _arriving(
        stream, lambda at, time: max(time, 1_400_000 if 10 < at < 22 else 0) + rng.gamma(2, 5_000)
    )
    assert check_arrival(stalled).outcome is DeviceFinding.PASS


def test_nothing_encoded_or_sent_between_is_too_even(stream: tuple[FrameTrace, ...]) -> None:
    check = check_arrival(_arriving(stream, lambda at, time: time + 1_000))
    assert (check.reason, check.soft) == ("ARRIVAL_TOO_EVEN", True)


@pytest.mark.parametrize("speed", [0.5, 0.9, 1.2])
def test_a_file_played_at_another_rate_is_noticed(stream: tuple[FrameTrace, ...], speed: float) -> None:
    check = check_arrival(_arriving(stream, lambda at, time: time * speed + 3_000 * (at % 3)))
    assert (check.reason, check.soft) == ("CLOCKS_APART", True)


def test_a_short_scan_is_not_evaluated(stream: tuple[FrameTrace, ...]) -> None:
    assert check_arrival(stream[:14]).outcome is DeviceFinding.UNAVAILABLE
    assert check_arrival([]).outcome is DeviceFinding.UNAVAILABLE
