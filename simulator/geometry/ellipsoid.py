"""A second source of depth: an ellipsoid with a nose, which uses only the place of the face."""

import numpy as np
from numpy.typing import NDArray

from simulator.geometry.head_shape import HeadFit
from vision.face import Points

__all__ = ["ellipsoid_depth"]

# Millimetres, in the axes of head_shape: centre below the eyes, half axes, and the nose as a ridge.
_CENTRE = (0.0, 22.0, -82.0)
_RADII = (80.0, 118.0, 92.0)
_NOSE_TIP = (0.0, 30.0)
_NOSE_HEIGHT = 19.0
_NOSE_WIDTH = 9.0
_NOSE_ABOVE, _NOSE_BELOW = 19.0, 7.0
_FLOOR = -82.0


def ellipsoid_depth(
    landmarks: Points, fit: HeadFit, *, size: tuple[int, int], step: int
) -> NDArray[np.float32]:
    """Return the depth of a generic ellipsoid over an image, towards the camera, in pixels.

    The rotation of the head in the photo moves the ellipsoid but does not rotate its axes, which is enough
    for photos from the front.

    Args:
        landmarks: Not used; part of the signature that depth sources share.
        fit: Gives place and scale.
        size: Width and height of the image in pixels.
        step: Distance of the samples in pixels.
    """
    scale = fit.pixels_per_millimetre
    x, y = fit.places(size, step=step)
    inside = 1 - ((x - _CENTRE[0]) / _RADII[0]) ** 2 - ((y - _CENTRE[1]) / _RADII[1]) ** 2
    head = _CENTRE[2] + _RADII[2] * np.sqrt(np.maximum(inside, 0))
    along = np.where(y < _NOSE_TIP[1], _NOSE_ABOVE, _NOSE_BELOW)
    nose = np.exp(-(((x - _NOSE_TIP[0]) / _NOSE_WIDTH) ** 2) / 2 - ((y - _NOSE_TIP[1]) / along) ** 2 / 2)
    return np.asarray(np.maximum(head + _NOSE_HEIGHT * nose, _FLOOR) * scale, dtype=np.float32)
