"""The measures of detail: whether focus, motion or lossy coding has taken it from the face.

The figures are of ``python -m research.portrait_measures``, tag studies-1.0.
"""

from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from formats.image_format import ImageFormat
from formats.image_header import detect_format
from formats.jpeg import SOF, header_segments
from matcher.conformance.face_region import AlignedFace, FaceCrop, face_crop
from matcher.conformance.interface import (
    Assessment,
    PortraitView,
    assessed,
    not_assessed,
    of_aligned_face,
    sigmoid_score,
)
from vision.face import BgrImage

_DQT: Final = 0xDB
_COEFFICIENTS: Final = 64


def mean_luma_step(encoded: bytes) -> float | None:
    """Return the geometric mean of the 64 quantiser steps of the first component, the luma.

    Source: ITU-T T.81, annex B. The unscaled Annex K table (libjpeg's quality 50) gives 45.3.

    Args:
        encoded: The file. Hostile bytes cost a bounded number of steps and cause no exception.

    Returns:
        1 (finest) to 65535; None if the file is not a JPEG, or its tables are missing or damaged.
    """
    tables: dict[int, float] = {}
    wanted: int | None = None
    for segment in header_segments(encoded):
        if segment.marker == _DQT:
            tables.update(_tables(segment.body))
        elif segment.marker in SOF and len(segment.body) >= 9:
            # 6 bytes of the frame, then 3 of each component, of which the last names its table.
            wanted = segment.body[8]
    return None if wanted is None else tables.get(wanted)


def _tables(segment: bytes) -> dict[int, float]:
    found: dict[int, float] = {}
    position = 0
    while position < len(segment):
        precision, identifier = segment[position] >> 4, segment[position] & 0x0F
        size = _COEFFICIENTS * (2 if precision else 1)
        steps = segment[position + 1 : position + 1 + size]
        if len(steps) < size:
            break
        values = np.frombuffer(steps, dtype=">u2" if precision else np.uint8).astype(np.float64)
        found[identifier] = float(np.exp(np.log(np.maximum(values, 1.0)).mean()))
        position += 1 + size
    return found


_FACE_OUTSIDE: Final = "the face lies outside the image"
_NOISE_BLUR: Final = 0.7
"""Standard deviation of the Gaussian that removes the sensor's noise, pixels."""
_TEST_BLUR: Final = 2.0
"""Standard deviation of the Gaussian with the measured effect, pixels."""
_FLOOR: Final = 16.0
"""Energy of the gradients that rounding to whole grey levels causes, per pixel (Scharr weights)."""
_EVERY: Final = 2
"""Step of the rows and columns that the statistics use."""

# Printed by ``--part compression``: 39 photos were reduced until their own compression was gone (eyes 90, 105
# and 120 pixels apart), and then compressed. The mean structural similarity (Z. Wang et al., IEEE TIP 13(4),
# 2004) of the middle of the aligned face to the uncompressed one.
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


@of_aligned_face
def sharpness(portrait: PortraitView, aligned: AlignedFace) -> Assessment:
    """Measure the share of the gradients' energy that a further blur removes; large if the face is sharp.

    An approximation: the standard's measure is a random forest over Laplacian, Sobel and mean-difference
    features, which no pack has. This measure follows F. Crete et al., "The blur effect", SPIE 6492, 2007:
    a blurred image changes little if it is blurred again. The face is first reduced until its eyes are 113
    pixels apart (a smaller face is not changed). The stronger half of its gradients counts, in the direction
    that loses the least energy, so that sharpness in one direction does not hide motion in another.

    Sharp faces measure about 0.45. The score is 50 at 0.27, which a Gaussian blur with a standard deviation
    of 1.6 of these pixels causes, or a movement of 7. Of 135 photos (eyes at least 113 pixels apart before
    they were reduced), the unchanged ones, and those blurred by 0.8 pixels, measure more than those blurred
    by 2 to 4 pixels in 98% of all pairs, and more than those moved by 7 or 11 pixels in 93%, with sensor
    noise of up to 4 grey levels. Some of the photos were not sharp originally.
    """
    crop = face_crop(portrait.image, aligned)
    if crop is None:
        return not_assessed(_FACE_OUTSIDE)
    lost = _energy_lost(*_reduced(crop, aligned))
    return assessed(lost, score=sigmoid_score(lost, x0=0.27, w=0.05))


@of_aligned_face
def compression_artifacts(portrait: PortraitView, aligned: AlignedFace) -> Assessment:
    """Estimate the structural similarity of the face to the face before compression, 0 to 1.

    An approximation: the standard estimates the similarity with a network, which no pack has. Here it is the
    lower of two estimates: from the file (the quantiser tables of a JPEG, the bits per pixel of a JPEG
    2000) and from the image (steps at the borders of 8 x 8 blocks, at any of the eight positions, so that
    a PNG or a finer JPEG made from a coarse JPEG is detected). An image that was compressed and then
    resized has no blocks and is not detected. The mapping to the score is Facegate's own: 50 at 0.93, which
    is libjpeg's quality 19 or 0.4 bits per pixel of JPEG 2000.

    The error was measured on 39 photos in three sizes. They were divided into 24 and 15, and each part was
    measured with tables made from the other. The mean error of the estimate from the file is 0.004 at
    libjpeg's quality 92, 0.015 at 45 and 0.024 at 12; from the blocks it is 0.009, 0.023 and 0.051. For JPEG
    2000 it is 0.011 at 2 bits per pixel and 0.040 at 0.1.
    """
    crop = face_crop(portrait.image, aligned)
    if crop is None:
        return not_assessed(_FACE_OUTSIDE)
    height, width = portrait.image.shape[:2]
    similarity = min(_from_file(portrait.encoded, pixels=width * height), _from_blocks(crop.pixels))
    return assessed(similarity, score=103 * sigmoid_score(similarity, x0=0.93, w=0.02) / 100)


def _reduced(crop: FaceCrop, aligned: AlignedFace) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Return the crop in grey, at the size at which it is measured, and the mask of the face in it."""
    pixels, reduction = crop.pixels, crop.reduction
    # Halving is many times faster than any other reduction and comes first; an odd last row is dropped.
    while reduction <= 1 / 2 and min(pixels.shape[:2]) >= 2:
        size = (pixels.shape[1] // 2, pixels.shape[0] // 2)
        even = pixels[: 2 * size[1], : 2 * size[0]]
        pixels = cv2.resize(even, size, interpolation=cv2.INTER_AREA).astype(np.uint8, copy=False)
        reduction *= 2
    grey = cv2.cvtColor(pixels, cv2.COLOR_BGR2GRAY)
    if reduction < 1:
        size = (max(1, round(grey.shape[1] * reduction)), max(1, round(grey.shape[0] * reduction)))
        grey = cv2.resize(grey, size, interpolation=cv2.INTER_AREA)
    # Maps the reduced crop's pixels to the aligned image; warpAffine inverts it to sample the mask.
    across, down = crop.pixels.shape[1] / grey.shape[1], crop.pixels.shape[0] / grey.shape[0]
    to_aligned = aligned.transform @ np.array([[across, 0, crop.left], [0, down, crop.top], [0, 0, 1]])
    size = (grey.shape[1], grey.shape[0])
    mask = cv2.warpAffine(aligned.mask, to_aligned, size, flags=cv2.INTER_NEAREST | cv2.WARP_INVERSE_MAP)
    return grey.astype(np.uint8, copy=False), mask.astype(np.uint8, copy=False)


def _energy_lost(grey: NDArray[np.uint8], mask: NDArray[np.uint8]) -> float:
    seen = _blurred(grey.astype(np.float32), _NOISE_BLUR)
    inside = mask[::_EVERY, ::_EVERY] > 0
    before = _gradients(seen, inside)
    after = _gradients(_blurred(seen, _TEST_BLUR), inside)
    if after.shape[1] == 0:
        return 0.0
    energy = (after * after).sum(axis=0)
    strong = energy >= np.median(energy)
    before, after = before[:, strong], after[:, strong]
    # In direction d the energy is d' G G' d; the largest ratio of after to before is an eigenvalue.
    had = np.asarray(before @ before.T, dtype=np.float64) / before.shape[1] + _FLOOR * np.eye(2)
    kept = np.asarray(after @ after.T, dtype=np.float64) / after.shape[1]
    ratio = float(np.linalg.eigvals(np.linalg.solve(had, kept)).real.max())
    # A face without gradients is not sharp, regardless of the share that rounding removes.
    return min(1.0, max(0.0, 1 - ratio)) if float(np.trace(kept)) > _FLOOR else 0.0


def _blurred(grey: NDArray[np.float32], deviation: float) -> NDArray[np.float32]:
    return cv2.GaussianBlur(grey, (0, 0), deviation).astype(np.float32, copy=False)


def _gradients(grey: NDArray[np.float32], inside: NDArray[np.bool_]) -> NDArray[np.float32]:
    """Return the gradients across and down, of every second pixel that is inside; shape (2, n)."""
    across = cv2.Scharr(grey, cv2.CV_32F, 1, 0)[::_EVERY, ::_EVERY][inside]
    down = cv2.Scharr(grey, cv2.CV_32F, 0, 1)[::_EVERY, ::_EVERY][inside]
    return np.stack([across, down]).astype(np.float32, copy=False)


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
