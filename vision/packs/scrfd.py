"""The SCRFD detector of ``insightface.model_zoo``, sized for selfies."""

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from vision.errors import ModelFailed
from vision.face import BgrImage, Box, DetectedFace
from vision.packs.detector_sizes import first_found

__all__ = ["ScrfdDetector", "ScrfdModel"]

_STRIDE = 32
_THRESHOLD = 0.5


class ScrfdModel(Protocol):
    """The part of ``insightface.model_zoo.SCRFD`` that is used.

    With its own session and no model file it passes every input size to that session. Its cache of anchor
    centres only grows, always by equal values, so threads may share it.
    """

    def detect(
        self, img: BgrImage, input_size: tuple[int, int] | None = None, *, det_thresh: float | None = None
    ) -> tuple[NDArray[np.float32], NDArray[np.float32] | None]:
        """Return boxes with scores, shape (n, 5), and key points, shape (n, 5, 2)."""
        ...


class ScrfdDetector:
    """Implements ``vision.packs.interfaces.FaceDetector``."""

    def __init__(self, model: ScrfdModel) -> None:
        """Take over a loaded model with key points."""
        self._model = model

    def detect(self, image: BgrImage) -> tuple[DetectedFace, ...]:
        """Return all faces in ``image``, largest first; empty if there are none.

        Raises:
            ModelFailed: The model could not be run.
        """
        return first_found(image, self._detect_at)

    def _detect_at(self, image: BgrImage, long_side: int) -> tuple[DetectedFace, ...]:
        try:
            boxes, points = self._model.detect(
                image, input_size=_input_size(image, long_side), det_thresh=_THRESHOLD
            )
        except Exception as error:
            raise ModelFailed(f"the detector failed ({type(error).__name__})") from error
        if points is None:
            raise ModelFailed("the detector gives no key points: use one of the _kps models")
        faces = [
            DetectedFace(
                box=Box(float(left), float(top), float(right), float(bottom)),
                confidence=min(1.0, float(score)),
                five_points=five.astype(np.float32),
            )
            for (left, top, right, bottom, score), five in zip(boxes, points, strict=True)
            if right > left and bottom > top
        ]
        return tuple(sorted(faces, key=lambda face: face.box.area, reverse=True))


def _input_size(image: BgrImage, long_side: int) -> tuple[int, int]:
    """Return width and height of the smallest input that contains the frame, in whole strides."""
    height, width = image.shape[:2]
    scale = long_side / max(height, width)
    return _strides(width * scale), _strides(height * scale)


def _strides(side: float) -> int:
    return max(1, -(-round(side) // _STRIDE)) * _STRIDE
