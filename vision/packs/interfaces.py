"""What a pack's models do, whoever made them.

Every model is called from several threads at once and keeps no state between calls.
"""

from typing import Protocol

from vision.face import BgrImage, DetectedFace, Embedding, Landmarks


class FaceDetector(Protocol):
    """Finds faces and their five points."""

    def detect(self, image: BgrImage) -> tuple[DetectedFace, ...]:
        """All faces in ``image``, largest first; empty when there is none."""
        ...


class Landmarker(Protocol):
    """Finds dense landmarks of a face that a detector found."""

    @property
    def scheme(self) -> str:
        """Which point is which; see ``vision.face.Landmarks``."""
        ...

    def locate(self, image: BgrImage, face: DetectedFace) -> Landmarks | None:
        """The landmarks of ``face`` in ``image``; None where the model sees no face there."""
        ...


class Embedder(Protocol):
    """Turns a face into a template whose cosine similarity tells persons apart."""

    @property
    def dimensions(self) -> int:
        """Length of a template."""
        ...

    def embed(self, image: BgrImage, face: DetectedFace) -> Embedding:
        """The template of ``face``, of length 1."""
        ...


class PadNetwork(Protocol):
    """A presentation attack detection network for single frames."""

    @property
    def name(self) -> str:
        """The network's name in results, such as ``"minifas_v2se"``."""
        ...

    def real_probability(self, image: BgrImage, face: DetectedFace) -> float:
        """The network's own probability, 0..1, that ``face`` is a bona fide presentation."""
        ...
