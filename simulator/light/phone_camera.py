"""The phone's camera in linear light: its loops, noise and tone curve."""

from dataclasses import dataclass
from enum import StrEnum
from functools import cache

import cv2
import numpy as np
from numpy.typing import NDArray

from simulator.frame import SimulatedExposure
from simulator.knobs import knob, validate_knobs
from simulator.light.camera_loops import CameraLoops
from vision.face import BgrImage

__all__ = ["FlashCameraSettings", "LockTime", "PhoneCamera", "ToneCurve", "tone_table"]

_NOISE_MARGIN = 61
_ELECTRONS_PER_LUX_SECOND = 1120.0
_FULL_WELL = 40_000.0
_READ_ELECTRONS = 5.0
_DENOISED = 0.6
_SHORTEST = 1 / 20_000
_BASE_ISO, _HIGHEST_ISO = 40, 3200
_REFERENCE_WIDTH = 480
_LEVELS = 65536
_HIGHEST_ROOT = 1.25


class ToneCurve(StrEnum):
    """How linear light becomes an 8-bit value."""

    SRGB = "srgb"
    """IEC 61966-2-1."""
    GAMMA_22 = "gamma-2.2"
    """A plain power law."""
    CONTRAST = "contrast"
    """sRGB under an S-curve with a soft shoulder, as in phones."""


class LockTime(StrEnum):
    """The time at which an app locks exposure or white balance."""

    START = "start"
    """Before the first frame."""
    FIRST_COLOUR = "first-colour"
    """Some time after the first colour of the flash, as the device protocol demands; until the end of the
    flash."""


@dataclass(frozen=True, slots=True)
class FlashCameraSettings:
    """The camera of the phone.

    Attributes:
        tone_curve: How linear light becomes an 8-bit value.
        exposure_locked: Whether the app locks exposure.
        white_balance_locked: Whether the app locks white balance.
        locks_at: The time at which it locks them.

    Raises:
        SceneSettingsInvalid: A value is outside its range.
    """

    tone_curve: ToneCurve = ToneCurve.SRGB
    exposure_locked: bool = False
    white_balance_locked: bool = False
    locks_at: LockTime = LockTime.FIRST_COLOUR
    lock_after_seconds: float = knob(
        1.0, 0.0, 5.0, "from the first colour's appearance to the lock, if it is locked then, seconds"
    )
    exposure_seconds: float | None = knob(
        None, 0.02, 10.0, "time constant of automatic exposure, seconds; drawn from 0.2 to 1 otherwise"
    )
    white_balance_seconds: float | None = knob(
        None,
        0.02,
        30.0,
        "time constant of automatic white balance, seconds; drawn from 0.5 to 2 otherwise",
    )
    noise: float = knob(1.0, 0.0, 10.0, "factor on the noise that the light level gives")
    rolling_shutter_seconds: float = knob(
        0.020, 0.0, 0.1, "time from the first row's exposure to the last row's, seconds"
    )
    longest_exposure_seconds: float = knob(
        0.0333, 0.005, 0.2, "longest exposure of a row, seconds; at most the time between two frames"
    )
    stamp_lag_seconds: float = knob(
        0.010, 0.0, 0.5, "how much later than the first row's exposure the frame's time stamp is, seconds"
    )
    jitter_seconds: float = knob(
        0.0025, 0.0, 0.1, "standard deviation of a frame's time around the even rhythm, seconds"
    )
    field_of_view_degrees: float = knob(48.0, 20.0, 100.0, "horizontal, of the upright frame, degrees")

    def __post_init__(self) -> None:
        validate_knobs(self)


class PhoneCamera:
    """Turns radiance into frames, one after another.

    Exposure and white balance follow the previous frame (``CameraLoops``). Noise is shot and read noise of
    the electrons that this exposure collects, partly removed, slightly correlated between neighbours.
    """

    def __init__(
        self, settings: FlashCameraSettings, rng: np.random.Generator, *, width: int, height: int
    ) -> None:
        """Draws the loops' speeds and the noise field.

        Args:
            settings: The camera.
            rng: Source of the draws, including those of each frame, in the order of the frames.
            width: Frame width in pixels.
            height: Frame height in pixels.
        """
        self._settings = settings
        self._rng = rng
        drawn = float(rng.uniform(0.2, 1.0)), float(rng.uniform(0.5, 2.0))
        field = rng.standard_normal((height + _NOISE_MARGIN, width + _NOISE_MARGIN, 3), dtype=np.float32)
        grey = field.mean(axis=2, keepdims=True)
        field = cv2.GaussianBlur(0.75 * field + 0.6 * grey, (0, 0), 0.55)
        self._noise: NDArray[np.float32] = field / field.std()
        self._table = tone_table(settings.tone_curve)
        self._electrons = _ELECTRONS_PER_LUX_SECOND * (_REFERENCE_WIDTH / width) ** 2
        self._loops = CameraLoops(
            exposure_seconds=settings.exposure_seconds or drawn[0],
            white_seconds=settings.white_balance_seconds or drawn[1],
            highest_gain=settings.longest_exposure_seconds
            * self._electrons
            / _FULL_WELL
            * _HIGHEST_ISO
            / _BASE_ISO,
            width=width,
            height=height,
        )
        self._before: float | None = None

    @property
    def started(self) -> bool:
        """Whether the first exposure was set."""
        return self._loops.gain > 0

    @property
    def gains(self) -> NDArray[np.float64]:
        """Factors from reflected lux to full scale, blue-green-red."""
        return self._loops.gains

    @property
    def exposure_time(self) -> float:
        """Exposure of one row, seconds."""
        wanted = _FULL_WELL * self._loops.gain / self._electrons
        return float(np.clip(wanted, _SHORTEST, self._settings.longest_exposure_seconds))

    @property
    def pedestal(self) -> float:
        """Light to add so that read noise can be computed as shot noise, as a share of full scale."""
        return _READ_ELECTRONS**2 / self._white_electrons()

    def start(self, radiance: NDArray[np.float32]) -> None:
        """Sets exposure and white balance to their steady state for a scene.

        Args:
            radiance: Reflected light in lux, shape (h, w, 3), before any gain.
        """
        self._loops.start(self._loops.meter(radiance))

    def take(
        self, exposed: NDArray[np.float32], time: float, *, locked: bool
    ) -> tuple[BgrImage, SimulatedExposure]:
        """Take a frame with the platform's report on it, and advance the loops.

        Args:
            exposed: Light times ``gains`` plus ``pedestal``, shape (h, w, 3): 1 is full scale.
            time: Time of the frame, seconds.
            locked: Whether the locks that the app uses are set.
        """
        settings, loops = self._settings, self._loops
        mean = np.maximum(loops.meter(exposed) - self.pedestal, 1e-6) / self.gains
        pixels = self._develop(exposed)
        said = self._metadata(locked=locked)
        loops.follow(
            mean,
            0.0 if self._before is None else time - self._before,
            exposure_locked=locked and settings.exposure_locked,
            white_locked=locked and settings.white_balance_locked,
        )
        self._before = time
        return pixels, said

    def _develop(self, exposed: NDArray[np.float32]) -> BgrImage:
        # The square root of light with this pedestal has the same noise everywhere (Anscombe 1948), so that
        # one addition applies the noise; a table then combines root, pedestal and tone curve.
        sigma = self._settings.noise * _DENOISED / (2 * np.sqrt(self._white_electrons()))
        per_root = (_LEVELS - 1) / _HIGHEST_ROOT
        noise = self._noise_cut(*exposed.shape[:2])
        roots = cv2.addWeighted(
            cv2.sqrt(exposed), per_root, noise, per_root * sigma, 0.0, dtype=cv2.CV_16U
        )  # rounds and clips
        light = _squares() - (self.pedestal + sigma * sigma)
        levels = np.clip(light * (_LEVELS - 1), 0, _LEVELS - 1).astype(np.uint16)
        return np.asarray(cv2.LUT(roots, self._table[:, levels]), dtype=np.uint8)

    def _white_electrons(self) -> float:
        """Return the number of electrons at full scale in this exposure."""
        return self._electrons * self.exposure_time / self._loops.gain

    def _metadata(self, *, locked: bool) -> SimulatedExposure:
        time = self.exposure_time
        wanted = _FULL_WELL * self._loops.gain / self._electrons
        iso = float(np.clip(_BASE_ISO * wanted / time, _BASE_ISO, _HIGHEST_ISO))
        # Warm light needs more blue than red; the ratio of the two gains is summarised as a temperature.
        ratio = float(self._loops.white[2] / self._loops.white[0])
        return SimulatedExposure(
            exposure_seconds=time,
            iso=round(iso),
            white_balance_kelvin=round(float(np.clip(6500 * ratio**0.55, 2000, 12000))),
            rolling_shutter_seconds=self._settings.rolling_shutter_seconds,
            exposure_locked=locked and self._settings.exposure_locked,
            white_balance_locked=locked and self._settings.white_balance_locked,
        )

    def _noise_cut(self, height: int, width: int) -> NDArray[np.float32]:
        top, left = (int(value) for value in self._rng.integers(0, _NOISE_MARGIN, 2))
        return self._noise[top : top + height, left : left + width]


@cache
def _squares() -> NDArray[np.float64]:
    """Return the light of each level of its square root."""
    squares = (np.arange(_LEVELS) / (_LEVELS - 1) * _HIGHEST_ROOT) ** 2
    squares.flags.writeable = False
    return squares


@cache
def tone_table(curve: ToneCurve) -> NDArray[np.uint8]:
    """Return the 8-bit value of each of 65536 levels of linear light, shape (1, 65536)."""
    light = np.arange(_LEVELS) / (_LEVELS - 1)
    if curve is ToneCurve.GAMMA_22:
        value = light ** (1 / 2.2)
    else:
        value = np.where(light <= 0.0031308, light * 12.92, 1.055 * light ** (1 / 2.4) - 0.055)
    if curve is ToneCurve.CONTRAST:
        value = value + 0.09 * np.sin(2 * np.pi * (value - 0.5)) / 2 - 0.02 * np.sin(np.pi * value)
    return np.round(np.clip(value, 0, 1) * 255).astype(np.uint8)[None]
