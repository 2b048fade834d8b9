"""dlib's ResNet embedder, run by ONNX Runtime.

Sources: D. King, dlib-models (network); ``vision.packs.dlib_chips`` (its input).
"""

import numpy as np

from vision.errors import ModelFailed
from vision.face import BgrImage, DetectedFace, Embedding
from vision.onnx_sessions import OnnxSession
from vision.packs.dlib_chips import cut_chips
from vision.packs.dlib_models import ShapePredictor
from vision.packs.templates import to_unit_length

__all__ = ["PREPROCESSING", "DlibEmbedder"]

PREPROCESSING = "dlib-chips-2: four moves and their mirror images"
"""Part of a template's id, because templates made in different ways must not be compared."""

_DIMENSIONS = 128


class DlibEmbedder:
    """Makes templates of 128 numbers with Python's lock released; implements ``interfaces.Embedder``."""

    def __init__(self, session: OnnxSession, shapes: ShapePredictor) -> None:
        """Take over a loaded network.

        Args:
            session: The model that ``vision.packs.dlib_networks.resnet_to_onnx`` makes.
            shapes: Locates the points by which the face is aligned.
        """
        self._session = session
        self._shapes = shapes

    @property
    def dimensions(self) -> int:
        """128."""
        return _DIMENSIONS

    def embed(self, image: BgrImage, face: DetectedFace) -> Embedding:
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
