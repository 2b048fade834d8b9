"""Face templates: vectors, with an id that states how they were made."""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from vision.errors import ModelFailed
from vision.face import Embedding

__all__ = ["Template", "TemplateForm", "to_unit_length"]


@dataclass(frozen=True, slots=True, kw_only=True)
class TemplateForm:
    """How an embedder makes templates. Only templates of one form can be compared.

    Attributes:
        model: Name of the embedder.
        sha256: SHA-256 of its file, lower-case hex.
        dimensions: Length of a template.
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
