"""A drawn person in a drawn room, for cues that need pixels and no realistic face."""

from collections.abc import Sequence
from functools import cache

import cv2
import numpy as np
from numpy.typing import NDArray

from liveness.express.cues import FrameCues
from liveness.express.frame_cues import measure_frame_cues
from tests.liveness.builders import HEIGHT, WIDTH, face_at
from vision.face import BgrImage, DetectedFace

FACE = face_at(width=200.0)
_SKIN = np.array([110.0, 140.0, 190.0])
_SHIRT = np.array([120.0, 60.0, 40.0])
_SHINE = ((240, 230), (215, 320), (268, 322))


def portrait(seed: int = 0) -> BgrImage:
    """A person in front of a room, 480 x 640, with detail of all sizes, shiny skin and sensor noise."""
    return _drawn(seed).copy()


@cache
def _drawn(seed: int) -> BgrImage:
    rng = np.random.default_rng(seed)
    room = 110 + 22 * _texture(rng)[..., None] + 6 * np.stack([_texture(rng) for _ in range(3)], axis=2)
    picture = room.astype(np.float32)
    body = _mask((240, 660), (210, 215))
    head = _mask((240, 300), (100, 140))
    picture = _over(picture, _SHIRT * (1 + 0.1 * _texture(rng)[..., None]), body)
    skin = _SKIN * (1 + 0.09 * _texture(rng)[..., None])
    for centre in _SHINE:
        spot = np.zeros((HEIGHT, WIDTH), np.float32)
        cv2.circle(spot, centre, 4, 1.0, -1)
        skin = skin + 130 * cv2.GaussianBlur(spot, (0, 0), 2.5)[..., None]
    picture = _over(picture, skin, head)
    for x, y in FACE.five_points[:2]:
        cv2.circle(picture, (round(float(x)), round(float(y))), 9, (25, 20, 20), -1)
    picture[:40, :60] = 8
    return through_camera(picture, rng)


def through_camera(picture: NDArray[np.float32], rng: np.random.Generator) -> BgrImage:
    """With a lens's softness and a sensor's noise."""
    seen = cv2.GaussianBlur(picture, (0, 0), 0.5) + 1.5 * rng.standard_normal(picture.shape)
    return np.clip(np.round(seen), 0, 255).astype(np.uint8)


def small(image: BgrImage, scale: float) -> tuple[BgrImage, DetectedFace]:
    """The reduced image, and the place of its face."""
    shrunk = cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    x, y = WIDTH / 2 * scale, 300 * scale
    return np.asarray(shrunk, np.uint8), face_at(x, y, 200.0 * scale)


def measured(image: BgrImage, face: DetectedFace, name: str) -> float | None:
    """One cue of one frame."""
    return measure_frame_cues(image, face, frame_index=0).values.get(name)


def cues_of(name: str, values: Sequence[float]) -> list[FrameCues]:
    """One frame for each value."""
    return [FrameCues(frame_index=index, values={name: value}) for index, value in enumerate(values)]


def _texture(rng: np.random.Generator) -> NDArray[np.float32]:
    """Structure of all sizes, as in natural images, with standard deviation 1."""
    down, across = np.meshgrid(np.fft.fftfreq(HEIGHT), np.fft.rfftfreq(WIDTH), indexing="ij")
    falling = 1 / np.maximum(np.hypot(down, across), 1 / 100)
    spectrum = np.fft.rfft2(rng.standard_normal((HEIGHT, WIDTH))) * falling
    field = np.fft.irfft2(spectrum, s=(HEIGHT, WIDTH))
    even: NDArray[np.float32] = (field / field.std()).astype(np.float32)
    return even


def _mask(centre: tuple[int, int], radii: tuple[int, int]) -> NDArray[np.float32]:
    mask = np.zeros((HEIGHT, WIDTH), np.float32)
    cv2.ellipse(mask, centre, radii, 0, 0, 360, 1.0, -1)
    return mask[..., None]


def _over(
    below: NDArray[np.float32], above: NDArray[np.float64], mask: NDArray[np.float32]
) -> NDArray[np.float32]:
    return (above * mask + below * (1 - mask)).astype(np.float32)
