"""Changes of frames by test devices."""

from collections.abc import AsyncIterator

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from facegate_client import CapturedImage, generated_source
from facegate_client.frame_source import Pixels
from simulator.devices import StreamHabit
from simulator.devices.client import PlayedSource

RATE = 10.0


def source(times: list[float], habit: StreamHabit) -> PlayedSource:
    def frames() -> list[tuple[Pixels | bytes, float]]:
        return [(bytes([place]), time) for place, time in enumerate(times)]

    return PlayedSource(generated_source(frames(), label="a", frames_per_second=RATE, pace="fast"), habit)


async def shown(played: PlayedSource) -> list[CapturedImage]:
    async def all_of() -> AsyncIterator[CapturedImage]:
        async for frame in played:
            yield frame

    played.begin_attempt()
    frames = [frame async for frame in all_of()]
    await played.aclose()
    return frames


async def test_an_honest_device_changes_nothing() -> None:
    times = [0.0, 0.11, 0.19]
    frames = await shown(source(times, StreamHabit()))
    assert [frame.image for frame in frames] == [b"\x00", b"\x01", b"\x02"]
    assert np.diff([frame.capture_time_us for frame in frames]).tolist() == [110_000, 80_000]
    assert [frame.exposure for frame in frames] == [None] * 3


async def test_a_loop_shows_the_first_frames_again_at_the_time_of_the_others() -> None:
    played = source([at / RATE for at in range(7)], StreamHabit(loop_frames=3))
    frames = await shown(played)
    assert [frame.image for frame in frames] == [bytes([at]) for at in (0, 1, 2, 0, 1, 2, 0)]
    assert set(np.diff([frame.capture_time_us for frame in frames])) == {100_000}


async def test_a_constant_exposure_is_announced_and_reported_of_every_frame() -> None:
    played = source([0.0, 0.1, 0.2], StreamHabit(constant_exposure=True))
    assert played.camera.reports_exposure
    exposures = {frame.exposure for frame in await shown(played)}
    assert len(exposures) == 1
    assert None not in exposures


@given(gaps=st.lists(st.floats(0.001, 0.4), min_size=1, max_size=30))
async def test_even_times_rise_and_lie_on_one_grid_whatever_the_camera_did(gaps: list[float]) -> None:
    times = np.cumsum([0.0, *gaps]).tolist()
    frames = await shown(source(times, StreamHabit(even_timing=True)))
    steps = np.diff([frame.capture_time_us for frame in frames])
    assert (steps > 0).all()
    assert not (steps % round(1e6 / RATE)).any()
