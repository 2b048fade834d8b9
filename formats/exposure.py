"""The exposure of a frame, as its camera states it."""

from dataclasses import dataclass

_NANOSECONDS = 1e9


@dataclass(frozen=True, slots=True, kw_only=True)
class ExposureClaim:
    """The exposure that a device claims; see ``facegate.v1.ExposureMetadata``. 0 means unknown.

    Attributes:
        exposure_time_ns: Exposure of one row, nanoseconds.
        iso: Sensitivity, ISO 12232.
        white_balance_kelvin: Correlated colour temperature of the white balance.
        exposure_locked: Whether exposure is held.
        white_balance_locked: Whether white balance is held.
        rolling_shutter_skew_ns: Time from the first row's exposure to the last row's, nanoseconds.
    """

    exposure_time_ns: int = 0
    iso: int = 0
    white_balance_kelvin: int = 0
    exposure_locked: bool = False
    white_balance_locked: bool = False
    rolling_shutter_skew_ns: int = 0

    @property
    def exposure_seconds(self) -> float | None:
        """The exposure time; None if it is not stated."""
        return self.exposure_time_ns / _NANOSECONDS or None

    @property
    def readout_seconds(self) -> float | None:
        """The time from the first row's exposure to the last row's; None if it is not stated."""
        return self.rolling_shutter_skew_ns / _NANOSECONDS or None

    @property
    def gain(self) -> float:
        """Exposure time multiplied by sensitivity, in second ISO; 0 if either is unknown.

        The brightness of an unchanged scene is proportional to it (ISO 12232).
        """
        return self.exposure_time_ns * 1e-9 * self.iso
