"""The protocols of a pack's models, independent of their makers.

Every model is called from several threads at once and keeps no state between calls.
"""

from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from vision.errors import ModelFailed
from vision.face import BgrImage, DetectedFace, Embedding, Landmarks


@dataclass(frozen=True, slots=True, kw_only=True)
class TemplateForm:
    """How an embedder makes templates. Only templates of one form can be compared.

    Attributes:
        sha256: SHA-256 of its file, lower-case hex.
        preprocessing: The steps before and after the network: alignment, normalisation, mirror image.
    """

    model: str
    sha256: str
    dimensions: int
    preprocessing: str

    @property
    def id(self) -> str:
        """The id of templates of this form."""
        return f"{self.model}/{self.sha256}/{self.dimensions}/{self.preprocessing}"


@dataclass(frozen=True, slots=True)
class Template:
    """A face template with the id of its form.

    Attributes:
        vector: The vector, of length 1.
        form_id: ``TemplateForm.id``.
    """

    vector: Embedding = field(repr=False)
    form_id: str


def to_unit_length(vector: NDArray[np.float32] | NDArray[np.float64]) -> Embedding:
    """Return ``vector`` scaled to Euclidean length 1.

    Args:
        vector: Shape (dimensions,).

    Raises:
        ModelFailed: The vector has no direction: it is all zero, or not finite.
    """
    length = float(np.linalg.norm(vector))
    if not (np.isfinite(length) and length > 0):
        raise ModelFailed("the embedder gave a template without direction")
    return (vector / length).astype(np.float32)


class FaceDetector(Protocol):
    """Detects faces and their five points."""

    def detect(self, image: BgrImage) -> tuple[DetectedFace, ...]:
        """Return all faces in ``image``, largest first; empty if there are none."""
        ...


class Landmarker(Protocol):
    """Locates the dense landmarks of a detected face."""

    @property
    def scheme(self) -> str:
        """The order of the points; see ``vision.face.Landmarks``."""
        ...

    def locate(self, image: BgrImage, face: DetectedFace) -> Landmarks | None:
        """Return the landmarks of ``face`` in ``image``; ``None`` if the model finds no face there."""
        ...


class Embedder(Protocol):
    """Turns a face into a template; the cosine similarity of two templates distinguishes persons."""

    @property
    def dimensions(self) -> int:
        """Length of a template."""
        ...

    def embed(
        self,
        image: BgrImage,
        face: DetectedFace,
        landmarks: Landmarks | None = None,
        *,
        mirrored: bool = True,
    ) -> Embedding:
        """Return the template of ``face``, of length 1.

        Args:
            image: The upright image.
            landmarks: What the pack's landmarker located there; ``None`` if it is not known. An embedder that
                needs it locates it then.
            mirrored: Whether the mirror image is added if the embedder's preprocessing has it. Without it, a
                template takes half the time, and can be compared with the others: for the frames of a scan,
                of which several are fused.
        """
        ...


class PadNetwork(Protocol):
    """A presentation attack detection network for single frames."""

    @property
    def name(self) -> str:
        """The network's name in results, such as ``"minifas_v2se"``."""
        ...

    def real_probability(self, image: BgrImage, face: DetectedFace) -> float:
        """Return the network's own probability, 0..1, that ``face`` is a bona fide presentation."""
        ...
