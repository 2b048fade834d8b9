"""dlib's HOG detector and 68-point shape predictor.

Threads: dlib 20 releases Python's lock while it detects and while it predicts shapes. The detector keeps
its feature pyramid inside itself, so two threads may not share one. Making one takes a third of a second,
so idle ones are kept and reused. The shape predictor is read-only and shared.

Sources: N. Dalal and B. Triggs, CVPR 2005 (HOG); V. Kazemi and J. Sullivan, CVPR 2014 (shape predictor).
"""

import math
from collections import deque
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from vision.errors import ModelFailed
from vision.face import BgrImage, Box, DetectedFace, Landmarks, Points
from vision.geometry import similarity_transform
from vision.packs.dlib_chips import ALIGNED_POINTS, MEAN_FACE
from vision.packs.dlib_finder import DlibFinder

__all__ = ["DlibDetector", "DlibLandmarker", "ShapePredictor", "five_of_68"]

_SCHEME = "ibug68"
_FIRST_SIDE = 480
_RETRY_SIDE = 960
_MOST_UPSAMPLING = 2.0
_MARGIN = 0.6
_HOG_CENTRE = (0.484, 0.488)
_HOG_SIDE = 1.285
"""Position and side of HOG's box on the chips' mean face, as shares of its side; medians over photos."""


def five_of_68(points: Points) -> Points:
    """Return eye centres, nose tip and mouth corners, shape (5, 2), from 68 iBUG points."""
    eyes = [points[36:42].mean(axis=0), points[42:48].mean(axis=0)]
    return np.array([*eyes, points[30], points[48], points[54]], dtype=np.float32)


class ShapePredictor:
    """Locates the 68 points of a face, with a model from a file; read-only once loaded."""

    def __init__(self, path: Path) -> None:
        """Load dlib's shape predictor.

        Args:
            path: A file whose content was verified.

        Raises:
            RuntimeError: dlib cannot read it.
        """
        import dlib

        self._dlib: Any = dlib
        self._predictor: Any = dlib.shape_predictor(str(path))

    def in_region(self, image: BgrImage, box: Box) -> tuple[NDArray[np.float64], NDArray[np.uint8]]:
        """Return the 68 points, shape (68, 2), in the RGB region around the face, and that region.

        Raises:
            ModelFailed: The box lies outside the image, or dlib failed.
        """
        points, region, _ = self._predict(image, box)
        return points, region

    def points(self, image: BgrImage, box: Box) -> Points:
        """Return the 68 points in the image, shape (68, 2).

        Raises:
            ModelFailed: The box lies outside the image, or dlib failed.
        """
        points, _, corner = self._predict(image, box)
        in_image: Points = (points + np.array(corner)).astype(np.float32)
        return in_image

    def _predict(
        self, image: BgrImage, box: Box
    ) -> tuple[NDArray[np.float64], NDArray[np.uint8], tuple[int, int]]:
        region, (left, top) = _around(image, box)
        rectangle = self._dlib.rectangle(
            round(box.left) - left, round(box.top) - top, round(box.right) - left, round(box.bottom) - top
        )
        try:
            shape = self._predictor(region, rectangle)
        except (RuntimeError, TypeError, ValueError) as error:
            raise ModelFailed(f"dlib's shape predictor failed ({type(error).__name__})") from error
        points = np.array([(part.x, part.y) for part in shape.parts()], dtype=np.float64)
        return points, region, (left, top)


class DlibDetector:
    """Finds faces with HOG, or else with a network; implements ``vision.packs.interfaces.FaceDetector``.

    HOG needs faces of 80 pixels and its cost grows with the image, so it runs on a copy of at most 480
    pixels. Only if it finds nothing, the network runs. If that finds nothing either, HOG runs on a copy of at
    most 960 pixels; a smaller image is enlarged up to twice for it. The box spans from brows to chin, so it
    is smaller than SCRFD's for the same face.
    """

    def __init__(self, shapes: ShapePredictor, finder: DlibFinder) -> None:
        """Make a detector.

        Args:
            shapes: Locates the five points of each face.
            finder: The network that runs if HOG finds nothing.
        """
        import dlib

        self._make = dlib.get_frontal_face_detector
        self._idle: deque[Any] = deque([self._make()])
        self._shapes = shapes
        self._finder = finder

    def detect(self, image: BgrImage) -> tuple[DetectedFace, ...]:
        """Return all faces in ``image``, largest first; empty if there are none.

        Raises:
            ModelFailed: dlib failed.
        """
        long_side = max(image.shape[:2])
        first = min(1.0, _FIRST_SIDE / long_side)
        most = _MOST_UPSAMPLING if long_side < _FIRST_SIDE else 1.0
        retry = min(most, _RETRY_SIDE / long_side)
        found = self._boxes(image, first) or self._by_network(image)
        if not found and retry > first:
            found = self._boxes(image, retry)
        faces = [
            DetectedFace(
                box=box, confidence=confidence, five_points=five_of_68(self._shapes.points(image, box))
            )
            for box, confidence in found
            if box.inside_fraction(image.shape[1], image.shape[0]) > 0
        ]
        return tuple(sorted(faces, key=lambda face: face.box.area, reverse=True))

    def _by_network(self, image: BgrImage) -> list[tuple[Box, float]]:
        """Return the network's faces, each with the box that HOG would give for its points."""
        found = []
        for box, score in self._finder.find(image):
            if box.inside_fraction(image.shape[1], image.shape[0]) > 0:
                again = _box_of(self._shapes.points(image, box))
                found.append((again, _confidence(score)))
        return found

    def _boxes(self, image: BgrImage, scale: float) -> list[tuple[Box, float]]:
        seen = image
        if scale != 1.0:
            interpolation = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
            size = max(1, round(image.shape[1] * scale)), max(1, round(image.shape[0] * scale))
            seen = cv2.resize(image, size, interpolation=interpolation).astype(np.uint8, copy=False)
        rectangles, scores = self._run(cv2.cvtColor(seen, cv2.COLOR_BGR2RGB).astype(np.uint8, copy=False))
        return [
            (
                Box(r.left() / scale, r.top() / scale, (r.right() + 1) / scale, (r.bottom() + 1) / scale),
                _confidence(score),
            )
            for r, score in zip(rectangles, scores, strict=True)
        ]

    def _run(self, rgb: NDArray[np.uint8]) -> tuple[Sequence[Any], Sequence[float]]:
        try:
            detector = self._idle.pop()
        except IndexError:
            detector = self._make()
        try:
            rectangles, scores, _ = detector.run(rgb, 0, 0.0)
        except (RuntimeError, TypeError, ValueError) as error:
            raise ModelFailed(f"dlib's detector failed ({type(error).__name__})") from error
        finally:
            self._idle.append(detector)
        return rectangles, scores


class DlibLandmarker:
    """Locates 68 points; implements ``vision.packs.interfaces.Landmarker``."""

    def __init__(self, shapes: ShapePredictor) -> None:
        """Use a loaded shape predictor."""
        self._shapes = shapes

    @property
    def scheme(self) -> str:
        """``"ibug68"``."""
        return _SCHEME

    def locate(self, image: BgrImage, face: DetectedFace) -> Landmarks:
        """Return the landmarks of ``face`` in ``image``; the face must come from dlib's detector.

        Raises:
            ModelFailed: The box lies outside the image, or dlib failed.
        """
        return Landmarks(points=self._shapes.points(image, face.box), scheme=_SCHEME)


def _confidence(score: float) -> float:
    # A score of 0 is dlib's threshold; the logistic function maps it to 0.5, as for SCRFD.
    return 1 / (1 + math.exp(-2 * score))


def _box_of(points: Points) -> Box:
    """Return the box that HOG would give for a face with these 68 points."""
    aligned = list(ALIGNED_POINTS)
    mean = MEAN_FACE[[index - 17 for index in aligned]].astype(np.float32)
    matrix = similarity_transform(mean, points[aligned])
    centre_x, centre_y = matrix @ np.array([*_HOG_CENTRE, 1.0])
    half = _HOG_SIDE * math.hypot(matrix[0, 0], matrix[1, 0]) / 2
    return Box(centre_x - half, centre_y - half, centre_x + half, centre_y + half)


def _around(image: BgrImage, box: Box) -> tuple[NDArray[np.uint8], tuple[int, int]]:
    """Return the face with its surroundings in RGB, and the corner of that region in the image."""
    height, width = image.shape[:2]
    margin_x, margin_y = box.width * _MARGIN, box.height * _MARGIN
    left, top = max(0, int(box.left - margin_x)), max(0, int(box.top - margin_y))
    right, bottom = min(width, math.ceil(box.right + margin_x)), min(height, math.ceil(box.bottom + margin_y))
    if right <= left or bottom <= top:
        raise ModelFailed("the face lies outside the image")
    region = cv2.cvtColor(np.ascontiguousarray(image[top:bottom, left:right]), cv2.COLOR_BGR2RGB)
    return region.astype(np.uint8, copy=False), (left, top)
