"""A third source of depth: a superellipsoid with the features of a face, independent of the person."""

import numpy as np
from numpy.typing import NDArray

from simulator.geometry.head_shape import HeadFit
from vision.face import Points

__all__ = ["sculpted_depth"]

# Millimetres, in the axes of head_shape: centre below the eyes and half axes. The exponent flattens the face
# and rounds its sides off more sharply than an ellipsoid, whose exponent is 2.
_CENTRE = (0.0, 20.0, -78.0)
_RADII = (76.0, 120.0, 86.0)
_EXPONENT = 2.4
# Bumps and hollows: place aside (on both sides) and below the eyes, spread across and down, height.
_FEATURES = (
    (0.0, -18.0, 38.0, 7.0, 4.0),  # brows
    (31.0, 2.0, 13.0, 9.0, -7.0),  # sockets
    (0.0, 8.0, 7.0, 14.0, 10.0),  # bridge of the nose
    (0.0, 32.0, 10.0, 8.0, 18.0),  # its tip
    (11.0, 38.0, 7.0, 6.0, 6.0),  # its wings
    (42.0, 28.0, 16.0, 14.0, 4.0),  # cheekbones
    (0.0, 63.0, 20.0, 8.0, 10.0),  # lips
    (0.0, 96.0, 18.0, 9.0, 16.0),  # chin
)
_FLOOR = -82.0


def sculpted_depth(
    landmarks: Points, fit: HeadFit, *, size: tuple[int, int], step: int
) -> NDArray[np.float32]:
    """Return the depth of a generic head over an image, towards the camera, in pixels.

    As with ``ellipsoid_depth``, a rotation of the head in the photo shifts the generic head, but does not
    rotate it.

    Args:
        landmarks: Not used; part of the signature that depth sources share.
        fit: The place and the scale of the head in the photo.
        size: Width and height of the image in pixels.
        step: Distance of the samples in pixels.
    """
    scale = fit.pixels_per_millimetre
    x, y = fit.places(size, step=step)
    inside = (
        1
        - np.abs((x - _CENTRE[0]) / _RADII[0]) ** _EXPONENT
        - np.abs((y - _CENTRE[1]) / _RADII[1]) ** _EXPONENT
    )
    head = _CENTRE[2] + _RADII[2] * np.maximum(inside, 0) ** (1 / _EXPONENT)
    for aside, below, across, down, high in _FEATURES:
        beside = (np.abs(x) - aside) / across
        head = head + high * np.exp(-(beside**2) / 2 - ((y - below) / down) ** 2 / 2)
    return np.asarray(np.maximum(head, _FLOOR) * scale, dtype=np.float32)
