"""Compares capture times with times of arrival, and the device's clock with the server's."""

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from device_integrity.check import DeviceCheck, passed_test
from device_integrity.stream.findings import suspect, unavailable
from device_integrity.stream.tracing import FrameTrace

__all__ = ["check_arrival"]

_FEWEST_FRAMES: Final = 15
_SHORTEST_US: Final = 1_500_000
_MOST_DRIFT: Final = 0.05
"""Largest drift between the clocks, a share. Quartz is a thousand times better; the network adds the rest."""

_SMOOTH_US: Final = 150
"""Microseconds. With an encoder and a network the jitter of arrival is never less."""


def check_arrival(frames: Sequence[FrameTrace]) -> DeviceCheck:
    """Returns ``stream.arrival``, which compares capture times with times of arrival.

    Its failures are soft, because a network that stalls delivers the delayed frames all together. The server
    itself refuses frames that arrive before they can have been captured (docs/device_protocol.md, Clocks).
    """
    name = "stream.arrival"
    captured = np.array([frame.capture_time_us for frame in frames], np.float64)
    arrived = np.array([frame.arrival_time_us for frame in frames], np.float64)
    if len(frames) < _FEWEST_FRAMES or np.ptp(captured) < _SHORTEST_US:
        return unavailable(
            name,
            "TOO_SHORT",
            f"Fewer than {_FEWEST_FRAMES} frames, or less than {_SHORTEST_US / 1e6:.1f} s of capture.",
        )
    delay = arrived - captured
    if float(delay.std()) < _SMOOTH_US:
        return suspect(
            name,
            "ARRIVAL_TOO_EVEN",
            f"Frames arrive with a jitter of {delay.std():.0f} µs, less than an encoder and a network cause.",
        )
    speed = _speed(captured, arrived)
    if abs(speed - 1.0) > _MOST_DRIFT:
        return suspect(
            name,
            "CLOCKS_APART",
            f"A second of the capture clock takes {speed:.2f} s on the server's clock, over "
            f"{np.ptp(captured) / 1e6:.1f} s of capture.",
        )
    return passed_test(
        name,
        "AS_CAPTURED",
        f"Arrival times follow capture times, with a jitter of {delay.std() / 1000:.1f} ms.",
    )


def _speed(captured: NDArray[np.float64], arrived: NDArray[np.float64]) -> float:
    """Returns the median slope of arrival time over capture time, from pairs of frames half a scan apart.

    The median of slopes is robust even if almost half of the frames are late (H. Theil, 1950).
    """
    half = len(captured) // 2
    across = captured[half : 2 * half] - captured[:half]
    down = arrived[half : 2 * half] - arrived[:half]
    able = across > 0
    return float(np.median(down[able] / across[able])) if able.any() else 0.0
