"""Cuts a person out of a photo: a soft mask, and colours without the old background."""

import cv2
import numpy as np
from numpy.typing import NDArray

from vision.face import BgrImage, Points

__all__ = ["person_mask", "spread_inside_colours"]

_WORK_WIDTH = 200
_ITERATIONS = 4
_GRABCUT_SEED = 1
_SPREAD_SCALE = 1 / 3
_SURE = 0.92
_NO_RECTANGLE = (0, 0, 1, 1)  # GrabCut ignores it when it starts from a mask


def person_mask(image: BgrImage, landmarks: Points) -> NDArray[np.float32]:
    """Return how far each pixel belongs to the person, 0..1, shape (height, width).

    GrabCut (Rother et al. 2004) runs on a small copy, from the head and shoulders that the landmarks
    suggest. The part connected to the face is kept, holes are filled, and the edge is softened.

    Args:
        image: Upright photo, the eyes about level.
        landmarks: Shape (68, 2), pixels.
    """
    height, width = image.shape[:2]
    scale = _WORK_WIDTH / width
    small = cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    labels = _first_guess(small.shape[:2], landmarks.astype(np.float64) * scale)
    cv2.setRNGSeed(_GRABCUT_SEED)
    background, foreground = np.zeros((1, 65)), np.zeros((1, 65))
    cv2.grabCut(small, labels, _NO_RECTANGLE, background, foreground, _ITERATIONS, cv2.GC_INIT_WITH_MASK)
    person = np.isin(labels, (cv2.GC_FGD, cv2.GC_PR_FGD)).astype(np.uint8)
    person = _tidy(person, landmarks * scale)
    soft = cv2.GaussianBlur(person.astype(np.float32), (0, 0), 1.6)
    large = cv2.resize(soft, (width, height), interpolation=cv2.INTER_CUBIC)
    # Moves the soft edge inwards: losing some hair is better than a halo of the old background.
    edge = np.clip((large - 0.45) / 0.4, 0, 1)
    return np.asarray(edge * edge * (3 - 2 * edge), dtype=np.float32)


def spread_inside_colours(image: BgrImage, mask: NDArray[np.float32]) -> BgrImage:
    """Return ``image`` with the person's colours continued beyond the person's edge."""
    # Where hair may be: twice as wide as the face, from well above the brows down to the shoulders.
    # GrabCut needs some sure background, however large the head is.
    height, width = mask.shape
    small = (max(1, round(width * _SPREAD_SCALE)), max(1, round(height * _SPREAD_SCALE)))
    inside = cv2.resize((mask > _SURE).astype(np.float32), small, interpolation=cv2.INTER_AREA)
    inside = np.asarray(inside > _SURE, dtype=np.float32)
    colours = cv2.resize(image, small, interpolation=cv2.INTER_AREA).astype(np.float32) * inside[..., None]
    filled, weight = np.zeros_like(colours), np.zeros_like(inside)
    for sigma in (1.0, 2.5, 7.0, 20.0):
        near = cv2.GaussianBlur(inside, (0, 0), sigma)
        blurred = cv2.GaussianBlur(colours, (0, 0), sigma) / np.maximum(near, 1e-4)[..., None]
        use = np.clip(near / 0.05, 0, 1) * (1 - weight)
        filled += blurred * use[..., None]
        weight += use
    filled /= np.maximum(weight, 1e-4)[..., None]
    spread = cv2.resize(filled, (width, height), interpolation=cv2.INTER_LINEAR)
    sure = (mask > _SURE).astype(np.float32)
    keep = (cv2.GaussianBlur(sure, (0, 0), 0.8) * sure)[..., None]
    return np.asarray(np.clip(image * keep + spread * (1 - keep), 0, 255), dtype=np.uint8)


def _first_guess(shape: tuple[int, ...], points: NDArray[np.float64]) -> NDArray[np.uint8]:
    height, width = shape[:2]
    eyes = points[36:48].mean(axis=0)
    chin = points[8]
    face_width = float(np.linalg.norm(points[16] - points[0]))
    face_height = float(chin[1] - eyes[1])
    labels = np.full((height, width), cv2.GC_BGD, np.uint8)
    middle_x = float(points[:, 0].mean())
    # Where hair may be: twice as wide as the face, from well above the brows down to the shoulders.
    _ellipse(
        labels,
        (middle_x, eyes[1] - 0.05 * face_height),
        (1.05 * face_width, 1.75 * face_height),
        cv2.GC_PR_BGD,
    )
    shoulders = np.array(
        [
            (middle_x - 0.45 * face_width, chin[1] - 0.1 * face_height),
            (middle_x + 0.45 * face_width, chin[1] - 0.1 * face_height),
            (middle_x + 2.0 * face_width, chin[1] + 1.2 * face_height),
            (middle_x + 2.0 * face_width, height + 5),
            (middle_x - 2.0 * face_width, height + 5),
            (middle_x - 2.0 * face_width, chin[1] + 1.2 * face_height),
        ]
    )
    cv2.fillPoly(labels, [np.round(shoulders).astype(np.int32)], cv2.GC_PR_BGD)
    trunk = shoulders * (1, 1) + 0.0
    trunk[:, 0] = middle_x + 0.62 * (trunk[:, 0] - middle_x)
    cv2.fillPoly(labels, [np.round(trunk).astype(np.int32)], cv2.GC_PR_FGD)
    _ellipse(
        labels,
        (middle_x, eyes[1] - 0.1 * face_height),
        (0.62 * face_width, 1.15 * face_height),
        cv2.GC_PR_FGD,
    )
    # GrabCut needs some sure background, however large the head is.
    labels[:2, :] = cv2.GC_BGD
    hull = cv2.convexHull(np.vstack([points, points[17:27] - (0, 0.35 * face_height)]).astype(np.float32))
    cv2.fillConvexPoly(labels, np.round(hull).astype(np.int32), cv2.GC_FGD)
    neck = np.array(
        [
            points[5],
            points[11],
            (points[10][0], chin[1] + 0.5 * face_height),
            (points[6][0], chin[1] + 0.5 * face_height),
        ]
    )
    cv2.fillPoly(labels, [np.round(neck).astype(np.int32)], cv2.GC_FGD)
    return labels


def _ellipse(
    labels: NDArray[np.uint8], centre: tuple[float, float], radii: tuple[float, float], value: int
) -> None:
    where = (round(centre[0]), round(centre[1]))
    cv2.ellipse(labels, where, (round(radii[0]), round(radii[1])), 0, 0, 360, value, -1)


def _tidy(person: NDArray[np.uint8], points: Points) -> NDArray[np.uint8]:
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (5, 5))
    opened = cv2.morphologyEx(person, cv2.MORPH_OPEN, kernel)
    _, parts = cv2.connectedComponents(opened)
    nose_x, nose_y = np.round(points[30]).astype(int)
    height, width = person.shape
    part = parts[np.clip(nose_y, 0, height - 1), np.clip(nose_x, 0, width - 1)]
    kept = (parts == part).astype(np.uint8)
    closed = cv2.morphologyEx(kept, cv2.MORPH_CLOSE, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (9, 9)))
    # Where hair may be: twice as wide as the face, from well above the brows down to the shoulders.
    # GrabCut needs some sure background, however large the head is.
    # Pixels that the outside cannot reach from the top corners are a hole in the person.
    flooded = np.zeros((height + 2, width + 2), np.uint8)
    flooded[1:-1, 1:-1] = closed
    flooded[-1, :] = 1
    cv2.floodFill(flooded, None, (0, 0), 2)
    result: NDArray[np.uint8] = (flooded[1:-1, 1:-1] != 2).astype(np.uint8)
    return result
