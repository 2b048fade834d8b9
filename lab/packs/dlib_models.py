"""dlib's HOG detector and 68-point shape predictor.

Threads: dlib 20 releases Python's lock while it detects and while it predicts shapes. The detector keeps
its feature pyramid inside itself, so two threads may not share one. Making one takes a third of a second,
so idle ones are kept and reused. The shape predictor is read-only and shared.

Sources: N. Dalal and B. Triggs, CVPR 2005 (HOG); V. Kazemi and J. Sullivan, CVPR 2014 (shape predictor).
"""

import math
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray

from lab.packs.dlib_networks import FINDER_STEP, FINDER_WINDOW
from vision.errors import ModelFailed
from vision.face import BgrImage, Box, DetectedFace, Embedding, Landmarks, Points
from vision.geometry import similarity_transform
from vision.onnx_sessions import OnnxSession
from vision.packs.interfaces import to_unit_length

# Cuts the chips of one face for dlib's embedder: aligned, and moved a little.
#
# dlib's network gives another template if a face lies two pixels further left. The mean over a few chips
# with such small differences, and over their mirror images, is steadier in poor light or sharpness;
# ``lab/studies/scan_match/NOTES.md`` has the measurements. dlib draws such changes at random. Here they are a
# fixed list, so that templates are reproducible.
#
# Sources: ``dlib/image_transforms/interpolation.h`` (mean face, alignment); D. King, dlib-models (150 x 150
# chips with padding 0.25).

CHIP_SIDE: Final = 150
_PADDING: Final = 0.25

MEAN_FACE: Final[NDArray[np.float64]] = np.array(
    [
        [0.000213256, 0.106454], [0.0752622, 0.038915], [0.18113, 0.0187482], [0.29077, 0.0344891],
        [0.393397, 0.0773906], [0.586856, 0.0773906], [0.689483, 0.0344891], [0.799124, 0.0187482],
        [0.904991, 0.038915], [0.98004, 0.106454], [0.490127, 0.203352], [0.490127, 0.307009],
        [0.490127, 0.409805], [0.490127, 0.515625], [0.36688, 0.587326], [0.426036, 0.609345],
        [0.490127, 0.628106], [0.554217, 0.609345], [0.613373, 0.587326], [0.121737, 0.216423],
        [0.187122, 0.178758], [0.265825, 0.179852], [0.334606, 0.231733], [0.260918, 0.245099],
        [0.182743, 0.244077], [0.645647, 0.231733], [0.714428, 0.179852], [0.793132, 0.178758],
        [0.858516, 0.216423], [0.79751, 0.244077], [0.719335, 0.245099], [0.254149, 0.780233],
        [0.340985, 0.745405], [0.428858, 0.727388], [0.490127, 0.742578], [0.551395, 0.727388],
        [0.639268, 0.745405], [0.726104, 0.780233], [0.642159, 0.864805], [0.556721, 0.902192],
        [0.490127, 0.909281], [0.423532, 0.902192], [0.338094, 0.864805], [0.290379, 0.784792],
        [0.428096, 0.778746], [0.490127, 0.785343], [0.552157, 0.778746], [0.689874, 0.784792],
        [0.553364, 0.824182], [0.490127, 0.831803], [0.42689, 0.824182],
    ]
)  # fmt: skip
"""Points 17..67 of the iBUG 68 in dlib's mean face, as shares of its side, shape (51, 2)."""
MEAN_FACE.setflags(write=False)

ALIGNED_POINTS: Final = tuple(index for index in range(27, 68) if not (55 <= index <= 59 or index >= 65))
"""The points by which dlib aligns: brows and the lower lip are left out, because they move."""


@dataclass(frozen=True, slots=True)
class Move:
    """A small change of a face's position in its chip.

    Attributes:
        degrees: Rotation around the chip's centre, clockwise.
        scale: Above 1 makes the face larger.
        shift: (x, y), as shares of the chip's side.
    """

    degrees: float = 0.0
    scale: float = 1.0
    shift: tuple[float, float] = (0.0, 0.0)


MOVES: Final = (
    Move(degrees=3.0, shift=(0.02, 0.0)),
    Move(degrees=-3.0, shift=(-0.02, 0.0)),
    Move(degrees=1.0, scale=1.05, shift=(0.0, 0.02)),
    Move(degrees=-1.0, scale=0.95, shift=(0.0, -0.02)),
)
"""The chips whose mean is a template; each is used as it is and mirrored."""


def chip_frame(
    points: NDArray[np.float64],
    mean: NDArray[np.float64],
    *,
    move: Move | None = None,
) -> Any:
    """Return the position of a chip in an image: ``dlib.chip_details``.

    Args:
        points: Shape (n, 2), n of 2 or more, the face's points in the image.
        mean: Shape (n, 2), the points in the mean face, as shares of its side.
        move: The change after alignment.
    """
    import dlib

    wanted = (mean + _PADDING) / (1.0 + 2.0 * _PADDING)
    if move is not None:
        angle = np.radians(move.degrees)
        turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
        wanted = move.scale * (wanted - 0.5) @ turn.T + 0.5 + np.array(move.shift)
    pairs = (wanted * CHIP_SIDE, points)
    ends = [dlib.dpoints([dlib.dpoint(x, y) for x, y in each.tolist()]) for each in pairs]
    return dlib.chip_details(*ends, dlib.chip_dims(rows=CHIP_SIDE, cols=CHIP_SIDE))


def cut_chips(picture: NDArray[np.uint8], points: NDArray[np.float64]) -> NDArray[np.float32]:
    """Return the chips of one face for the embedder.

    Args:
        picture: RGB, shape (height, width, 3).
        points: Shape (68, 2), the iBUG points of the face in it.

    Returns:
        Shape (2 n, 3, 150, 150), RGB, 0..255: all ``MOVES``, then their mirror images.

    Raises:
        RuntimeError: dlib cannot cut the chips.
    """
    import dlib

    aligned = list(ALIGNED_POINTS)
    mean = MEAN_FACE[[index - 17 for index in aligned]]
    frames = [chip_frame(points[aligned], mean, move=move) for move in MOVES]
    plain = np.stack(dlib.extract_image_chips(picture, frames)).transpose(0, 3, 1, 2)
    return np.concatenate([plain, plain[..., ::-1]]).astype(np.float32)


# dlib's second face detector, a small network that finds faces that the HOG detector misses.
#
# HOG needs a whole, frontal, evenly lit face. The network also finds faces that the image's border cuts,
# that look aside or that are dark, but it is too slow for every frame. So it runs only if HOG finds
# nothing.
#
# The network detects one size of face, so it runs on the image at many sizes. Its boxes lie a little higher
# and are a little narrower than HOG's, on which the shape predictor was trained. They are changed to match,
# by the medians over photos in which both found the face.
#
# Source: D. King, "Max-Margin Object Detection", arXiv:1502.00046, 2015.

_LONG_SIDE = 240
_STEP_DOWN = 5 / 6
_SMALLEST_SIDE = 64
_BORDER = 16
"""The border around the image, pixels, so that enough of a face cut by it is visible; a multiple of the
network's step."""
_OVERLAP = 0.3
_WIDTH_TO_HOG = 1 / 0.96
_DOWN_TO_HOG = 0.037


class DlibFinder:
    """Finds faces with dlib's max-margin network. Threads may share one."""

    def __init__(self, session: OnnxSession) -> None:
        """Take over a loaded network.

        Args:
            session: The model that ``lab.packs.dlib_networks.finder_to_onnx`` makes.
        """
        self._session = session

    def find(self, image: BgrImage) -> list[tuple[Box, float]]:
        """Return boxes like those of dlib's HOG detector, and the network's scores, best first.

        Args:
            image: The frame; faces narrower than a third of its longer side are not found.

        Raises:
            ModelFailed: The network failed.
        """
        rgb = cv2.cvtColor(image, cv2.COLOR_BGR2RGB)
        scale = _LONG_SIDE / max(image.shape[:2])
        windows: list[tuple[float, float, float, float]] = []
        while min(image.shape[:2]) * scale >= _SMALLEST_SIDE:
            size = max(1, round(image.shape[1] * scale)), max(1, round(image.shape[0] * scale))
            smooth = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
            scores = self._scores(np.asarray(cv2.resize(rgb, size, interpolation=smooth), dtype=np.uint8))
            step, first = FINDER_STEP
            for row, column in zip(*np.nonzero(scores > 0), strict=True):
                centre_x, centre_y = ((step * int(at) + first - _BORDER) / scale for at in (column, row))
                windows.append((float(scores[row, column]), centre_x, centre_y, FINDER_WINDOW / scale))
            scale *= _STEP_DOWN
        return _strongest(windows)

    def _scores(self, rgb: NDArray[np.uint8]) -> NDArray[np.float32]:
        framed = np.pad(rgb, ((_BORDER, _BORDER), (_BORDER, _BORDER), (0, 0)))
        picture = np.ascontiguousarray(framed.transpose(2, 0, 1)[None], dtype=np.float32)
        try:
            scores: NDArray[np.float32] = self._session.run(None, {"picture": picture})[0][0, 0]
        except Exception as error:
            raise ModelFailed(f"dlib's second detector failed ({type(error).__name__})") from error
        return scores


def _strongest(windows: list[tuple[float, float, float, float]]) -> list[tuple[Box, float]]:
    """Return the window of the highest score among those that overlap, as the box that HOG would give."""
    kept: list[tuple[float, float, float, float]] = []
    for window in sorted(windows, reverse=True):
        if all(_overlap(window[1:], other[1:]) < _OVERLAP for other in kept):
            kept.append(window)
    found = []
    for score, centre_x, centre_y, side in kept:
        half = side * _WIDTH_TO_HOG / 2
        down = centre_y + 2 * half * _DOWN_TO_HOG
        found.append((Box(centre_x - half, down - half, centre_x + half, down + half), score))
    return found


def _overlap(one: tuple[float, float, float], other: tuple[float, float, float]) -> float:
    """Return the intersection over union of two squares, given as centre and side."""
    reach = (one[2] + other[2]) / 2
    across, down = (max(0.0, min(reach - abs(one[at] - other[at]), one[2], other[2])) for at in (0, 1))
    shared = across * down
    return shared / (one[2] ** 2 + other[2] ** 2 - shared)


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

        ``finder`` runs if HOG finds nothing.
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


# dlib's ResNet embedder, run by ONNX Runtime.
#
# Sources: D. King, dlib-models (network); ``lab.packs.dlib_models`` (its input).

PREPROCESSING = "dlib-chips-2: four moves and their mirror images"
"""Part of a template's id, because templates made in different ways must not be compared."""

_DIMENSIONS = 128


class DlibEmbedder:
    """Makes templates of 128 numbers with Python's lock released; implements ``interfaces.Embedder``."""

    def __init__(self, session: OnnxSession, shapes: ShapePredictor) -> None:
        """Take over a loaded network.

        ``session`` runs the model that ``lab.packs.dlib_networks.resnet_to_onnx`` makes.
        """
        self._session = session
        self._shapes = shapes

    @property
    def dimensions(self) -> int:
        """128."""
        return _DIMENSIONS

    def embed(
        self,
        image: BgrImage,
        face: DetectedFace,
        landmarks: Landmarks | None = None,
        *,
        mirrored: bool = True,
    ) -> Embedding:
        """Return the template of ``face``, of length 1; the face must come from dlib's detector.

        Raises:
            ModelFailed: The box lies outside the image, or the network failed.
        """
        points, region = self._shapes.in_region(image, face.box)
        try:
            chips = cut_chips(region, points)
            vectors = self._session.run(None, {"chips": chips})[0]
        except Exception as error:
            raise ModelFailed(f"dlib's embedder failed ({type(error).__name__})") from error
        return to_unit_length(np.sum(vectors.astype(np.float64), axis=0))
