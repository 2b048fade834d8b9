"""The phone's camera in linear light: its loops, noise and tone curve; it films a scene frame by frame.

Automatic exposure and white balance follow the previous frame.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from functools import cache

import cv2
import numpy as np
from numpy.typing import NDArray

from formats.exposure import ExposureClaim
from lab.simulator.camera import NOISE_MARGIN, SimulatedFrame, noise_field
from lab.simulator.knobs import knob, validate_knobs
from lab.simulator.light.scene import LitScene
from vision.face import BgrImage

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
        """Make the loops, not started.

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
        """Set both loops to their steady state for a scene.

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
        """Advance both loops towards the state for a frame.

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
    lock_after_seconds: float = knob(1.0, 0.0, 5.0)
    """From the first colour's appearance to the lock, if it is locked then, seconds."""
    exposure_seconds: float | None = knob(None, 0.02, 10.0)
    """Time constant of automatic exposure, seconds; drawn from 0.2 to 1 otherwise."""
    white_balance_seconds: float | None = knob(None, 0.02, 30.0)
    """Time constant of automatic white balance, seconds; drawn from 0.5 to 2 otherwise."""
    noise: float = knob(1.0, 0.0, 10.0)
    """Factor on the noise that the light level gives."""
    rolling_shutter_seconds: float = knob(0.020, 0.0, 0.1)
    """Time from the first row's exposure to the last row's, seconds."""
    longest_exposure_seconds: float = knob(0.0333, 0.005, 0.2)
    """Longest exposure of a row, seconds; at most the time between two frames."""
    stamp_lag_seconds: float = knob(0.010, 0.0, 0.5)
    """How much later than the first row's exposure the frame's time stamp is, seconds."""
    jitter_seconds: float = knob(0.0025, 0.0, 0.1)
    """Standard deviation of a frame's time around the even rhythm, seconds."""
    field_of_view_degrees: float = knob(48.0, 20.0, 100.0)
    """Horizontal, of the upright frame, degrees."""

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
        """Draw the loops' speeds and the noise field.

        Args:
            rng: Source of the draws, including those of each frame, in the order of the frames.
            width: Frame width in pixels.
            height: Frame height in pixels.
        """
        self._settings = settings
        self._rng = rng
        drawn = float(rng.uniform(0.2, 1.0)), float(rng.uniform(0.5, 2.0))
        self._noise = noise_field(rng, width=width, height=height)
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
        """Set exposure and white balance to their steady state for a scene.

        Args:
            radiance: Reflected light in lux, shape (h, w, 3), before any gain.
        """
        self._loops.start(self._loops.meter(radiance))

    def take(
        self, exposed: NDArray[np.float32], time: float, *, locked: bool
    ) -> tuple[BgrImage, ExposureClaim]:
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

    def _metadata(self, *, locked: bool) -> ExposureClaim:
        time = self.exposure_time
        wanted = _FULL_WELL * self._loops.gain / self._electrons
        iso = float(np.clip(_BASE_ISO * wanted / time, _BASE_ISO, _HIGHEST_ISO))
        # Warm light needs more blue than red; the ratio of the two gains is summarised as a temperature.
        ratio = float(self._loops.white[2] / self._loops.white[0])
        return ExposureClaim(
            exposure_time_ns=round(1e9 * time),
            iso=round(iso),
            white_balance_kelvin=round(float(np.clip(6500 * ratio**0.55, 2000, 12000))),
            rolling_shutter_skew_ns=round(1e9 * self._settings.rolling_shutter_seconds),
            exposure_locked=locked and self._settings.exposure_locked,
            white_balance_locked=locked and self._settings.white_balance_locked,
        )

    def _noise_cut(self, height: int, width: int) -> NDArray[np.float32]:
        top, left = (int(value) for value in self._rng.integers(0, NOISE_MARGIN, 2))
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


def film(
    scene: LitScene,
    camera: PhoneCamera,
    settings: FlashCameraSettings,
    times: Iterable[float],
    *,
    locked: Callable[[float], bool],
) -> Iterator[SimulatedFrame]:
    """Render the frames that ``camera`` takes of ``scene``, each on request.

    Args:
        scene: The scene in front of the lens.
        camera: The camera, not started.
        times: Time stamps of the frames in seconds, rising.
        locked: Whether the camera's locks, as far as the app uses them, are set at a time.
    """
    for time in times:
        begin, readout = time - settings.stamp_lag_seconds, settings.rolling_shutter_seconds
        if not camera.started:
            first = scene.render(begin, exposure=0.0, readout=readout, gains=np.ones(3))
            camera.start(first)
        exposed = scene.render(
            begin,
            exposure=camera.exposure_time,
            readout=readout,
            gains=camera.gains,
            pedestal=camera.pedestal,
        )
        pixels, said = camera.take(exposed, time, locked=locked(time))
        yield SimulatedFrame(pixels=pixels, capture_time=time, exposure=said)
