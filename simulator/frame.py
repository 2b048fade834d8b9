"""One frame of the synthetic camera."""

from dataclasses import dataclass

from vision.face import BgrImage

__all__ = ["SimulatedExposure", "SimulatedFrame"]


@dataclass(frozen=True, slots=True)
class SimulatedExposure:
    """The exposure of a frame, as the platform reports it.

    Attributes:
        exposure_seconds: Exposure of one row.
        iso: Sensor sensitivity.
        white_balance_kelvin: Correlated colour temperature of the white balance.
        rolling_shutter_seconds: Time from the first row's exposure to the last row's.
        exposure_locked: Whether exposure is locked.
        white_balance_locked: Whether white balance is locked.
    """

    exposure_seconds: float
    iso: int
    white_balance_kelvin: int
    rolling_shutter_seconds: float
    exposure_locked: bool
    white_balance_locked: bool


@dataclass(frozen=True, slots=True)
class SimulatedFrame:
    """One frame of a simulated scan.

    Attributes:
        pixels: The frame, upright; read-only, because an injected scan repeats one array.
        capture_time: Seconds of the scan's clock; strictly rising, near 0 for the first frame.
        exposure: How it was exposed, if the camera reports it.
    """

    pixels: BgrImage
    capture_time: float
    exposure: SimulatedExposure | None = None
