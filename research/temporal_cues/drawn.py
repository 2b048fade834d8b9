"""What attacks would add to a scan, drawn into one that was observed: a leap of the face."""

from dataclasses import replace

from liveness.express.interface import FrameEmbedding
from vision.face import Embedding


def with_leap(
    embeddings: tuple[FrameEmbedding, ...], other: Embedding, at: int
) -> tuple[FrameEmbedding, ...]:
    """The templates with another person's in place of number ``at``, as where a face swap fails."""
    return tuple(
        replace(one, embedding=other) if number == at else one for number, one in enumerate(embeddings)
    )
