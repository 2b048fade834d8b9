"""One frame as it leaves the synthetic camera."""

from dataclasses import dataclass

from vision.face import BgrImage

__all__ = ["SimulatedFrame"]


@dataclass(frozen=True, slots=True)
class SimulatedFrame:
    """One frame of a simulated scan.

    Attributes:
        pixels: The frame, upright, not to be written to: an injected scan gives one array many times.
        capture_time: Seconds since the scan's first frame.
    """

    pixels: BgrImage
    capture_time: float
