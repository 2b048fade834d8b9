"""The measure of the background, which is separated from the head and its hair by colour."""

from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from matcher.conformance.face_region import AlignedFace, luminance_image
from matcher.conformance.interface import (
    Assessment,
    PortraitView,
    assessed,
    not_assessed,
    of_aligned_face,
    sigmoid_score,
)
from vision.face import BgrImage

PART_ROWS: Final = slice(0, 406)
PART_COLUMNS: Final = slice(62, 554)
"""The part of the aligned image that is measured: from above the head to the mouth."""
PART_SIZE: Final = (354, 292)
"""Width and height to which this part is reduced."""
_SCALE: Final = PART_SIZE[0] / (PART_COLUMNS.stop - PART_COLUMNS.start)
_FACTOR: Final = 8
"""Further reduction of the image in which head and background are separated."""
_SMALL: Final = (PART_SIZE[0] // _FACTOR, PART_SIZE[1] // _FACTOR)
_CENTRE: Final = (308, 275)
_HEAD: Final = (185, 225)
_FACE: Final = (125, 150)
"""Half width and half height of a head with short hair and of its face, pixels of the aligned image."""
_COMPONENTS: Final = 5
_LEAST_PIXELS: Final = 4
_SPREAD: Final = 4.0
"""Added to the variance of every colour, grey levels squared: sensor noise, so that no variance is 0."""
_LEAST_FOUND: Final = 0.25
"""If less than this share of the area beside an average head is found, hair and background have one colour,
and the shape of the average head is used."""
_LEAST_SHARE: Final = 0.02
"""Least share of background in the part for an assessment."""
_MARGIN: Final = np.ones((5, 5), dtype=np.uint8)
_SMALL_MARGIN: Final = np.ones((3, 3), dtype=np.uint8)


def _grid() -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Positions of the small image's pixels from the head's centre, in pixels of the aligned image."""
    step = _FACTOR / _SCALE
    x = PART_COLUMNS.start + (np.arange(_SMALL[0]) + 0.5) * step - _CENTRE[0]
    y = PART_ROWS.start + (np.arange(_SMALL[1]) + 0.5) * step - _CENTRE[1]
    across, down = np.meshgrid(x, y)
    return across, down


def _ellipse(half: tuple[int, int]) -> NDArray[np.bool_]:
    """Mask of an ellipse around the head's centre and the area below it, in the small image."""
    x, y = _grid()
    inside = (x / half[0]) ** 2 + (np.minimum(y, 0) / half[1]) ** 2 <= 1
    return np.asarray(inside, dtype=np.bool_)


def _labels() -> NDArray[np.uint8]:
    labels = np.where(_ellipse(_HEAD), cv2.GC_PR_FGD, cv2.GC_PR_BGD).astype(np.uint8)
    labels[_ellipse(_FACE)] = cv2.GC_FGD
    return labels


def _sectors() -> NDArray[np.int64]:
    """Return the first Gaussian of each pixel: 0..4 background, clockwise from lower left; 5..9 person."""
    x, y = _grid()
    # -1 left, 0 up, 1 right; each sector is 0.4 wide. Below the centre the outer sectors continue.
    direction = np.arctan2(x, np.maximum(-y, 0)) / (np.pi / 2)
    sector = np.clip(((direction + 1) / 2 * _COMPONENTS).astype(np.int64), 0, _COMPONENTS - 1)
    person = np.clip(((direction + 1) / 2 * (_COMPONENTS - 1)).astype(np.int64), 0, _COMPONENTS - 2)
    head, face = _ellipse(_HEAD), _ellipse(_FACE)
    return np.where(face, 2 * _COMPONENTS - 1, np.where(head, _COMPONENTS + person, sector))


_FARTHEST: Final = 1e6
"""Pixels."""

_LABELS: Final = _labels()
_SECTORS: Final = _sectors()
_BACKGROUND_REGIONS: Final = np.stack([index == _SECTORS for index in range(_COMPONENTS)])
_PERSON_REGIONS: Final = np.stack([_COMPONENTS + index == _SECTORS for index in range(_COMPONENTS)])


@of_aligned_face
def background_uniformity(portrait: PortraitView, aligned: AlignedFace) -> Assessment:
    """Measure the mean strength of the luminance gradient behind the person.

    The unit is luminance steps of a 3 x 3 Scharr filter. Source: ISO/IEC 29794-5, background uniformity, as
    in OFIQ: the aligned image from above the head to the mouth, reduced to 354 x 292, and the mapping. Only
    the area of the background is found in another way. The standard uses a face parsing network, which no
    pack has; here colour separates the background from head and hair (``background_mask``). Hair that
    reaches farther than an average head's and has the background's colour may count as background. In
    OFIQ's expected results, plain backgrounds measure 36 to 92 and busy ones 187 to 243.
    """
    reduced = cv2.resize(aligned.image[PART_ROWS, PART_COLUMNS], PART_SIZE, interpolation=cv2.INTER_LINEAR)
    part = reduced.astype(np.uint8, copy=False)
    background = background_mask(portrait.image, aligned, part=part)
    if np.count_nonzero(background) < _LEAST_SHARE * background.size:
        return not_assessed("the image shows too little of the background beside the head")
    luminance = luminance_image(part)
    across = cv2.Scharr(luminance, cv2.CV_32F, 1, 0)
    down = cv2.Scharr(luminance, cv2.CV_32F, 0, 1)
    gradient = float(cv2.mean(cv2.magnitude(across, down), mask=background)[0])
    return assessed(gradient, score=190 * (1 - sigmoid_score(gradient, x0=10.0, w=100.0) / 100))


def background_mask(portrait: BgrImage, aligned: AlignedFace, *, part: BgrImage) -> NDArray[np.uint8]:
    """Find the background beside and above the head.

    The method is one round of GrabCut (C. Rother et al., "GrabCut", ACM TOG 23(3), 2004) in an image of 44 x
    36 pixels. It starts from five Gaussians of colour for the background, of the left, upper and right
    sectors around a head of average shape, and five for the person, of the face and of the hair on its
    sides. Random clusters are not used, so that the same image always gives the same mask.

    ``part`` is ``PART_ROWS`` and ``PART_COLUMNS`` of the aligned image, reduced to ``PART_SIZE``.

    Returns:
        Shape (292, 354), uint8: 1 on the background; 0 on the person, outside the portrait, and within a few
        pixels of these.
    """
    inside = _portrait_in_part(portrait, aligned)
    small_inside = cv2.resize(cv2.erode(inside, _MARGIN), _SMALL, interpolation=cv2.INTER_NEAREST).astype(
        np.uint8
    )
    picture = _small_picture(portrait, aligned, part=part, inside=small_inside)
    background = _mixture(picture, _BACKGROUND_REGIONS & (small_inside > 0))
    person = _mixture(picture, _PERSON_REGIONS)
    labels = _LABELS.copy()
    cv2.grabCut(picture, labels, (0, 0, 0, 0), background, person, 1, cv2.GC_EVAL)
    found = ((labels == cv2.GC_BGD) | (labels == cv2.GC_PR_BGD)).astype(np.uint8) & small_inside
    beside = (_LABELS == cv2.GC_PR_BGD).astype(np.uint8) & small_inside
    if np.count_nonzero(found) < _LEAST_FOUND * np.count_nonzero(beside):
        found = beside
    # The border of the small image is not eroded, because the background continues there.
    return cv2.resize(cv2.erode(found, _SMALL_MARGIN), PART_SIZE, interpolation=cv2.INTER_NEAREST).astype(
        np.uint8, copy=False
    )


def _portrait_in_part(portrait: BgrImage, aligned: AlignedFace) -> NDArray[np.uint8]:
    """Mask of the part: 1 on pixels that the portrait covers."""
    height, width = portrait.shape[:2]
    corners = np.array([(0, 0), (width - 1, 0), (width - 1, height - 1), (0, height - 1)], dtype=np.float64)
    moved = corners @ aligned.transform[:, :2].T + aligned.transform[:, 2]
    placed = (moved - (PART_COLUMNS.start, PART_ROWS.start)) * _SCALE
    # Far corners are clipped, because only the area inside the part is drawn. If the eyes are nearly in one
    # place, the corners exceed the range of a float.
    placed = np.clip(placed, -_FARTHEST, _FARTHEST).astype(np.float32)
    right, bottom = PART_SIZE[0] + 9, PART_SIZE[1] + 9
    frame = np.array([(-9, -9), (right, -9), (right, bottom), (-9, bottom)], dtype=np.float32)
    area, shared = cv2.intersectConvexConvex(placed, frame)
    mask = np.zeros((PART_SIZE[1], PART_SIZE[0]), dtype=np.uint8)
    if area > 0:
        cv2.fillConvexPoly(mask, np.rint(shared).astype(np.int32), 1)
    return mask


def _small_picture(
    portrait: BgrImage, aligned: AlignedFace, *, part: BgrImage, inside: NDArray[np.uint8]
) -> BgrImage:
    """Reduce the part; outside the portrait, its border pixels are repeated."""
    reduced = cv2.resize(part, _SMALL, interpolation=cv2.INTER_AREA).astype(np.uint8, copy=False)
    if inside.all():
        return reduced
    scale = _SCALE / _FACTOR
    shift = np.array([[0, 0, PART_COLUMNS.start], [0, 0, PART_ROWS.start]])
    continued = cv2.warpAffine(
        portrait, scale * (aligned.transform - shift), _SMALL, borderMode=cv2.BORDER_REPLICATE
    )
    return np.where(inside[..., None] > 0, reduced, continued).astype(np.uint8)


def _mixture(picture: BgrImage, regions: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Return GrabCut's model: weights, means and covariances of five Gaussians, shape (1, 65)."""
    weights, means = np.zeros(_COMPONENTS), np.zeros((_COMPONENTS, 3))
    covariances = np.tile(np.eye(3) * _SPREAD, (_COMPONENTS, 1, 1))
    for index, region in enumerate(regions):
        pixels = picture[region].astype(np.float64)
        if len(pixels) >= _LEAST_PIXELS:
            weights[index], means[index] = len(pixels), pixels.mean(axis=0)
            around = pixels - means[index]
            covariances[index] += around.T @ around / len(pixels)
    if weights.sum() > 0:
        weights /= weights.sum()
    return np.concatenate([weights, means.ravel(), covariances.ravel()])[None].copy()
