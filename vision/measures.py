"""Fast measurements of one face's pixels: sharpness and light.

They serve live feedback and the explainable signals, and take about half a millisecond each. They
are normalised so that one threshold is valid for every camera resolution.
"""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from vision.face import BgrImage, Box

_SHARPNESS_SIDE = 128
_LIGHT_SIDE = 64
_DARK = 30
_SATURATED = 250


@dataclass(frozen=True, slots=True)
class Luminance:
    """The light on a face, from 8-bit luma (ITU-R BT.601 weights, gamma-encoded as stored).

    Attributes:
        mean: Mean luma, 0..255.
        contrast: Standard deviation of luma, 0..128.
        dark_fraction: Share of pixels with luma below 30, 0..1.
        saturated_fraction: Share of pixels with any channel at 250 or more, 0..1.
    """

    mean: float
    contrast: float
    dark_fraction: float
    saturated_fraction: float


@dataclass(frozen=True, slots=True)
class FaceMeasures:
    """Sharpness and light of one face.

    Attributes:
        sharpness: Variance of the Laplacian over the face; 0 for a flat or empty region. The face is first
            resized to 128 x 128, so that the same face gives about the same value from any camera that
            resolves at least that. A small face that is enlarged measures as blurred. Source: J. L.
            Pech-Pacheco et al., "Diatom autofocusing in brightfield microscopy", ICPR 2000.
        luminance: All zero, and entirely dark, for a region outside the image.
    """

    sharpness: float
    luminance: Luminance


_NOTHING_SEEN = Luminance(0.0, 0.0, 1.0, 0.0)


def face_measures(image: BgrImage, box: Box) -> FaceMeasures:
    """Return sharpness and luminance of a face. Both together cost little more than one of them.

    Resizing the face costs most, and is done once.

    The part of ``box`` outside the image is ignored.
    """
    face = _inside(image, box)
    if face is None:
        return FaceMeasures(sharpness=0.0, luminance=_NOTHING_SEEN)
    fitted = _fit(face, _SHARPNESS_SIDE)
    return FaceMeasures(sharpness=_laplacian_variance(fitted), luminance=_light_of(_fit(fitted, _LIGHT_SIDE)))


def _laplacian_variance(fitted: BgrImage) -> float:
    grey = cv2.cvtColor(fitted, cv2.COLOR_BGR2GRAY)
    return float(cv2.Laplacian(grey, cv2.CV_32F).var())


def _light_of(small: BgrImage) -> Luminance:
    grey = cv2.cvtColor(small, cv2.COLOR_BGR2GRAY)
    return Luminance(
        mean=float(grey.mean()),
        contrast=float(grey.std()),
        dark_fraction=float((grey < _DARK).mean()),
        saturated_fraction=float((small.max(axis=2) >= _SATURATED).mean()),
    )


def _inside(image: BgrImage, box: Box) -> BgrImage | None:
    height, width = image.shape[:2]
    left, right = round(max(0.0, box.left)), round(min(float(width), box.right))
    top, bottom = round(max(0.0, box.top)), round(min(float(height), box.bottom))
    if right - left < 1 or bottom - top < 1:
        return None
    return image[top:bottom, left:right]


def _fit(face: BgrImage, side: int) -> NDArray[np.uint8]:
    shrinks = face.shape[0] > side and face.shape[1] > side
    interpolation = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
    return cv2.resize(face, (side, side), interpolation=interpolation).astype(np.uint8, copy=False)
