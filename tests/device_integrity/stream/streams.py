"""Streams of a simulated camera: a scene that moves, with a sensor's noise, encoded once."""

import cv2
import numpy as np
from numpy.typing import NDArray

from device_integrity.stream import StreamMeasurements, StreamTracer
from vision.image import DecodeLimits, decode_jpeg_blocks

Pixels = NDArray[np.uint8]

HEIGHT, WIDTH = 240, 320


def scene(seed: int = 0) -> NDArray[np.float32]:
    """A scene larger than a frame: blobs of all sizes and brightnesses."""
    rng = np.random.default_rng(seed)
    picture = np.zeros((HEIGHT + 80, WIDTH + 80), np.float32)
    for size in (4, 8, 16, 40, 80):
        coarse = rng.normal(0, 1, (picture.shape[0] // size + 2, picture.shape[1] // size + 2))
        grown = cv2.resize(coarse.astype(np.float32), picture.shape[::-1], interpolation=cv2.INTER_CUBIC)
        picture += grown * size**0.6
    picture = 128 + 45 * (picture - picture.mean()) / picture.std()
    return np.asarray(np.clip(picture, 30, 225), np.float32)


def frames(count: int = 48, *, noise: float = 2.0, moves: bool = True, seed: int = 0) -> list[Pixels]:
    """Luma of a camera that is held in a hand; its noise is new in every frame."""
    rng = np.random.default_rng(seed + 100)
    picture = scene(seed)
    shown = []
    for at in range(count):
        across, down = (20 + 9 * np.sin(at / 7), 20 + 7 * np.sin(at / 11 + 1)) if moves else (20.0, 20.0)
        shift = np.array([[1, 0, -across], [0, 1, -down]], np.float32)
        moved = cv2.warpAffine(picture, shift, (WIDTH, HEIGHT), flags=cv2.INTER_LINEAR)
        noisy = moved + rng.normal(0, noise, moved.shape) if noise else moved
        shown.append(np.asarray(np.clip(np.rint(noisy), 0, 255), np.uint8))
    return shown


def encode(luma: Pixels, quality: int = 90) -> bytes:
    """A JPEG of three channels, as the protocol requires."""
    colour = cv2.cvtColor(luma, cv2.COLOR_GRAY2BGR)
    return cv2.imencode(".jpg", colour, [cv2.IMWRITE_JPEG_QUALITY, quality])[1].tobytes()


def decode(jpeg: bytes) -> Pixels:
    """Its luma."""
    return np.asarray(cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_GRAYSCALE), np.uint8)


def blocks(jpeg: bytes) -> Pixels:
    """The mean luma of its blocks."""
    limits = DecodeLimits(max_bytes=2**20, max_pixels=2**20, max_side=2**12)
    return decode_jpeg_blocks(jpeg, limits=limits)


def measured(jpegs: list[bytes], *, seed: int = 0, step_us: int = 62_500) -> StreamMeasurements:
    """A stream's measurements, its frames arriving some milliseconds after they were captured."""
    rng = np.random.default_rng(seed + 200)
    tracer = StreamTracer()
    for at, jpeg in enumerate(jpegs):
        captured = at * step_us
        tracer.add(
            jpeg,
            decode(jpeg),
            capture_time_us=captured,
            arrival_time_us=captured + 40_000 + int(rng.gamma(2, 4_000)),
        )
    return tracer.measurements


def camera_stream(count: int = 48, **scene_options: float) -> list[bytes]:
    """Encoded frames of the camera."""
    return [encode(luma) for luma in frames(count, **scene_options)]  # type: ignore[arg-type]
