"""One photo that a script warps and sends: a moving bulge makes a face that moves as no flat picture does."""

from collections.abc import Callable, Iterator

import cv2
import numpy as np
from numpy.typing import NDArray

from lab.simulator.camera import SimulatedFrame, even_times
from lab.simulator.motion import Sway
from vision.face import BgrImage

Displacement = tuple[NDArray[np.float32], NDArray[np.float32]]
"""How far each pixel of a frame looks aside, to the right and down, pixels; each of the photo's shape."""

Warp = Callable[[float], Displacement]
"""The warp of a photo at a time, seconds."""

_LOWEST, _DRIFT, _QUICKEST = 0.12, 0.6, 1.1
"""Frequencies, hertz: the lowest of all movement, the highest of the drift and of the warp."""


def bulge(picture: BgrImage, face: tuple[float, float, float], *, strength: float, seed: int) -> Warp:
    """Return a bulge that wanders over the face.

    Args:
        face: The face's middle and width, pixels.
        strength: Root mean square of the displacement, face widths.
        seed: Seeds all draws.
    """
    rng = np.random.default_rng(seed)
    x, y, width = face
    across, down, swell = (
        Sway(rng, rms=value, lowest=_LOWEST, highest=_QUICKEST)
        for value in (0.22 * width, 0.28 * width, strength * width)
    )
    size, rest = rng.uniform(0.2, 0.45) * width, rng.uniform(0.3, 1.0) * strength * width
    rows, columns = np.mgrid[: picture.shape[0], : picture.shape[1]].astype(np.float32)

    def warp(time: float) -> Displacement:
        aside, below = columns - np.float32(x + across(time)), rows - np.float32(y + down(time))
        share = np.exp(-(aside**2 + below**2) / np.float32(2 * size**2)) * np.float32(
            (rest + swell(time)) / size
        )
        return -aside * share, -below * share

    return warp


def warp_photo(
    picture: BgrImage,
    face: tuple[float, float, float],
    warp: Warp,
    *,
    noise: float,
    rate: float,
    seconds: float,
    seed: int,
) -> Iterator[SimulatedFrame]:
    """Yield the frames: the photo, warped, with a slow drift and noise.

    Args:
        picture: The photo, shape (height, width, 3), BGR; the frames have its size.
        face: The face's middle and width, pixels.
        noise: Standard deviation of the noise, grey levels.
        rate: Frames a second.
        seconds: Length of the scan.
    """
    rng = np.random.default_rng(seed)
    x, y, width = face
    aside, down, scale, turn, light = (
        Sway(rng, rms=value, lowest=_LOWEST, highest=_DRIFT)
        for value in (0.03 * width, 0.03 * width, 0.01, 0.012, 0.015)
    )
    rows, columns = np.mgrid[: picture.shape[0], : picture.shape[1]].astype(np.float32)
    right, below = columns - np.float32(x), rows - np.float32(y)
    for time in even_times(frames=round(seconds * rate), frames_per_second=rate):
        bent_right, bent_below = warp(time)
        along, over = (np.float32(part(turn(time)) * (1 + scale(time))) for part in (np.cos, np.sin))
        shown = cv2.remap(
            picture,
            along * right - over * below + np.float32(x + aside(time)) + bent_right,
            over * right + along * below + np.float32(y + down(time)) + bent_below,
            cv2.INTER_LINEAR,
            borderMode=cv2.BORDER_REPLICATE,
        ).astype(np.float32)
        grain = rng.standard_normal(shown.shape, dtype=np.float32) * np.float32(noise)
        pixels = np.clip(shown * np.float32(1 + light(time)) + grain, 0, 255).astype(np.uint8)
        yield SimulatedFrame(pixels=pixels, capture_time=time)
