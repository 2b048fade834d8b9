"""Renders attack scans from photos of one large face: still, waved, bent, or filling the frame.

Unlike the simulator's, these are rendered straight from a photo by its pixels' geometry alone, so that
the two sources of attacks share no code.
"""

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from itertools import islice
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from liveness import FaceExtent, face_extent
from vision.face import BgrImage
from vision.packs import FaceDetector


def large_faces(
    assets: Path, detector: FaceDetector, *, count: int, least_width: float
) -> Iterator[tuple[str, BgrImage, FaceExtent]]:
    """Yield the first ``count`` photos in which the detector finds exactly one face, one photo per person.

    Args:
        assets: The folder with ``data/faces`` and its ``manifest.csv``.
        least_width: Least width of the face in the manifest, pixels.

    Yields:
        The photo's name, its pixels and the face in it.
    """
    return islice(_all(assets / "data/faces", detector, least_width), count)


def _all(
    folder: Path, detector: FaceDetector, least_width: float
) -> Iterator[tuple[str, BgrImage, FaceExtent]]:
    seen: set[str] = set()
    with (folder / "manifest.csv").open(encoding="utf-8") as manifest:
        rows = list(csv.DictReader(manifest))
    for row in rows:
        if row["usable"] != "1" or row["identity"] in seen or float(row["face_w_px"] or 0) < least_width:
            continue
        stored = cv2.imread(str(folder / row["file"]))
        if stored is None:
            continue
        image = np.asarray(stored, np.uint8)
        faces = detector.detect(image)
        if len(faces) == 1:
            seen.add(row["identity"])
            yield row["file"], image, face_extent(faces[0])


FRAMES_PER_SECOND = 15.0
_GRID = 8
_JPEG_QUALITY = 88


class AttackKind(StrEnum):
    """How the photo is presented."""

    STILL = "still"
    """On a stand, with the camera on another: only noise and exposure drift."""
    SHEET = "sheet"
    """A cut-out sheet waved in front of another background."""
    FULL = "full"
    """A photo that fills the frame, with camera or photo in motion."""
    BENT = "bent"
    """A sheet waved while it is bent around its vertical axis."""


@dataclass(frozen=True)
class Presentation:
    """One photo and the way of its presentation.

    ``face`` is (x, y, width) of the face's centre and width; ``amplitude`` 1 turns the sheet by up to 14
    degrees and moves it by up to a tenth of the face's width.
    """

    photo: BgrImage
    face: tuple[float, float, float]
    background: BgrImage
    kind: AttackKind
    amplitude: float
    noise: float
    seed: int
    frames: int = 40


def present(presentation: Presentation) -> Iterator[tuple[float, BgrImage]]:
    """Yield capture times and frames, with a camera's noise and JPEG."""
    rng = np.random.default_rng(presentation.seed)
    moves = _wander(rng, presentation.frames, 7)
    backdrop = cv2.resize(presentation.background, presentation.photo.shape[1::-1])
    for at in range(presentation.frames):
        if presentation.kind is AttackKind.STILL:
            gain = 1 + 0.02 * moves[at, 0]
            picture = np.clip(presentation.photo * gain, 0, 255).astype(np.uint8)
        else:
            picture = _presented(presentation, moves[at], np.asarray(backdrop, np.uint8))
        yield at / FRAMES_PER_SECOND, _through_camera(picture, presentation.noise, rng)


def _wander(rng: np.random.Generator, frames: int, count: int) -> NDArray[np.float64]:
    """Return smooth random movements within -1..1, shape (frames, count)."""
    times = np.arange(frames) / FRAMES_PER_SECOND
    paths = []
    for _ in range(count):
        path = np.zeros(frames)
        for harmonic in range(4):
            phase, rate = rng.uniform(0, 2 * np.pi), rng.uniform(0.2, 1.6)
            path += rng.normal() * np.sin(2 * np.pi * rate * times + phase) / (harmonic + 1)
        paths.append(path / max(1e-6, float(np.abs(path).max())))
    return np.stack(paths, axis=1)


def _presented(presentation: Presentation, move: NDArray[np.float64], backdrop: BgrImage) -> BgrImage:
    height, width = presentation.photo.shape[:2]
    x, y, face_width = presentation.face
    columns, rows = _source_of(presentation, move, width, height)
    picture = cv2.remap(
        presentation.photo, columns, rows, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT
    ).astype(np.float32)
    if presentation.kind is AttackKind.FULL:
        return picture.astype(np.uint8)
    inside = (np.abs(columns - x) < 0.95 * face_width) & (np.abs(rows - y) < 1.1 * face_width)
    share = cv2.GaussianBlur(inside.astype(np.float32), (3, 3), 0)[..., None]
    mixed: BgrImage = (picture * share + backdrop * (1 - share)).astype(np.uint8)
    return mixed


def _source_of(
    presentation: Presentation, move: NDArray[np.float64], width: int, height: int
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return the point of the photo that each pixel of the frame shows, by inverting the projection."""
    grid_x, grid_y = np.meshgrid(
        np.arange(-_GRID, width + 2 * _GRID, _GRID, dtype=np.float64),
        np.arange(-_GRID, height + 2 * _GRID, _GRID, dtype=np.float64),
    )
    at_x, at_y = grid_x.copy(), grid_y.copy()
    for _ in range(8):
        shown_x, shown_y = _project(presentation, move, (at_x, at_y), 1.3 * max(width, height))
        at_x -= shown_x - grid_x
        at_y -= shown_y - grid_y
    # From the grid to pixels: pixel p lies at grid position (p + _GRID) / _GRID.
    pixel_x, pixel_y = np.meshgrid(
        (np.arange(width, dtype=np.float32) + _GRID) / _GRID,
        (np.arange(height, dtype=np.float32) + _GRID) / _GRID,
    )

    def at_pixels(values: NDArray[np.float64]) -> NDArray[np.float32]:
        on_grid = values.astype(np.float32)
        return np.asarray(cv2.remap(on_grid, pixel_x, pixel_y, cv2.INTER_LINEAR), np.float32)

    return at_pixels(at_x), at_pixels(at_y)


def _project(
    presentation: Presentation,
    move: NDArray[np.float64],
    points: tuple[NDArray[np.float64], NDArray[np.float64]],
    focal: float,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    face_x, face_y, face_width = presentation.face
    size = presentation.amplitude
    flat_x, flat_y = points[0] - face_x, points[1] - face_y
    depth = np.zeros_like(flat_x)
    if presentation.kind is AttackKind.BENT:
        curvature = 0.4 * (0.55 + 0.45 * move[6]) / face_width
        angle = curvature * flat_x
        flat_x, depth = np.sin(angle) / curvature, (np.cos(angle) - 1) / curvature
    pitch, yaw, roll = (np.radians(degrees) * size * m for degrees, m in zip((14, 14, 6), move, strict=False))
    rotation = _turn(0, pitch) @ _turn(1, yaw) @ _turn(2, roll)
    turned = np.tensordot(rotation, np.stack([flat_x, flat_y, depth]), axes=1)
    scale = 1 / (1 + 0.06 * size * move[3] + turned[2] / focal)
    shift_x, shift_y = 0.1 * size * face_width * move[4], 0.1 * size * face_width * move[5]
    return (turned[0] + shift_x) * scale + face_x, (turned[1] + shift_y) * scale + face_y


def _turn(axis: int, angle: float) -> NDArray[np.float64]:
    vector = np.zeros(3)
    vector[axis] = angle
    return np.asarray(cv2.Rodrigues(vector)[0], np.float64)


def _through_camera(picture: BgrImage, noise: float, rng: np.random.Generator) -> BgrImage:
    values = picture.astype(np.float32)
    grain = rng.standard_normal(values.shape, dtype=np.float32) * (noise * np.sqrt(0.3 + values / 180))
    coded = cv2.imencode(
        ".jpg", np.clip(values + grain, 0, 255).astype(np.uint8), [cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY]
    )[1]
    return np.asarray(cv2.imdecode(coded, cv2.IMREAD_COLOR), np.uint8)
