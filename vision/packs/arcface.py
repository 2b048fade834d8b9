"""ArcFace-type embedders, run through ``insightface.model_zoo`` or a session of their own."""

from typing import Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from vision.errors import ModelFailed
from vision.face import BgrImage, DetectedFace, Embedding
from vision.geometry import align_face, mesh_points
from vision.onnx_sessions import OnnxSession
from vision.packs.catalogue import EmbedderPreprocessing
from vision.packs.interfaces import Landmarker
from vision.packs.templates import to_unit_length

__all__ = ["ArcFaceEmbedder", "ArcFaceModel", "SessionArcFace"]


class ArcFaceModel(Protocol):
    """The part of ``insightface.model_zoo.ArcFaceONNX`` that is used."""

    input_mean: NDArray[np.float32] | float
    input_std: NDArray[np.float32] | float
    input_size: tuple[int, int]
    output_shape: list[int]

    def forward(self, batch_data: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return the templates of a batch, shape (n, 3, height, width) of 0..255 in RGB."""
        ...


class SessionArcFace:
    """An ``ArcFaceModel`` without the library, because importing that takes a second."""

    def __init__(self, session: OnnxSession) -> None:
        """Wrap a loaded network.

        Args:
            session: One input of shape (1, 3, side, side), one output of shape (1, dimensions).

        Raises:
            ValueError: The session has other shapes.
        """
        inputs, outputs = session.get_inputs(), session.get_outputs()
        expects, gives = list(inputs[0].shape), list(outputs[0].shape)
        # The batch size may be a name; the other sides must be numbers.
        sides = [*expects[1:], *gives[1:]]
        if (
            (len(inputs), len(expects), len(outputs), len(gives)) != (1, 4, 1, 2)
            or not all(isinstance(side, int) for side in sides)
            or (expects[1], expects[2]) != (3, expects[3])
        ):
            raise ValueError(f"expected a batch of square RGB images to a batch of templates, got {sides}")
        self.input_mean: NDArray[np.float32] | float = 0.0
        self.input_std: NDArray[np.float32] | float = 1.0
        self.input_size = (int(expects[3]), int(expects[2]))
        self.output_shape = [1, int(gives[1])]
        self._session = session
        self._input = str(inputs[0].name)

    def forward(self, batch_data: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return the templates of a batch of 0..255 in RGB."""
        normalised = ((batch_data - self.input_mean) / self.input_std).astype(np.float32)
        return self._session.run(None, {self._input: normalised})[0]


class ArcFaceEmbedder:
    """Aligns, normalises and embeds; implements ``vision.packs.interfaces.Embedder``."""

    def __init__(
        self,
        model: ArcFaceModel,
        preprocessing: EmbedderPreprocessing,
        landmarker: Landmarker | None = None,
    ) -> None:
        """Take over a loaded model.

        Args:
            model: The model. Its mean and deviation are set to those of ``preprocessing``.
            preprocessing: From the catalogue; the library can only guess it from the graph.
            landmarker: The pack's; used if ``preprocessing`` asks for MediaPipe's mesh and this locates it.
        """
        model.input_mean = np.array(preprocessing.mean, dtype=np.float32).reshape(1, 3, 1, 1)
        model.input_std = np.array(preprocessing.std, dtype=np.float32).reshape(1, 3, 1, 1)
        self._model = model
        self._size = int(model.input_size[0])
        self._dimensions = int(model.output_shape[1])
        self._mirror_average = preprocessing.mirror_average
        has_mesh = landmarker is not None and landmarker.scheme == "mediapipe478"
        self._landmarker = landmarker if preprocessing.mesh_points and has_mesh else None
        points = "five-points" if self._landmarker is None else "mesh-points"
        self._described = _described(preprocessing, f"{points}-{self._size}")

    @property
    def dimensions(self) -> int:
        """Length of a template."""
        return self._dimensions

    @property
    def aligns_by_mesh(self) -> bool:
        """Whether MediaPipe's mesh, and not the detector, gives the points by which faces are aligned."""
        return self._landmarker is not None

    @property
    def preprocessing(self) -> str:
        """Alignment, normalisation, and whether the mirror image is added; part of a template's id."""
        return self._described

    def embed(self, image: BgrImage, face: DetectedFace) -> Embedding:
        """Return the template of ``face``, of length 1.

        A face without a mesh, such as a profile in a scan, is aligned by the detector's points. Photos of
        such faces are no portraits, and are in no calibration (``Pack.shows_features``).

        Raises:
            ModelFailed: A model could not be run or gave no usable template.
        """
        found = None if self._landmarker is None else mesh_points(self._landmarker.locate(image, face))
        aligned = align_face(image, face.five_points if found is None else found, self._size)
        template = self._run(aligned)
        if self._mirror_average:
            template = template + self._run(aligned[:, ::-1])
        return to_unit_length(template)

    def _run(self, aligned: BgrImage) -> NDArray[np.float32]:
        rgb = cv2.cvtColor(np.ascontiguousarray(aligned), cv2.COLOR_BGR2RGB)
        batch = np.ascontiguousarray(rgb.transpose(2, 0, 1)[None], dtype=np.float32)
        try:
            return to_unit_length(self._model.forward(batch)[0])
        except ModelFailed:
            raise
        except Exception as error:
            raise ModelFailed(f"the embedder failed ({type(error).__name__})") from error


def _described(preprocessing: EmbedderPreprocessing, points: str) -> str:
    mean, std = (
        ",".join(f"{value:g}" for value in values) for values in (preprocessing.mean, preprocessing.std)
    )
    mirror = "+mirror" if preprocessing.mirror_average else ""
    return f"{points};mean={mean};std={std}{mirror}"
