"""Recordings made into attacks: a paper mask, and clips that are injected back and forth."""

from collections.abc import Iterator
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from lab.studies.liveness_fusion.photo_attacks import FRAMES_PER_SECOND
from vision.face import BgrImage

# Renders a printed photo worn as a mask: bent around the head as around a cylinder, and turned with it.
#
# The ray of each pixel is traced to the cylinder, so that this attack shares no code with the others.

_RADIUS = 0.6
"""Radius of the head around which the mask is bent, face widths; a head is about as wide as a face."""

_HALF_ANGLE = 1.1
_HALF_HEIGHT = 0.75
_PIVOT = (0.0, 0.6, 0.75)
"""Centre of the neck's rotation, from the middle of the mask: right, down and back, face widths."""

_NOISE = 1.5
_JPEG_QUALITY = 88


@dataclass(frozen=True, slots=True, eq=False)
class WornMask:
    """A photo, the face in it as (x, y, width) in pixels, and the movement of its wearer.

    ``yaw`` and ``pitch`` are the largest turns, degrees.
    """

    photo: BgrImage
    face: tuple[float, float, float]
    background: BgrImage
    yaw: float
    pitch: float
    seed: int
    frames: int = 45


def wear(mask: WornMask) -> Iterator[tuple[float, BgrImage]]:
    """Yield capture times and frames, with a camera's noise and JPEG."""
    rng = np.random.default_rng(mask.seed)
    height, width = mask.photo.shape[:2]
    backdrop = np.asarray(cv2.resize(mask.background, (width, height)), np.uint8)
    phases = rng.uniform(0, 2 * np.pi, 2)
    for at in range(mask.frames):
        time = at / FRAMES_PER_SECOND
        yaw = mask.yaw * np.sin(2 * np.pi * 0.4 * time + phases[0])
        pitch = mask.pitch * np.sin(2 * np.pi * 0.3 * time + phases[1])
        columns, rows, seen = _source_of(mask, np.radians(yaw), np.radians(pitch))
        shown = cv2.remap(mask.photo, columns, rows, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT)
        picture = np.where(seen[..., None], shown, backdrop).astype(np.float32)
        grain = _NOISE * rng.standard_normal(picture.shape, dtype=np.float32)
        noisy = np.clip(picture + grain, 0, 255).astype(np.uint8)
        coded = cv2.imencode(".jpg", noisy, [cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY])[1]
        yield time, np.asarray(cv2.imdecode(coded, cv2.IMREAD_COLOR), np.uint8)


def _source_of(
    mask: WornMask, yaw: float, pitch: float
) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.bool_]]:
    """Return the point of the photo that each pixel shows, and whether it shows the mask."""
    height, width = mask.photo.shape[:2]
    x, y, face = mask.face
    focal = 1.3 * max(width, height)
    turn = _rotation(1, yaw) @ _rotation(0, pitch)
    columns, rows = np.meshgrid(np.arange(width) - x, np.arange(height) - y)
    # Lengths in face widths; at the distance of the mask's middle, its width is that in the photo.
    away = focal / face
    rays = np.stack([columns / face, rows / face, np.full(columns.shape, away)], axis=-1) / away
    right, down, behind = _PIVOT
    pivot = np.array([right, down, behind + away])
    axis = np.array([0, 0, _RADIUS + away]) - pivot
    origin = turn.T @ -pivot - axis
    directions = rays @ turn
    a = directions[..., 0] ** 2 + directions[..., 2] ** 2
    b = directions[..., 0] * origin[0] + directions[..., 2] * origin[2]
    root = b**2 - a * (origin[0] ** 2 + origin[2] ** 2 - _RADIUS**2)
    reach = (-b - np.sqrt(np.maximum(root, 0))) / a
    hit = origin + reach[..., None] * directions
    angle = np.arctan2(hit[..., 0], -hit[..., 2])
    seen = (root > 0) & (np.abs(angle) < _HALF_ANGLE) & (np.abs(hit[..., 1]) < _HALF_HEIGHT)
    return (
        (x + face * _RADIUS * angle).astype(np.float32),
        (y + face * hit[..., 1]).astype(np.float32),
        seen,
    )


def _rotation(axis: int, angle: float) -> NDArray[np.float64]:
    vector = np.zeros(3)
    vector[axis] = angle
    return np.asarray(cv2.Rodrigues(vector)[0], np.float64)


# Makes clips that are injected forwards and backwards, encoded anew in each pass.

_QUALITIES = (85, 80, 76)


def back_and_forth(frames: list[tuple[float, BgrImage]], share: float) -> Iterator[tuple[float, BgrImage]]:
    """Yield a scan as long as ``frames`` of their first ``share``, played backwards from its end and on."""
    count = max(2, round(share * len(frames)))
    for at, (time, _) in enumerate(frames):
        turn, place = divmod(at, count - 1)
        place = place if turn % 2 == 0 else count - 1 - place
        quality = _QUALITIES[turn % len(_QUALITIES)]
        coded = cv2.imencode(".jpg", frames[place][1], [cv2.IMWRITE_JPEG_QUALITY, quality])[1]
        yield time, np.asarray(cv2.imdecode(coded, cv2.IMREAD_COLOR), np.uint8)
