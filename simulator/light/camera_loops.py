"""Automatic exposure and white balance of the phone's camera, which follow the previous frame."""

import numpy as np
from numpy.typing import NDArray

__all__ = ["CameraLoops"]

_TARGET = 0.22
_DEAD_BAND = 0.03
_WHITE_BALANCE_STRENGTH = 0.6
# Automatic white balance keeps some of a lamp's colour.
_ADAPTATION = 0.85


class CameraLoops:
    """Exposure drives the weighted mean towards grey; white balance keeps the frame's mean colour constant.

    Both have a first-order lag, as in phones.

    Attributes:
        gain: Factor from reflected lux to full scale; 0 before the first exposure.
        white: White balance: factors on ``gain``, blue-green-red, of which green is 1.
    """

    def __init__(
        self, *, exposure_seconds: float, white_seconds: float, highest_gain: float, width: int, height: int
    ) -> None:
        """Makes the loops, not started.

        Args:
            exposure_seconds: Time constant of exposure.
            white_seconds: Time constant of white balance.
            highest_gain: The largest ``gain`` that the sensor allows.
            width: Frame width in pixels.
            height: Frame height in pixels.
        """
        self._exposure_seconds = exposure_seconds
        self._white_seconds = white_seconds
        self._highest_gain = highest_gain
        self._weights = _metering(height, width)
        self.gain = 0.0
        self.white: NDArray[np.float64] = np.ones(3)
        self._start: NDArray[np.float64] = np.ones(3)
        self._base: NDArray[np.float64] = np.ones(3)

    @property
    def gains(self) -> NDArray[np.float64]:
        """Factors from reflected lux to full scale, blue-green-red."""
        return self.gain * self.white

    def meter(self, light: NDArray[np.float32]) -> NDArray[np.float64]:
        """Return the mean of each channel, blue-green-red, with the weights of centre metering.

        Args:
            light: The scene in lux, shape (height, width, 3).
        """
        few = light[4::8, 4::8].astype(np.float64)
        mean = (few * self._weights[..., None]).sum(axis=(0, 1))
        return np.asarray(np.maximum(mean, 1e-6))

    def start(self, mean: NDArray[np.float64]) -> None:
        """Sets both loops to their steady state for a scene.

        Args:
            mean: Mean of the scene in lux, from ``meter``.
        """
        self._start = mean / mean[1]
        self._base = self._start**-_ADAPTATION
        self.white = self._base
        self.gain = self._gain_of(mean)

    def follow(
        self, mean: NDArray[np.float64], passed: float, *, exposure_locked: bool, white_locked: bool
    ) -> None:
        """Advances both loops towards the state for a frame.

        Args:
            mean: Mean of the frame in lux, from ``meter``.
            passed: Time since the previous frame, seconds.
            exposure_locked: Whether exposure is locked.
            white_locked: Whether white balance is locked.
        """
        if not white_locked:
            wanted = (self._start / (mean / mean[1])) ** _WHITE_BALANCE_STRENGTH
            share = 1 - np.exp(-passed / self._white_seconds)
            self.white = self.white * (self._base * wanted / self.white) ** share
            self.white /= self.white[1]
        if not exposure_locked:
            error = float(np.log(self._gain_of(mean) / self.gain))
            if abs(error) > _DEAD_BAND:
                self.gain *= float(np.exp(error * (1 - np.exp(-passed / self._exposure_seconds))))

    def _gain_of(self, mean: NDArray[np.float64]) -> float:
        wanted = float(_TARGET / ((mean * self.white) @ (0.25, 0.5, 0.25)))
        return min(wanted, self._highest_gain)


def _metering(height: int, width: int) -> NDArray[np.float64]:
    """Return weights of every eighth pixel, with sum 1; phones meter for the face, which is in the middle."""
    y, x = np.mgrid[4:height:8, 4:width:8]
    away = ((x / width - 0.5) / 0.17) ** 2 + ((y / height - 0.52) / 0.15) ** 2
    weights = 0.05 + np.exp(-away / 2)
    return np.asarray(weights / weights.sum())
