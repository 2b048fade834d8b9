"""Light that reaches the camera around the face: a veil over the whole frame, and a bright background.

PAD networks take a veiled face for an attack, and an attack in front of a bright background for a face
(``research/liveness_fusion/NOTES.md``).
"""

import numpy as np

from liveness.observation import FrameObservation, Samples

__all__ = ["backlight", "black_level"]

_DARKEST = 0.01
"""The share of pixels below the black level."""


def black_level(samples: Samples) -> float:
    """Returns the luma of the darkest pixels of a frame, 0..255: the first percentile.

    Light that falls into the lens, or onto a dirty one, adds grey everywhere, so that nothing is black.

    Args:
        samples: ``FrameObservation.samples``.
    """
    place = int(_DARKEST * samples.size)
    return float(np.partition(samples, place, axis=None)[place])


def backlight(frame: FrameObservation) -> float:
    """Returns how much brighter the frame is around the face than on it, as a ratio of mean lumas.

    It is 0 without a face, or if the face fills the frame.
    """
    if frame.face is None or not frame.luminance:
        return 0.0
    rows, columns = frame.samples.shape
    y = (np.arange(rows) + 0.5) * (frame.height / rows)
    x = (np.arange(columns) + 0.5) * (frame.width / columns)
    box = frame.face.box
    on_face = np.outer((y >= box.top) & (y < box.bottom), (x >= box.left) & (x < box.right))
    around = frame.samples[~on_face]
    return float(around.mean()) / frame.luminance if around.size else 0.0
