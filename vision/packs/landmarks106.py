"""The 106-point landmarks of ``insightface.model_zoo.Landmark``."""

from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from vision.errors import ModelFailed
from vision.face import BgrImage, DetectedFace, Landmarks

__all__ = ["Landmark106Model", "Landmarker106"]

_SCHEME = "insightface106"
_POINTS = 106


class Landmark106Model(Protocol):
    """The part of ``insightface.model_zoo.Landmark`` that is used."""

    def get(self, img: BgrImage, face: Any) -> NDArray[np.float32]:
        """Return the points of ``face``, shape (106, 2)."""
        ...


class Landmarker106:
    """Implements ``vision.packs.interfaces.Landmarker``."""

    def __init__(self, model: Landmark106Model) -> None:
        """Take over a loaded model."""
        self._model = model

    @property
    def scheme(self) -> str:
        """``"insightface106"``."""
        return _SCHEME

    def locate(self, image: BgrImage, face: DetectedFace) -> Landmarks:
        """Return the landmarks of ``face`` in ``image``.

        Raises:
            ModelFailed: The model could not be run, or did not give 106 points.
        """
        from insightface.app.common import Face

        box = face.box
        subject = Face(bbox=np.array([box.left, box.top, box.right, box.bottom], dtype=np.float32))
        try:
            points = np.asarray(self._model.get(image, subject), dtype=np.float32)
        except Exception as error:
            raise ModelFailed(f"the landmarks model failed ({type(error).__name__})") from error
        if points.shape != (_POINTS, 2):
            raise ModelFailed(f"the landmarks model gave {points.shape}, expected {_POINTS} points")
        return Landmarks(points=points, scheme=_SCHEME)
