"""Packs of the ``open`` family: permissively licensed files, run by Facegate's own loaders.

YuNet detects faces, SFace or an ArcFace-type network such as MobileFaceNet makes templates, and MediaPipe's
Face Landmarker locates dense landmarks. The ``insightface`` library is not imported.
"""

from collections.abc import Mapping

import cv2
import numpy as np
from numpy.typing import NDArray

from vision.errors import ModelFailed, PackFileUnusable
from vision.face import BgrImage, Box, DetectedFace
from vision.graph_rewrite import with_free_sides
from vision.onnx_sessions import OnnxSession, RuntimeOptions, create_session
from vision.packs.onnx_models import first_found, load_mediapipe, make_pack
from vision.packs.pack import Pack
from vision.packs.pack_files import PackFiles

# The YuNet detector of the OpenCV zoo, run by ONNX Runtime and sized for selfies.
#
# OpenCV's own ``cv2.FaceDetectorYN`` takes twice the time for the same answers, and threads may not share
# one. So this module decodes the outputs.
#
# Sources: W. Wu, H. Peng and S. Yu, "YuNet: A Tiny Millisecond-level Face Detector", Machine Intelligence
# Research 20 (2023); decoding as in OpenCV 5, ``modules/objdetect/src/face_detect.cpp``.

_STRIDES = (8, 16, 32)
_PARTS = ("cls", "obj", "bbox", "kps")
_OUTPUTS = tuple(f"{part}_{stride}" for part in _PARTS for stride in _STRIDES)
_THRESHOLD = 0.6
_MOST_OVERLAP = 0.3
_MOST_CANDIDATES = 500


class YunetDetector:
    """Implements ``vision.packs.interfaces.FaceDetector``; keeps no state between calls."""

    def __init__(self, session: OnnxSession) -> None:
        """Take over a loaded network.

        Args:
            session: One input of shape (1, 3, height, width), blue-green-red 0..255, sides that are
                multiples of 32; twelve outputs: class, object, box and points at strides 8, 16 and 32.

        Raises:
            PackFileUnusable: The network has other outputs.
        """
        names = {output.name for output in session.get_outputs()}
        if names != set(_OUTPUTS):
            raise PackFileUnusable(
                f"the network is not YuNet of 2023: expected the outputs {', '.join(_OUTPUTS)}, found "
                f"{', '.join(sorted(names))}"
            )
        self._session = session
        self._input = str(session.get_inputs()[0].name)

    def detect(self, image: BgrImage) -> tuple[DetectedFace, ...]:
        """Return all faces in ``image``, largest first; empty if there are none.

        Raises:
            ModelFailed: The network could not be run.
        """
        return first_found(image, self._detect_at)

    def _detect_at(self, image: BgrImage, long_side: int) -> tuple[DetectedFace, ...]:
        try:
            blob, scale = _blob(image, long_side)
            outputs = dict(zip(_OUTPUTS, self._session.run(list(_OUTPUTS), {self._input: blob}), strict=True))
        except Exception as error:
            raise ModelFailed(f"the detector failed ({type(error).__name__})") from error
        width = blob.shape[3]
        scores, boxes, points = (
            np.concatenate(part)
            for part in zip(*(_decode(outputs, stride, width) for stride in _STRIDES), strict=True)
        )
        faces = [
            DetectedFace(
                box=Box(*(float(edge) for edge in boxes[index] / np.tile(scale, 2))),
                confidence=float(scores[index]),
                five_points=points[index] / scale,
            )
            for index in _distinct(boxes, scores)
        ]
        return tuple(sorted(faces, key=lambda face: face.box.area, reverse=True))


def _blob(image: BgrImage, long_side: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return the frame at ``long_side``, padded with black to whole strides, and its scale in x and y."""
    height, width = image.shape[:2]
    factor = long_side / max(height, width)
    inner_height, inner_width = max(1, round(height * factor)), max(1, round(width * factor))
    shrinks = factor < 1
    inner = cv2.resize(
        image, (inner_width, inner_height), interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
    )
    blob = np.zeros((1, 3, _whole(inner_height), _whole(inner_width)), np.float32)
    blob[0, :, :inner_height, :inner_width] = inner.transpose(2, 0, 1)
    return blob, np.array([inner_width / width, inner_height / height], np.float32)


def _whole(side: int) -> int:
    return -(-side // _STRIDES[-1]) * _STRIDES[-1]


def _decode(
    outputs: Mapping[str, NDArray[np.float32]], stride: int, width: int
) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float32]]:
    """Return the candidates of one stride above the threshold, in pixels of the input.

    Returns:
        Scores (n,), boxes (n, 4) as left, top, right, bottom, and points (n, 5, 2); the first eye and
        the first mouth corner are the person's right ones, so they are on the image's left.
    """
    classes, objects, sizes, points = (outputs[f"{part}_{stride}"][0] for part in _PARTS)
    scores = np.sqrt(np.clip(classes[:, 0], 0, 1) * np.clip(objects[:, 0], 0, 1))
    kept = np.flatnonzero(scores >= _THRESHOLD)
    kept = kept[np.argsort(-scores[kept], kind="stable")[:_MOST_CANDIDATES]]
    cells = np.stack([kept % (width // stride), kept // (width // stride)], axis=1).astype(np.float32)
    centres = (cells + sizes[kept, :2]) * stride
    with np.errstate(over="ignore"):
        halves = np.exp(sizes[kept, 2:]) * (stride / 2)
    boxes = np.concatenate([centres - halves, centres + halves], axis=1)
    five = (points[kept].reshape(-1, 5, 2) + cells[:, None]) * stride
    sound = np.isfinite(boxes).all(axis=1) & np.isfinite(five).all(axis=(1, 2))
    return scores[kept][sound], boxes[sound].astype(np.float32), five[sound].astype(np.float32)


def _distinct(boxes: NDArray[np.float32], scores: NDArray[np.float32]) -> list[int]:
    """Return the candidates to keep: the best of those that overlap (non-maximum suppression)."""
    areas = np.prod(boxes[:, 2:] - boxes[:, :2], axis=1)
    left = np.argsort(-scores, kind="stable")
    kept: list[int] = []
    while left.size:
        best, left = int(left[0]), left[1:]
        kept.append(best)
        overlap = np.minimum(boxes[best, 2:], boxes[left, 2:]) - np.maximum(boxes[best, :2], boxes[left, :2])
        shared = np.prod(np.maximum(overlap, 0), axis=1)
        left = left[shared <= _MOST_OVERLAP * (areas[best] + areas[left] - shared)]
    return kept


def make_open_pack(files: PackFiles, *, name: str, runtime: RuntimeOptions) -> Pack:
    """Load a pack of the ``open`` family from its files.

    Raises:
        PackIncomplete: There is no calibration for the embedder.
        PackFileUnusable: The runtime cannot load a file.
    """
    detector = files.detector
    session = create_session(with_free_sides(detector.content), runtime, name=detector.path.name)
    return make_pack(
        files,
        name=name,
        detector=YunetDetector(session),
        landmarker=None if files.landmarks is None else load_mediapipe(files.landmarks),
        runtime=runtime,
        session=session,
    )
