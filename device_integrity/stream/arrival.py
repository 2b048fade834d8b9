"""Do frames arrive as they were captured, and does their clock run as fast as the server's?"""

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from device_integrity.check import DeviceCheck, passed
from device_integrity.stream.findings import suspect, unavailable
from device_integrity.stream.tracing import FrameTrace

__all__ = ["check_arrival"]

_FEWEST_FRAMES: Final = 15
_SHORTEST_US: Final = 1_500_000
_MOST_DRIFT: Final = 0.05
"""Between the clocks, as a share: quartz is a thousand times better, what is left is the network's change."""

_SMOOTH_US: Final = 150
"""Microseconds: less jitter of arrival than this has no encoder and no network behind it."""


def check_arrival(frames: Sequence[FrameTrace]) -> DeviceCheck:
    """``stream.arrival``: capture times against times of arrival.

    Nothing here is hard: a network that stalls delivers what it held back at once. What is sent faster than
    it could be captured the server refuses on the spot (docs/device_protocol.md, Clocks).
    """
    name = "stream.arrival"
    captured = np.array([frame.capture_time_us for frame in frames], np.float64)
    arrived = np.array([frame.arrival_time_us for frame in frames], np.float64)
    if len(frames) < _FEWEST_FRAMES or np.ptp(captured) < _SHORTEST_US:
        return unavailable(name, "TOO_SHORT", "Too few frames over too little time.")
    delay = arrived - captured
    if float(delay.std()) < _SMOOTH_US:
        return suspect(
            name,
            "ARRIVAL_TOO_EVEN",
            f"Frames arrive with a jitter of {delay.std():.0f} µs: nothing was encoded or sent between.",
        )
    speed = _speed(captured, arrived)
    if abs(speed - 1.0) > _MOST_DRIFT:
        return suspect(
            name,
            "CLOCKS_APART",
            f"A second of the capture clock takes {speed:.2f} s here, over "
            f"{np.ptp(captured) / 1e6:.1f} s of capture.",
        )
    return passed(
        name,
        "AS_CAPTURED",
        f"Frames arrive as they were captured, with a jitter of {delay.std() / 1000:.1f} ms.",
    )


def _speed(captured: NDArray[np.float64], arrived: NDArray[np.float64]) -> float:
    """Slope of arrival over capture between the scan's halves, frame by frame: half of them may be late.

    The median of slopes is robust against late frames (H. Theil, 1950, with pairs half a scan apart).
    """
    half = len(captured) // 2
    across = captured[half : 2 * half] - captured[:half]
    down = arrived[half : 2 * half] - arrived[:half]
    able = across > 0
    return float(np.median(down[able] / across[able])) if able.any() else 0.0
