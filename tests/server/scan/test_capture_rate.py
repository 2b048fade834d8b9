"""The frame rate of a device: its own slowness counts, the server's pauses do not."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.scan.attempt import CaptureRate


def _sent(rate: CaptureRate, *, begin: float, count: int, interval: float) -> float:
    for number in range(count):
        rate.count_frame(begin + number * interval)
    return begin + count * interval


def test_before_two_frames_there_is_no_rate() -> None:
    rate = CaptureRate()
    assert rate.per_second is None
    rate.count_frame(5.0)
    assert (rate.per_second, rate.seconds, rate.frames) == (None, 0.0, 1)


def test_dropped_images_were_captured() -> None:
    rate = CaptureRate()
    assert rate.captured_per_second is None
    for at in range(11):
        rate.count_frame(0.2 * at, dropped=1)
    assert rate.captured_per_second == pytest.approx(10.0)


def test_a_slow_network_makes_bursts_and_a_slow_camera_none() -> None:
    bursts, camera = CaptureRate(), CaptureRate()
    for at in range(24):
        bursts.count_frame(0.1 * (at % 4) + 1.2 * (at // 4))
        camera.count_frame(0.2 * at + 0.02 * (at % 3))
    assert bursts.per_second == pytest.approx(3.6, abs=0.2)
    assert bursts.captured_per_second == pytest.approx(10.0)
    assert camera.captured_per_second == pytest.approx(6.25)


def test_a_pause_as_the_device_had_it_does_not_count() -> None:
    rate = CaptureRate()
    end = _sent(rate, begin=100.0, count=30, interval=0.1)
    # Two more frames were in flight; the device received the pause and its end 0.2 s late.
    rate.pause(7.0)
    end = _sent(rate, begin=end, count=2, interval=0.1)
    rate.resume(8.0)
    _sent(rate, begin=end + 1.0, count=30, interval=0.1)
    assert rate.paused_seconds == pytest.approx(1.0)
    assert rate.per_second == pytest.approx(10.0)


def test_a_slow_device_is_slow_beside_a_pause_too() -> None:
    rate = CaptureRate()
    end = _sent(rate, begin=0.0, count=10, interval=0.5)
    rate.pause(50.0)
    rate.resume(51.0)
    _sent(rate, begin=end + 4.0, count=10, interval=0.5)
    assert rate.paused_seconds == pytest.approx(1.0)
    assert rate.per_second is not None
    assert rate.per_second < 2.0


def test_a_pause_without_an_end_excuses_nothing() -> None:
    rate = CaptureRate()
    end = _sent(rate, begin=0.0, count=10, interval=0.1)
    rate.pause(50.0)
    _sent(rate, begin=end + 9.0, count=10, interval=0.1)
    assert rate.paused_seconds == 0.0


@given(
    st.lists(
        st.one_of(
            st.floats(min_value=0.001, max_value=5.0).map(lambda gap: ("frame", gap)),
            st.floats(min_value=0.0, max_value=5.0).map(lambda wait: ("pause", wait)),
            st.floats(min_value=0.0, max_value=5.0).map(lambda wait: ("resume", wait)),
        ),
        max_size=40,
    )
)
def test_pauses_never_make_up_for_more_than_the_server_asked(events: list[tuple[str, float]]) -> None:
    rate, captured, now, asked, since = CaptureRate(), 0.0, 0.0, 0.0, None
    for what, amount in events:
        if what == "frame":
            captured += amount
            rate.count_frame(captured)
        elif what == "pause":
            now += amount
            rate.pause(now)
            since = now
        else:
            now += amount
            rate.resume(now)
            if since is not None:
                asked, since = asked + now - since, None
        assert 0.0 <= rate.paused_seconds <= asked + 1e-9
        assert rate.seconds >= 0.0
