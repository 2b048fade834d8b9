"""dlib's HOG detector, 68-point shape predictor and ResNet embedder.

Threads: dlib 20 releases Python's lock while it detects and while it predicts shapes, and holds it
while it embeds. The detector keeps its feature pyramid inside itself, so two threads may not share
one; making one takes a third of a second, so idle ones are kept and handed out. The shape predictor
is read-only and shared. The network changes itself while it runs and has its own lock, so that the
code stays right with a dlib that releases Python's lock there too.

Sources: N. Dalal and B. Triggs, CVPR 2005 (HOG); V. Kazemi and J. Sullivan, CVPR 2014 (shape
predictor); D. King, dlib-models (network; 150 x 150 chips with padding 0.25).
"""

import math
import threading
from collections import deque
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from vision.errors import ModelFailed
from vision.face import BgrImage, Box, DetectedFace, Embedding, Landmarks, Points
from vision.packs.templates import to_unit_length

__all__ = ["DlibDetector", "DlibEmbedder", "DlibLandmarker", "ShapePredictor", "five_of_68"]

_SCHEME = "ibug68"
_DIMENSIONS = 128
_CHIP_SIDE = 150
_CHIP_PADDING = 0.25
_FIRST_SIDE = 480
_RETRY_SIDE = 960
_MOST_UPSAMPLING = 2.0
_MARGIN = 0.6


def five_of_68(points: Points) -> Points:
    """Eye centres, nose tip and mouth corners, shape (5, 2), of 68 iBUG points."""
    eyes = [points[36:42].mean(axis=0), points[42:48].mean(axis=0)]
    return np.array([*eyes, points[30], points[48], points[54]], dtype=np.float32)


class ShapePredictor:
    """The 68 points of a face, from a file; read-only once loaded."""

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

    def predict(self, image: BgrImage, box: Box) -> tuple[Any, NDArray[np.uint8], tuple[int, int]]:
        """The shape of dlib, the RGB region around the face that it lies in, and the region's corner.

        Raises:
            ModelFailed: The box lies outside the image, or dlib failed.
        """
        region, (left, top) = _around(image, box)
        rectangle = self._dlib.rectangle(
            round(box.left) - left, round(box.top) - top, round(box.right) - left, round(box.bottom) - top
        )
        try:
            return self._predictor(region, rectangle), region, (left, top)
        except (RuntimeError, TypeError, ValueError) as error:
            raise ModelFailed(f"dlib's shape predictor failed ({type(error).__name__})") from error

    def points(self, image: BgrImage, box: Box) -> Points:
        """The 68 points in the image, shape (68, 2).

        Raises:
            ModelFailed: The box lies outside the image, or dlib failed.
        """
        shape, _, corner = self.predict(image, box)
        points = [(part.x, part.y) for part in shape.parts()]
        return np.array(points, dtype=np.float32) + np.array(corner, dtype=np.float32)


class DlibDetector:
    """Frontal faces by HOG; implements ``vision.packs.interfaces.FaceDetector``.

    The detector needs faces of 80 pixels and its cost grows with the picture, so it sees a copy of
    at most 480 pixels; only if that shows nothing, one of at most 960, and of a smaller picture one
    that is enlarged twice. The box spans from brows to chin, so it is smaller than SCRFD's for the same face.
    """

    def __init__(self, shapes: ShapePredictor) -> None:
        """Make a detector.

        Args:
            shapes: Gives the five points of each face found.
        """
        import dlib

        self._make = dlib.get_frontal_face_detector
        self._idle: deque[Any] = deque([self._make()])
        self._shapes = shapes

    def detect(self, image: BgrImage) -> tuple[DetectedFace, ...]:
        """All faces in ``image``, largest first; empty when there is none.

        Raises:
            ModelFailed: dlib failed.
        """
        long_side = max(image.shape[:2])
        first = min(1.0, _FIRST_SIDE / long_side)
        most = _MOST_UPSAMPLING if long_side < _FIRST_SIDE else 1.0
        retry = min(most, _RETRY_SIDE / long_side)
        found = self._boxes(image, first)
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

    def _boxes(self, image: BgrImage, scale: float) -> list[tuple[Box, float]]:
        seen = image
        if scale != 1.0:
            interpolation = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
            size = max(1, round(image.shape[1] * scale)), max(1, round(image.shape[0] * scale))
            seen = cv2.resize(image, size, interpolation=interpolation).astype(np.uint8, copy=False)
        rectangles, scores = self._run(cv2.cvtColor(seen, cv2.COLOR_BGR2RGB).astype(np.uint8, copy=False))
        # A score of 0 is dlib's threshold; the logistic function makes it 0.5, as SCRFD's is.
        return [
            (
                Box(r.left() / scale, r.top() / scale, (r.right() + 1) / scale, (r.bottom() + 1) / scale),
                1 / (1 + math.exp(-2 * score)),
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
    """68 points; implements ``vision.packs.interfaces.Landmarker``."""

    def __init__(self, shapes: ShapePredictor) -> None:
        """Use a loaded shape predictor."""
        self._shapes = shapes

    @property
    def scheme(self) -> str:
        """``"ibug68"``."""
        return _SCHEME

    def locate(self, image: BgrImage, face: DetectedFace) -> Landmarks:
        """The landmarks of ``face`` in ``image``; the face must be of dlib's detector.

        Raises:
            ModelFailed: The box lies outside the image, or dlib failed.
        """
        return Landmarks(points=self._shapes.points(image, face.box), scheme=_SCHEME)


class DlibEmbedder:
    """dlib's ResNet, 128 numbers; implements ``vision.packs.interfaces.Embedder``.

    While it runs (a tenth of a second on a slow core) no other Python thread does.
    """

    def __init__(self, path: Path, shapes: ShapePredictor, *, mirror_average: bool) -> None:
        """Load the network.

        Args:
            path: A file whose content was verified.
            shapes: Aligns the face by all its points.
            mirror_average: True to add the template of the mirror image, at twice the cost.

        Raises:
            RuntimeError: dlib cannot read the file.
        """
        import dlib

        self._dlib: Any = dlib
        self._network: Any = dlib.face_recognition_model_v1(str(path))
        self._shapes = shapes
        self._mirror_average = mirror_average
        self._lock = threading.Lock()

    @property
    def dimensions(self) -> int:
        """128."""
        return _DIMENSIONS

    def embed(self, image: BgrImage, face: DetectedFace) -> Embedding:
        """The template of ``face``, of length 1; the face must be of dlib's detector.

        Raises:
            ModelFailed: The box lies outside the image, or dlib failed.
        """
        shape, region, _ = self._shapes.predict(image, face.box)
        try:
            chip = self._dlib.get_face_chip(region, shape, _CHIP_SIDE, _CHIP_PADDING)
            chips = [chip, np.ascontiguousarray(chip[:, ::-1])] if self._mirror_average else [chip]
            with self._lock:
                vectors = [self._network.compute_face_descriptor(each) for each in chips]
        except (RuntimeError, TypeError, ValueError) as error:
            raise ModelFailed(f"dlib's embedder failed ({type(error).__name__})") from error
        return to_unit_length(np.sum([np.array(vector, dtype=np.float64) for vector in vectors], axis=0))


def _around(image: BgrImage, box: Box) -> tuple[NDArray[np.uint8], tuple[int, int]]:
    """The face with its surroundings in RGB, and the corner of that region in the image."""
    height, width = image.shape[:2]
    margin_x, margin_y = box.width * _MARGIN, box.height * _MARGIN
    left, top = max(0, int(box.left - margin_x)), max(0, int(box.top - margin_y))
    right, bottom = min(width, math.ceil(box.right + margin_x)), min(height, math.ceil(box.bottom + margin_y))
    if right <= left or bottom <= top:
        raise ModelFailed("the face lies outside the image")
    region = cv2.cvtColor(np.ascontiguousarray(image[top:bottom, left:right]), cv2.COLOR_BGR2RGB)
    return region.astype(np.uint8, copy=False), (left, top)
