"""Degrades photos like the portraits in identity documents, to measure how well selfies match these.

A photo is first cut and scaled as a portrait of 35 x 45 mm at 300 dpi, with upright eyes (ISO/IEC
19794-5, token image; ICAO Doc 9303-9). Then one degradation is applied. Each is deterministic: its noise
depends on the portrait's pixels only. The strengths are assumptions, not measurements of documents,
except for the size of the JPEG 2000 file. A lower resolution of the source, or the years between two
photos of a person, cannot be simulated.
"""

import zlib
from collections.abc import Callable, Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from vision.face import BgrImage, DetectedFace

__all__ = ["PORTRAIT_SIZE", "Degradation", "degraded_portrait", "portrait_of"]

PORTRAIT_SIZE: Final = (413, 531)
"""Width and height in pixels: 35 x 45 mm at 300 dpi."""

_EYES_APART: Final = 100.0
_EYES_AT: Final = (206.0, 239.0)
_CHIP_BYTES: Final = 15_000


class Degradation(StrEnum):
    """A way in which a document degrades its portrait."""

    CROP = "crop"
    """Cut and scaled only: the part of the others that is due to the cut."""
    JP2 = "jp2-15kb"
    """JPEG 2000 of at most 15 kB, as in the chip of a passport."""
    SCAN = "scan-300dpi"
    """Printed with dots and background lines, slightly turned, scanned at 300 dpi, JPEG."""
    GREY = "grey"
    """Without colour."""
    FADED = "faded"
    """An old print: less contrast and colour, and the resolution of half the pixels."""


def portrait_of(image: BgrImage, face: DetectedFace) -> BgrImage:
    """Return a photo cut, turned and scaled as a portrait of ``PORTRAIT_SIZE``.

    Args:
        image: The photo.
        face: The face in it. Beyond the photo, its edge is repeated.
    """
    left, right = face.five_points[:2].astype(np.float64)
    across = right - left
    scale = _EYES_APART / max(float(np.hypot(*across)), 1.0)
    cosine, sine = scale * across / max(float(np.hypot(*across)), 1.0)
    turn = np.array([[cosine, sine], [-sine, cosine]])
    shift = np.array(_EYES_AT) - turn @ ((left + right) / 2)
    matrix = np.column_stack([turn, shift])
    # An affine map does not average the pixels that it joins.
    interpolation = cv2.INTER_CUBIC if scale >= 1.0 else cv2.INTER_AREA
    if scale < 1.0:
        image = _u8(cv2.GaussianBlur(image, (0, 0), 0.5 / scale))
    return _u8(
        cv2.warpAffine(image, matrix, PORTRAIT_SIZE, flags=interpolation, borderMode=cv2.BORDER_REPLICATE)
    )


def degraded_portrait(portrait: BgrImage, degradation: Degradation) -> BgrImage:
    """Return a degraded copy of a portrait, of the same size.

    Args:
        portrait: Result of ``portrait_of``.
        degradation: The kind of degradation.
    """
    return _DEGRADE[degradation](portrait)


def _jpeg_2000(portrait: BgrImage) -> BgrImage:
    share = 1000 * _CHIP_BYTES // portrait.size
    while True:
        _, data = cv2.imencode(".jp2", portrait, [cv2.IMWRITE_JPEG2000_COMPRESSION_X1000, share])
        if data.size <= _CHIP_BYTES or share <= 1:
            return _u8(cv2.imdecode(data, cv2.IMREAD_COLOR))
        share -= 1


def _printed_and_scanned(portrait: BgrImage) -> BgrImage:
    rng = _rng(portrait)
    height, width = portrait.shape[:2]
    y, x = np.mgrid[0:height, 0:width].astype(np.float64)
    # The print: narrower tones, spread ink, dots, and the lines of the security background.
    ink = 28.0 + 0.80 * _smooth(portrait.astype(np.float64), 0.8)
    dots = cv2.GaussianBlur(rng.normal(scale=14.0, size=(height, width)), (0, 0), 0.7)
    lines = 4.0 * np.sin(0.55 * y + 9.0 * np.sin(x / 45.0 + rng.uniform(0.0, 6.0)))
    printed = ink + (dots + lines)[..., None]
    # The scan: turned a little, blurred by the optics, with the sensor's noise.
    turn = cv2.getRotationMatrix2D((width / 2, height / 2), rng.uniform(-1.5, 1.5), 1.0)
    turned = np.asarray(
        cv2.warpAffine(printed, turn, (width, height), borderMode=cv2.BORDER_REPLICATE), np.float64
    )
    scanned = _smooth(turned, 0.8) + rng.normal(scale=3.0, size=portrait.shape)
    _, data = cv2.imencode(".jpg", _rounded(scanned), [cv2.IMWRITE_JPEG_QUALITY, 80])
    return _u8(cv2.imdecode(data, cv2.IMREAD_COLOR))


def _grey(portrait: BgrImage) -> BgrImage:
    return _u8(cv2.cvtColor(cv2.cvtColor(portrait, cv2.COLOR_BGR2GRAY), cv2.COLOR_GRAY2BGR))


def _faded(portrait: BgrImage) -> BgrImage:
    width, height = PORTRAIT_SIZE
    small = cv2.resize(portrait, (width // 2, height // 2), interpolation=cv2.INTER_AREA)
    soft = cv2.resize(small, PORTRAIT_SIZE, interpolation=cv2.INTER_LINEAR).astype(np.float64)
    pale = 0.5 * soft + 0.5 * soft.mean(axis=2, keepdims=True)
    yellowed = np.array([62.0, 78.0, 84.0]) + 0.55 * pale
    return _rounded(yellowed + _rng(portrait).normal(scale=4.0, size=portrait.shape))


_DEGRADE: Final[Mapping[Degradation, Callable[[BgrImage], BgrImage]]] = MappingProxyType(
    {
        Degradation.CROP: lambda portrait: portrait,
        Degradation.JP2: _jpeg_2000,
        Degradation.SCAN: _printed_and_scanned,
        Degradation.GREY: _grey,
        Degradation.FADED: _faded,
    }
)


def _rng(portrait: BgrImage) -> np.random.Generator:
    return np.random.default_rng(zlib.crc32(np.ascontiguousarray(portrait).tobytes()))


def _smooth(pixels: NDArray[np.float64], deviation: float) -> NDArray[np.float64]:
    return np.asarray(cv2.GaussianBlur(pixels, (0, 0), deviation), np.float64)


def _rounded(pixels: NDArray[np.float64]) -> BgrImage:
    return np.clip(np.rint(pixels), 0, 255).astype(np.uint8)


def _u8(pixels: object) -> BgrImage:
    return np.asarray(pixels, np.uint8)
