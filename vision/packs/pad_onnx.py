"""PAD networks in ONNX form, with the preprocessing that the catalogue states."""

import cv2
import numpy as np
from numpy.typing import NDArray

from vision.errors import ModelFailed, PackFileUnusable
from vision.face import BgrImage, DetectedFace
from vision.geometry import clamped_crop, context_crop
from vision.onnx_sessions import OnnxSession
from vision.packs.catalogue import PadPreprocessing

__all__ = ["OnnxPadNetwork"]


class OnnxPadNetwork:
    """A PAD network that classifies one crop of a face with its surroundings.

    Implements ``vision.packs.interfaces.PadNetwork``.
    """

    def __init__(self, *, name: str, session: OnnxSession, preprocessing: PadPreprocessing) -> None:
        """Wrap a loaded network.

        Args:
            name: Its name in results.
            session: One input of shape (1, 3, size, size), one output of shape (1, classes): logits.
            preprocessing: From the catalogue.

        Raises:
            PackFileUnusable: The network's shapes are not those that the catalogue states.
        """
        inputs, outputs = session.get_inputs(), session.get_outputs()
        expected = [3, preprocessing.size, preprocessing.size]
        if len(inputs) != 1 or list(inputs[0].shape[1:]) != expected or len(outputs[0].shape) != 2:
            raise PackFileUnusable(
                f"the PAD network {name} has another input or output than the catalogue states "
                f"(batch x {' x '.join(map(str, expected))} to batch x classes)"
            )
        classes = outputs[0].shape[1]
        if isinstance(classes, int) and not 0 <= preprocessing.real_class < classes:
            raise PackFileUnusable(f"the PAD network {name} has no class {preprocessing.real_class}")
        self._name = name
        self._session = session
        self._input = str(inputs[0].name)
        self._preprocessing = preprocessing

    @property
    def name(self) -> str:
        """The network's name in results."""
        return self._name

    def real_probability(self, image: BgrImage, face: DetectedFace) -> float:
        """Return the network's own probability, 0..1, that ``face`` is a bona fide presentation.

        Args:
            image: The frame. The face's surroundings matter as much as the face.
            face: The face from the pack's detector.

        Raises:
            ModelFailed: The network could not be run.
        """
        try:
            logits = self._session.run(None, {self._input: self._blob(image, face)})[0][0]
        except Exception as error:
            raise ModelFailed(f"the PAD network {self._name} failed ({type(error).__name__})") from error
        weights = np.exp(logits.astype(np.float64) - float(logits.max()))
        return float(weights[self._preprocessing.real_class] / weights.sum())

    def crops(self, image: BgrImage, face: DetectedFace) -> tuple[BgrImage, ...]:
        """Return the network's input: one crop, shape (size, size, 3), before its colours are scaled."""
        return (self._crop(image, face),)

    def _crop(self, image: BgrImage, face: DetectedFace) -> BgrImage:
        wanted = self._preprocessing
        take = context_crop if wanted.crop == "reflect" else clamped_crop
        return take(image, face.box, wanted.crop_scale, wanted.size)

    def _blob(self, image: BgrImage, face: DetectedFace) -> NDArray[np.float32]:
        wanted = self._preprocessing
        crop = self._crop(image, face)
        if wanted.colour == "RGB":
            crop = cv2.cvtColor(crop, cv2.COLOR_BGR2RGB).astype(np.uint8, copy=False)
        scaled = crop.astype(np.float32) / np.float32(wanted.divide_by)
        return np.ascontiguousarray(scaled.transpose(2, 0, 1)[None])
