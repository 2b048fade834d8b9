"""The protocols of a pack's models, independent of their makers.

Every model is called from several threads at once and keeps no state between calls.
"""

from typing import Protocol

from vision.face import BgrImage, DetectedFace, Embedding, Landmarks


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

    def embed(self, image: BgrImage, face: DetectedFace) -> Embedding:
        """Return the template of ``face``, of length 1."""
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
