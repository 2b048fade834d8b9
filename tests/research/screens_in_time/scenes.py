"""Frames of a textured face before a textured room."""

import cv2
import numpy as np

from liveness.extent import FaceExtent
from research.screens_in_time.stretches import SeenFrame
from tests.liveness.builders import texture
from vision.face import BgrImage

_WIDTH, _HEIGHT = 80, 100


def person_in_room(*, sway: float = 0, approach: float = 0, count: int = 48) -> list[SeenFrame]:
    """A face that sways by pixels and approaches by a share of its size, in a noisy room at rest."""
    rng = np.random.default_rng(1)
    room = texture(seed=1)[:320, :240, 0].astype(np.float32)
    face = texture(seed=2)[:_HEIGHT, :_WIDTH, 0].astype(np.float32)
    frames = []
    for number in range(count):
        x, y = 120 + round(sway * np.sin(number / 3)), 150
        size = 1 + approach * number / count
        width, height = (2 * round(side * size / 2) for side in (_WIDTH, _HEIGHT))
        luma = room.copy()
        luma[y - height // 2 : y + height // 2, x - width // 2 : x + width // 2] = cv2.resize(
            face, (width, height)
        )
        noisy = np.clip(luma + rng.normal(0, 2, luma.shape), 0, 255).astype(np.float32)
        extent = FaceExtent(float(x), float(y), float(width), float(height))
        frames.append(SeenFrame(number, noisy, extent, number % 4 == 0))
    return frames


def images_of(frames: list[SeenFrame]) -> list[BgrImage]:
    """The frames' images before they were encoded."""
    return [np.repeat(frame.luma.astype(np.uint8)[..., np.newaxis], 3, axis=2) for frame in frames]
