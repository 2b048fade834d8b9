"""Many pictures of one face: where its points lie, and the chips that are cut by them.

A *view* is one 150 x 150 chip and how it was cut. Chips are cut by ``dlib.extract_image_chip``, which
smooths before it shrinks, so views differ in nothing but what their names say.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

import cv2
import dlib
import numpy as np
from numpy.typing import NDArray

from vision.face import BgrImage, Box, Points
from vision.geometry import similarity_transform
from vision.packs.dlib_chips import ALIGNED_POINTS, CHIP_SIDE, MEAN_FACE, Move, chip_frame

__all__ = ["Alignment", "StudiedFace", "View", "cut", "drawn_moves", "locate"]

_ALIGNED: Final = np.array(ALIGNED_POINTS)
_MEAN: Final = MEAN_FACE[_ALIGNED - 17]
_MARGIN: Final = 1.0
_UPRIGHT_PADDING: Final = 0.75
_PREDICTED_WIDTH: Final = 240
"""Points are whole pixels, so small faces are enlarged to this width before they are located again."""


class Alignment(StrEnum):
    """By which points a chip is cut."""

    POINTS_68 = "68 points"
    """As dlib does: 33 of the 68 points of one prediction."""
    POINTS_5 = "by the 5-point model"
    """dlib's own five-point model: eye corners and the base of the nose."""
    EYES = "by the eyes only"
    """The two eye centres of the 68 points."""
    FIVE_OF_68 = "by five of 68 points"
    """Eye centres, nose tip and mouth corners of the 68 points."""
    LOCATED_TWICE = "located twice"
    """The 68 points located again in an upright picture, 240 pixels across the face."""
    MEAN_OF_9 = "mean of 9 locations"
    """The mean of nine predictions from boxes moved and scaled by a twentieth, 240 pixels across."""


@dataclass(frozen=True, slots=True)
class View:
    """How one chip is cut.

    Attributes:
        alignment: By which points.
        padding: Border around the mean face, in shares of its side; dlib trained with 0.25.
        side: The chip is cut with this side, pixels, and resized to 150.
        mirrored: True for the mirror image.
        move: What is changed after alignment.
    """

    alignment: Alignment = Alignment.POINTS_68
    padding: float = 0.25
    side: int = CHIP_SIDE
    mirrored: bool = False
    move: Move | None = None


@dataclass(frozen=True, slots=True)
class StudiedFace:
    """One face with its surroundings.

    Attributes:
        region: RGB, shape (h, w, 3).
        box: dlib's detection, in the region's pixels.
        points: By alignment: where the face's points lie in the region, and where they belong in a
            mean face of side 1; shapes (n, 2) each.
    """

    region: NDArray[np.uint8]
    box: Box
    points: dict[Alignment, tuple[NDArray[np.float64], NDArray[np.float64]]]


def drawn_moves(count: int, *, seed: int = 20) -> tuple[Move, ...]:
    """The first ``count`` of a fixed random sequence: up to 4 degrees, 6 % of scale, 3 % of shift."""
    draws = np.random.default_rng(seed).uniform(-1.0, 1.0, size=(count, 4))
    return tuple(
        Move(degrees=4.0 * turn, scale=float(np.exp(0.06 * size)), shift=(0.03 * x, 0.03 * y))
        for turn, size, x, y in draws.tolist()
    )


def locate(image: BgrImage, box: Box, *, predictor_68: Any, predictor_5: Any) -> StudiedFace:
    """Find a face's points in every way of ``Alignment``.

    Args:
        image: The picture.
        box: Where dlib's detector found the face.
        predictor_68: ``dlib.shape_predictor`` of 68 points.
        predictor_5: ``dlib.shape_predictor`` of 5 points.
    """
    region, inner = _region(image, box)
    plain = _predict(predictor_68, region, inner)
    five = _predict(predictor_5, region, inner)
    mean = _MEAN
    again = _second_pass(predictor_68, region, inner, plain)
    many = _mean_of_moved_boxes(predictor_68, region, inner)
    return StudiedFace(
        region=region,
        box=inner,
        points={
            Alignment.POINTS_68: (plain[_ALIGNED], mean),
            Alignment.POINTS_5: (five, _five_point_mean()),
            Alignment.EYES: (_five(plain)[:2], _five(_whole_mean())[:2]),
            Alignment.FIVE_OF_68: (_five(plain), _five(_whole_mean())),
            Alignment.LOCATED_TWICE: (again[_ALIGNED], mean),
            Alignment.MEAN_OF_9: (many[_ALIGNED], mean),
        },
    )


def cut(face: StudiedFace, view: View) -> NDArray[np.uint8]:
    """The chip of ``view``: RGB, shape (150, 150, 3)."""
    points, mean = face.points[view.alignment]
    frame = chip_frame(points, mean, side=view.side, padding=view.padding, move=view.move)
    chip = np.asarray(dlib.extract_image_chip(face.region, frame), dtype=np.uint8)
    if view.side != CHIP_SIDE:
        smooth = cv2.INTER_AREA if view.side > CHIP_SIDE else cv2.INTER_LINEAR
        chip = cv2.resize(chip, (CHIP_SIDE, CHIP_SIDE), interpolation=smooth).astype(np.uint8, copy=False)
    return np.ascontiguousarray(chip[:, ::-1]) if view.mirrored else chip


def _region(image: BgrImage, box: Box) -> tuple[NDArray[np.uint8], Box]:
    height, width = image.shape[:2]
    left, top = max(0, int(box.left - _MARGIN * box.width)), max(0, int(box.top - _MARGIN * box.height))
    right = min(width, int(box.right + _MARGIN * box.width))
    bottom = min(height, int(box.bottom + _MARGIN * box.height))
    rgb = cv2.cvtColor(np.ascontiguousarray(image[top:bottom, left:right]), cv2.COLOR_BGR2RGB)
    inner = Box(box.left - left, box.top - top, box.right - left, box.bottom - top)
    return rgb.astype(np.uint8, copy=False), inner


def _predict(predictor: Any, picture: NDArray[np.uint8], box: Box) -> NDArray[np.float64]:
    rectangle = dlib.rectangle(round(box.left), round(box.top), round(box.right), round(box.bottom))
    return np.array([(part.x, part.y) for part in predictor(picture, rectangle).parts()], dtype=np.float64)


def _second_pass(
    predictor: Any, region: NDArray[np.uint8], box: Box, points: NDArray[np.float64]
) -> NDArray[np.float64]:
    mean = _MEAN
    to_region = similarity_transform(_points(mean), _points(points[_ALIGNED]))
    scale = float(np.hypot(to_region[0, 0], to_region[1, 0]))
    enlarge = _PREDICTED_WIDTH / box.width
    side = round(scale * enlarge * (1.0 + 2.0 * _UPRIGHT_PADDING))
    upright = (mean + _UPRIGHT_PADDING) / (1.0 + 2.0 * _UPRIGHT_PADDING) * side
    frame = chip_frame(points[_ALIGNED], mean, side=side, padding=_UPRIGHT_PADDING)
    picture = np.asarray(dlib.extract_image_chip(region, frame), dtype=np.uint8)
    back = similarity_transform(_points(upright), _points(points[_ALIGNED])).astype(np.float64)
    turn = np.linalg.inv(back[:, :2])
    centre = turn @ (np.array(box.centre) - back[:, 2])
    half = box.width * enlarge / 2
    there = Box(centre[0] - half, centre[1] - half, centre[0] + half, centre[1] + half)
    moved: NDArray[np.float64] = _predict(predictor, picture, there) @ back[:, :2].T + back[:, 2]
    return moved


def _mean_of_moved_boxes(predictor: Any, region: NDArray[np.uint8], box: Box) -> NDArray[np.float64]:
    factor = _PREDICTED_WIDTH / box.width
    size = max(1, round(region.shape[1] * factor)), max(1, round(region.shape[0] * factor))
    smooth = cv2.INTER_AREA if factor < 1 else cv2.INTER_LINEAR
    picture = cv2.resize(region, size, interpolation=smooth).astype(np.uint8, copy=False)
    centre_x, centre_y = box.centre[0] * factor, box.centre[1] * factor
    half, step = box.width * factor / 2, box.width * factor / 20
    moves = [(0.0, 0.0, 1.0)]
    moves += [(x, y, size) for size in (0.95, 1.05) for x, y in ((1, 0), (-1, 0), (0, 1), (0, -1))]
    found = [
        _predict(
            predictor,
            picture,
            Box(
                centre_x + step * x - half * size,
                centre_y + step * y - half * size,
                centre_x + step * x + half * size,
                centre_y + step * y + half * size,
            ),
        )
        for x, y, size in moves
    ]
    mean: NDArray[np.float64] = np.mean(found, axis=0) / factor
    return mean


def _five(points: NDArray[np.float64]) -> NDArray[np.float64]:
    """As ``vision.packs.dlib_models.five_of_68``, in full precision."""
    eyes = [points[36:42].mean(axis=0), points[42:48].mean(axis=0)]
    return np.array([*eyes, points[30], points[48], points[54]])


def _whole_mean() -> NDArray[np.float64]:
    """The mean face with room for the jaw's points, which are not used."""
    return np.vstack([np.zeros((17, 2)), MEAN_FACE])


def _five_point_mean() -> NDArray[np.float64]:
    """Where dlib's five points belong: outer and inner corner of each eye, base of the nose."""
    return np.array(
        [
            [0.8595674595992, 0.2134981538014],
            [0.6460604764104, 0.2289674387677],
            [0.1205750620789, 0.2137274526848],
            [0.3340850613712, 0.2290642403242],
            [0.4901123135679, 0.6277975316475],
        ]
    )


def _points(points: NDArray[np.float64]) -> Points:
    return points.astype(np.float32)
