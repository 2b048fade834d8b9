"""The synthetic camera: its frames, capture times, exposure, white balance and sensor noise."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from formats.exposure import ExposureClaim
from lab.simulator.motion import Sway
from lab.simulator.scene import CameraSettings
from vision.face import BgrImage


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
    exposure: ExposureClaim | None = None


NOISE_MARGIN = 61
_SHORTEST_GAP = 0.25


def even_times(*, frames: int, frames_per_second: float) -> tuple[float, ...]:
    """Capture times of a source with a perfect clock, seconds from 0."""
    return tuple(index / frames_per_second for index in range(frames))


def capture_times(
    rng: np.random.Generator, *, frames: int, frames_per_second: float, jitter_seconds: float
) -> tuple[float, ...]:
    """Capture times of a camera, seconds from 0, strictly increasing.

    Args:
        rng: Draws the jitter.
        frames_per_second: Mean rate.
        jitter_seconds: Standard deviation around the even rhythm; draws are clipped at three standard
            deviations, and two frames are never closer than a quarter of the mean gap.
    """
    draws = np.clip(rng.standard_normal(frames), -3, 3) * jitter_seconds
    wanted = np.arange(frames) / frames_per_second + draws
    gap = _SHORTEST_GAP / frames_per_second
    times: list[float] = []
    for time in wanted - wanted[0]:
        times.append(float(time) if not times else max(float(time), times[-1] + gap))
    return tuple(times)


def noise_field(rng: np.random.Generator, *, width: int, height: int) -> NDArray[np.float32]:
    """Return noise of standard deviation 1 that exceeds the frame by ``NOISE_MARGIN`` in both directions."""
    field = rng.standard_normal((height + NOISE_MARGIN, width + NOISE_MARGIN, 3), dtype=np.float32)
    grey = field.mean(axis=2, keepdims=True)
    field = cv2.GaussianBlur(0.75 * field + 0.6 * grey, (0, 0), 0.55)
    noise: NDArray[np.float32] = field / field.std()
    return noise


class Camera:
    """Converts the scene in front of the lens to the frame of a phone.

    Noise is Poissonian-Gaussian (Foi et al. 2008) and slightly correlated between neighbours, as after
    demosaicing. It is cut at a random place from a larger drawn field, so that two frames have different
    noise.
    """

    def __init__(
        self, settings: CameraSettings, rng: np.random.Generator, *, width: int, height: int
    ) -> None:
        """Draw the noise field and the drifts.

        Args:
            rng: Source of the draws, including those of each frame, in the order of the frames.
            width: Frame width in pixels.
            height: Frame height in pixels.
        """
        self._settings = settings
        self._rng = rng
        self._noise = noise_field(rng, width=width, height=height)
        self._exposure = Sway(rng, rms=settings.exposure_drift, lowest=0.1, highest=0.8)
        self._blue = Sway(rng, rms=settings.white_balance_drift, lowest=0.1, highest=0.5)
        self._red = Sway(rng, rms=settings.white_balance_drift, lowest=0.1, highest=0.5)

    def take(self, scene: BgrImage, time: float) -> BgrImage:
        """Take a frame of ``scene`` at ``time`` seconds."""
        exposure = 1 + self._exposure(time)
        gains = np.array([exposure * (1 + self._blue(time)), exposure, exposure * (1 + self._red(time))])
        levels = np.arange(256)[:, None] * gains
        spread = np.sqrt(self._settings.read_noise**2 + self._settings.shot_noise * levels)
        signal = cv2.LUT(scene, levels.astype(np.float32)[:, None, :])
        sigma = cv2.LUT(scene, spread.astype(np.float32)[:, None, :])
        noise = cv2.multiply(sigma, self._noise_cut(*scene.shape[:2]))
        return np.asarray(cv2.add(signal, noise, dtype=cv2.CV_8U), dtype=np.uint8)

    def _noise_cut(self, height: int, width: int) -> NDArray[np.float32]:
        top, left = (int(value) for value in self._rng.integers(0, NOISE_MARGIN, 2))
        cut = self._noise[top : top + height, left : left + width]
        if self._rng.random() < 0.5:
            cut = cut[:, ::-1]
        return np.ascontiguousarray(cut)
