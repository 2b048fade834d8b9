"""Colours that distinguish a mask from a mouth."""

import math
from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from vision.face import BgrImage

MOUTH_AREA: Final = (238, 355, 378, 445)
"""Left, top, right and bottom of the area that the template covers, in the aligned image of
``FIVE_ALIGNED``."""
MOUTH_SIZE: Final = (28, 18)
"""Width and height of the template, pixels."""

# The left halves of two means over 1,400 colour photos (MediaPipe's landmarks; yaw below 20 degrees), each
# without brightness and contrast, made symmetric: one byte per pixel, 128 for the mean. The first is L* of
# CIELAB, the second a* - b*/2, the redness of lips.
_GREY: Final = (
    "dfd3cacbd0ccaf8156464e5b6970",
    "ccc6c7ced6d3bf9b715953555a5f",
    "bbbbc1c9d0cdbea68873665d595a",
    "afb1b7bcbebdb1a08e80756d6562",
    "a3a3a3a4a2a39d938d8885827a76",
    "97908b87868989898988898d8e8d",
    "8778695f5d636d717070737a8184",
    "7d6346332f39454b4c4f555f696e",
    "7b5d361301091b2b3947525e696b",
    "7d63412107041731485c6a757c77",
    "816d5d574f474a586d80909c9e98",
    "847a7a81817b74737a8695a0a4a0",
    "82838f999b948a8482838a90928f",
    "7e85939fa39d938a827e7d7c7975",
    "7c84919ca3a19a8e80756c645b57",
    "79838e98a1a29e96897b6d635b58",
    "747f8b959fa4a6a39c92867c746f",
    "6d7986929ea8afb1afa9a19a918d",
)
_RED: Final = (
    "8d8f8e8b898a909696938f8e9094",
    "8685837f7d7d7e807f7e7c7d8286",
    "7b78746f6d6b6a6967686a6f7479",
    "6e6a65605f5c5c5b5d60656a7074",
    "605b56535253565a616972797e82",
    "544f4b4b4f545c6875818c94989c",
    "4d4a4a4e56606f80929eabb4bbbe",
    "48484f5762708395a5b0bdc5cdd1",
    "464a5663727d8d9babb6c3cacfd4",
    "464b58677c8a97a4b2bfcad1d6db",
    "464c5564798da2b3c7d6e2e8ecef",
    "454a515c6e839eb8d3e6f4fbfeff",
    "44484d5564758da7c4daedf6fcfe",
    "43464b525c697c91aac0d1dbe4e8",
    "4043484e555e6b7c8fa0afb8bec2",
    "3e40454a5057606d7a8892989ea0",
    "3a3e42464c5058616b747d82878a",
    "37393c42484c545c646b73787d81",
)


def _template(rows: tuple[str, ...]) -> NDArray[np.float64]:
    left = np.frombuffer(bytes.fromhex("".join(rows)), dtype=np.uint8).astype(np.float64)
    left = left.reshape(MOUTH_SIZE[1], MOUTH_SIZE[0] // 2)
    whole = np.concatenate([left, left[:, ::-1]], axis=1)
    centred: NDArray[np.float64] = whole - whole.mean()
    centred /= np.linalg.norm(centred)
    centred.setflags(write=False)
    return centred


GREY_MOUTH: Final = _template(_GREY)
RED_MOUTH: Final = _template(_RED)
"""Shape (18, 28), mean 0, length 1."""

PART: Final = (200, 248, 416, 480)
"""Left, top, right and bottom of the measured part, in the aligned image of ``FIVE_ALIGNED``."""
_REDUCTION: Final = 2
PART_SIZE: Final = ((PART[2] - PART[0]) // _REDUCTION, (PART[3] - PART[1]) // _REDUCTION)
"""Width and height to which the part is reduced, pixels."""
# Left, top, right and bottom in the aligned face. A mask covers all but ``_UPPER_FACE``.
_UPPER_FACE: Final = ((285, 250, 331, 310), (225, 296, 265, 316), (350, 296, 390, 316))
_LEFT_CHEEK: Final = (205, 375, 240, 430)
_RIGHT_CHEEK: Final = (376, 375, 411, 430)
_CHIN: Final = (235, 440, 381, 475)
_MOUTH: Final = (268, 388, 348, 418)
_LEAST_CHROMA: Final = 6.0
COEFFICIENTS: Final = (-4.53, -0.863, 0.284, 0.126)
"""Offset, then a slope for each of ``MouthColours.features``; fitted by
``python -m research.portrait_measures --part mouth``, tag studies-1.0."""
_LIPS_RANGE: Final = (-10.0, 30.0)
_CHEEK_RANGE: Final = (0.0, 30.0)
_SKIN_RANGE: Final = (20.0, 80.0)


@dataclass(frozen=True, slots=True)
class MouthColours:
    """The colours of a face, in CIELAB, that distinguish a mask from a mouth.

    Attributes:
        lips: How much redder and less yellow the lips are than cheeks and chin: a* - b*/2, the mouth's 85th
            percentile; -10..30.
        cheek: Distance in a* and b* of the more similar lower cheek from the skin above a mask; 0..30.
        skin: L* of the skin above a mask, 20..80, because dim or dark skin shows less colour.
    """

    lips: float
    cheek: float
    skin: float

    @property
    def features(self) -> tuple[float, float, float]:
        """In the order of ``COEFFICIENTS``."""
        return self.lips, self.cheek, self.skin


def colours_of_mouth(part: BgrImage, *, least_chroma: float = _LEAST_CHROMA) -> MouthColours | None:
    """Measure the colours of one face.

    Args:
        part: The part ``PART`` of the aligned face, reduced to ``PART_SIZE``.
        least_chroma: Least chroma of the skin above a mask, in CIELAB.

    Returns:
        The colours; None if the face has too little colour to distinguish lips from a mask.
    """
    small = part.astype(np.float32) / np.float32(255)
    colours = np.asarray(cv2.cvtColor(small, cv2.COLOR_BGR2LAB), dtype=np.float32)
    upper = np.median(np.concatenate([_pixels(colours, box) for box in _UPPER_FACE]), axis=0)
    if math.hypot(upper[1], upper[2]) < least_chroma:
        return None
    cheeks = [np.median(_pixels(colours, box), axis=0) for box in (_LEFT_CHEEK, _RIGHT_CHEEK)]
    chin = np.median(_pixels(colours, _CHIN), axis=0)
    around = np.median([*cheeks, chin], axis=0)
    mouth = _pixels(colours, _MOUTH)
    lips = float(np.percentile(_redness(mouth), 85) - _redness(around))
    cheek = min(math.hypot(*(colour - upper)[1:]) for colour in cheeks)
    return MouthColours(
        lips=float(np.clip(lips, *_LIPS_RANGE)),
        cheek=float(np.clip(cheek, *_CHEEK_RANGE)),
        skin=float(np.clip(upper[0], *_SKIN_RANGE)),
    )


def covered_evidence(colours: MouthColours) -> float:
    """Return the log odds that something covers the mouth, given as many covered as bare ones."""
    offset, *slopes = COEFFICIENTS
    return offset + sum(slope * value for slope, value in zip(slopes, colours.features, strict=True))


def _pixels(colours: NDArray[np.float32], box: tuple[int, int, int, int]) -> NDArray[np.float32]:
    left, top, right, bottom = box
    rows = slice((top - PART[1]) // _REDUCTION, (bottom - PART[1]) // _REDUCTION)
    columns = slice((left - PART[0]) // _REDUCTION, (right - PART[0]) // _REDUCTION)
    return colours[rows, columns].reshape(-1, 3)


def _redness(colours: NDArray[np.float32]) -> NDArray[np.float32]:
    return np.asarray(colours[..., 1] - colours[..., 2] / 2, dtype=np.float32)
