"""Compression artefacts: whether lossy coding has left visible marks on the face."""

from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from formats.image_format import ImageFormat
from formats.image_header import detect_format
from matcher.conformance.face_crop import face_crop
from matcher.conformance.face_region import NO_ALIGNED_FACE
from matcher.conformance.interface import (
    Assessment,
    Component,
    Method,
    PortraitView,
    assessed,
    not_assessed,
)
from matcher.conformance.jpeg_tables import mean_luma_step
from matcher.conformance.scoring import sigmoid_score
from vision.face import BgrImage

__all__ = ["UNBLOCKED", "CompressionArtifacts", "blockiness"]

# Printed by ``python -m research.portrait_measures --part compression``: 39 photos were reduced until
# their own compression was gone (eyes 90, 105 and 120 pixels apart), and then compressed. The mean structural
# similarity (Z. Wang et al., IEEE TIP 13(4), 2004) of the middle of the aligned face to the uncompressed one.
# JPEG of libjpeg's qualities 100, 97, 92, 85, 75, 60, 45, 30, 20, 12 and 6, 4:2:0; JPEG 2000 irreversible.
_SIMILARITY: Final = (0.998, 0.996, 0.991, 0.986, 0.980, 0.972, 0.964, 0.952, 0.935, 0.902, 0.831)
_LUMA_STEPS: Final = (1.0, 2.7, 7.4, 13.6, 22.9, 36.3, 50.2, 75.2, 112.2, 159.7, 210.2)
_BLOCKINESS: Final = (0.021, 0.023, 0.062, 0.139, 0.233, 0.358, 0.470, 0.649, 0.865, 1.226, 1.768)
_BITS_PER_PIXEL: Final = (0.051, 0.101, 0.2, 0.3, 0.499, 0.998, 1.996, 3.99, 7.243)
_JPEG2000_SIMILARITY: Final = (0.784, 0.850, 0.899, 0.921, 0.943, 0.965, 0.982, 0.993, 0.998)
UNBLOCKED: Final = 0.1
"""Faces that were never coded in blocks measure less (all of 1170 uncompressed or JPEG 2000)."""
_BLOCK: Final = 8
_LEAST_BLOCKS: Final = 5
_LONGEST_SIDE: Final = 320
_EDGE: Final = 16
"""Larger steps of luma are edges of the image itself and are clipped to this."""
_JPEG2000: Final = frozenset({ImageFormat.JP2, ImageFormat.J2K})


class CompressionArtifacts:
    """Estimated structural similarity of the face to the face before compression, 0 to 1.

    An approximation: the standard estimates the similarity with a network, which no pack has. Here it is the
    lower of two estimates: from the file (the quantiser tables of a JPEG, the bits per pixel of a JPEG
    2000) and from the image (steps at the borders of 8 x 8 blocks, at any of the eight positions, so that
    a PNG or a finer JPEG made from a coarse JPEG is detected). An image that was compressed and then
    resized has no blocks and is not detected. The mapping to the score is Facegate's own: 50 at 0.93, which
    is libjpeg's quality 19 or 0.4 bits per pixel of JPEG 2000.

    The error was measured on 39 photos in three sizes. They were divided into 24 and 15, and each part was
    measured with tables made from the other. The mean error of the estimate from the file is 0.004 at
    libjpeg's quality 92, 0.015 at 45 and 0.024 at 12; from the blocks it is 0.009, 0.023 and 0.051. For JPEG
    2000 it is 0.011 at 2 bits per pixel and 0.040 at 0.1. ``python -m research.portrait_measures`` measures
    it.
    """

    component: Final = Component.COMPRESSION_ARTIFACTS
    method: Final = Method.APPROXIMATION
    unit: Final = "similarity"

    def assess(self, portrait: PortraitView) -> Assessment:
        """Measures one portrait."""
        aligned = portrait.aligned
        if aligned is None:
            return not_assessed(NO_ALIGNED_FACE)
        crop = face_crop(portrait.image, aligned)
        if crop is None:
            return not_assessed("the face lies outside the image")
        height, width = portrait.image.shape[:2]
        similarity = min(_from_file(portrait.encoded, pixels=width * height), _from_blocks(crop.pixels))
        return assessed(similarity, score=103 * sigmoid_score(similarity, x0=0.93, w=0.02) / 100)


def _from_file(encoded: bytes, *, pixels: int) -> float:
    if detect_format(encoded) in _JPEG2000:
        bits = max(8 * len(encoded) / pixels, 1e-6)
        return float(np.interp(np.log(bits), np.log(_BITS_PER_PIXEL), _JPEG2000_SIMILARITY))
    step = mean_luma_step(encoded)
    return 1.0 if step is None else float(np.interp(np.log(step), np.log(_LUMA_STEPS), _SIMILARITY))


def _from_blocks(face: BgrImage) -> float:
    found = blockiness(face)
    if found is None or found < UNBLOCKED:
        return 1.0
    return float(np.interp(found, _BLOCKINESS, _SIMILARITY))


def blockiness(face: BgrImage) -> float | None:
    """Measure how much the steps between pixels at borders of 8 x 8 blocks exceed the steps elsewhere.

    Args:
        face: The face in the pixels of the original image, shape (height, width, 3), BGR; only its middle is
            measured.

    Returns:
        The excess over the mean step: about 0 without blocks, 2 with coarse blocks; None if the face has too
        few blocks.
    """
    height, width = face.shape[:2]
    if min(height, width) < _LEAST_BLOCKS * _BLOCK:
        return None
    top, left = max(0, height - _LONGEST_SIDE) // 2, max(0, width - _LONGEST_SIDE) // 2
    part = face[top : top + _LONGEST_SIDE, left : left + _LONGEST_SIDE]
    middle = cv2.cvtColor(part, cv2.COLOR_BGR2GRAY).astype(np.int16)
    return min(_excess(middle), _excess(np.ascontiguousarray(middle.T)))


def _excess(grey: NDArray[np.int16]) -> float:
    """Measure the excess of ``blockiness`` for columns only."""
    steps = np.abs(np.diff(grey, axis=1))
    # Twice the excess of a step over the mean of its left and right neighbours.
    excess = np.clip(2 * steps[:, 1:-1] - steps[:, :-2] - steps[:, 2:], -2 * _EDGE, 2 * _EDGE)
    columns = excess.mean(axis=0) / 2
    by_position = np.array([columns[position::_BLOCK].mean() for position in range(_BLOCK)])
    border = int(by_position.argmax())
    # The border lowers the excess of its neighbours.
    others = np.delete(by_position, [(border - 1) % _BLOCK, border, (border + 1) % _BLOCK])
    return float((by_position[border] - others.mean()) / (steps.mean() + 0.5))
