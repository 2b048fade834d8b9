"""Ways to warp one photo into a scan, as positive controls of ``liveness.shown_picture``."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import RBFInterpolator, griddata

from simulator.attacks.warped_photo import Warp, bulge
from simulator.motion import Sway
from vision.face import BgrImage, DetectedFace, Landmarks

__all__ = ["WARPS", "FramedPhoto"]

Face = tuple[float, float, float]


@dataclass(frozen=True, slots=True, eq=False)
class FramedPhoto:
    """A photo of one person, and the face in it.

    Attributes:
        picture: The photo, shape (height, width, 3), BGR.
        face: The face's middle and width, pixels.
        found: The face as the detector found it.
        marks: Its dense landmarks.
    """

    picture: BgrImage
    face: Face
    found: DetectedFace
    marks: Landmarks


MakeWarp = Callable[[FramedPhoto, float, int], Warp]
"""Makes a warp of a photo from its strength, face widths, and a seed."""

_GRID: Final = 16
"""The spacing of the pixels, at which smooth warps are computed."""


def _bulge(photo: FramedPhoto, strength: float, seed: int) -> Warp:
    return bulge(photo.picture, photo.face, strength=strength, seed=seed)


def _thin_plate(photo: FramedPhoto, strength: float, seed: int) -> Warp:
    """A thin plate on 5 x 5 points that sway."""
    x, y, width = photo.face
    across, down = np.meshgrid(np.linspace(-0.8, 0.8, 5) * width + x, np.linspace(-1, 1, 5) * width + y)
    points = np.column_stack([across.ravel(), down.ravel()])
    height, breadth = photo.picture.shape[:2]
    rows, columns = np.mgrid[:height:_GRID, :breadth:_GRID]
    places = np.column_stack([columns.ravel(), rows.ravel()])
    share = RBFInterpolator(points / width, np.eye(len(points)), kernel="thin_plate_spline")(places / width)
    sways = _sways(len(points), strength * width, seed)

    def warp(time: float) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        moved = share @ np.array([[one(time) for one in pair] for pair in sways])
        return _split(moved.reshape(*rows.shape, 2), breadth, height, cv2.INTER_CUBIC)

    return warp


def _mesh(photo: FramedPhoto, strength: float, seed: int) -> Warp:
    """A mesh of 9 x 9 points over the photo, linear between them."""
    height, breadth = photo.picture.shape[:2]
    sways = _sways(81, 0.7 * strength * photo.face[2], seed)

    def warp(time: float) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        moved = np.array([[one(time) for one in pair] for pair in sways]).reshape(9, 9, 2)
        return _split(moved, breadth, height, cv2.INTER_LINEAR)

    return warp


def _parallax(photo: FramedPhoto, strength: float, seed: int) -> Warp:
    """A head that turns: the photo moves by the depth that the landmarks estimate."""
    height, breadth = photo.picture.shape[:2]
    depth = (
        np.zeros(len(photo.marks.points))
        if photo.marks.depth is None
        else photo.marks.depth.max() - photo.marks.depth
    )
    hull = cv2.convexHull(photo.marks.points).reshape(-1, 2)
    around = hull.mean(axis=0) + 1.8 * (hull - hull.mean(axis=0))
    rows, columns = np.mgrid[:height:8, :breadth:8]
    map_of_depth = griddata(
        np.concatenate([photo.marks.points, around]),
        np.concatenate([depth, np.zeros(len(around))]),
        (columns, rows),
        fill_value=0,
    ).astype(np.float32)
    near = np.asarray(cv2.resize(cv2.GaussianBlur(map_of_depth, (0, 0), 1.2), (breadth, height)), np.float32)
    yaw, pitch = _sways(1, 1.8 * strength, seed)[0]

    def warp(time: float) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        return -near * np.float32(np.sin(yaw(time))), -near * np.float32(np.sin(pitch(time)))

    return warp


def _regions(photo: FramedPhoto, strength: float, seed: int) -> Warp:
    """Eyes, nose and mouth, each moved and stretched by itself."""
    height, breadth = photo.picture.shape[:2]
    rows, columns = np.mgrid[:height, :breadth].astype(np.float32)
    points = photo.found.five_points
    parts = []
    for (x, y), reach in zip(
        [*points[:3], (points[3] + points[4]) / 2], (0.16, 0.16, 0.16, 0.22), strict=True
    ):
        aside, below = columns - np.float32(x), rows - np.float32(y)
        share = np.clip(1.5 - np.hypot(aside, below) / np.float32(reach * photo.face[2]), 0, 1)
        parts.append((aside, below, share))
    moves = _sways(len(parts), strength * photo.face[2], seed)
    stretches = _sways(len(parts), 4 * strength, seed + 1)

    def warp(time: float) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        across, down = np.zeros_like(rows), np.zeros_like(rows)
        for (aside, below, share), move, stretch in zip(parts, moves, stretches, strict=True):
            across += share * (np.float32(move[0](time)) + aside * np.float32(stretch[0](time)))
            down += share * (np.float32(move[1](time)) + below * np.float32(stretch[1](time)))
        return across, down

    return warp


def _sways(count: int, rms: float, seed: int) -> list[tuple[Sway, Sway]]:
    rng = np.random.default_rng(seed)
    return [(Sway(rng, rms=rms), Sway(rng, rms=rms)) for _ in range(count)]


def _split(
    moved: NDArray[np.float64], breadth: int, height: int, interpolation: int
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    whole = cv2.resize(moved.astype(np.float32), (breadth, height), interpolation=interpolation)
    return np.asarray(whole[..., 0], np.float32), np.asarray(whole[..., 1], np.float32)


WARPS: Final[Mapping[str, MakeWarp]] = MappingProxyType(
    {"bulge": _bulge, "thin-plate": _thin_plate, "mesh": _mesh, "parallax": _parallax, "regions": _regions}
)
