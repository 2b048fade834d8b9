"""What attacks would add to a scan, drawn into one that was observed: bands, leaps of the face."""

from dataclasses import replace

import numpy as np

from liveness.express.interface import FrameEmbedding
from liveness.extent import face_extent
from liveness.observation import FrameObservation, ScanObservations
from vision.face import Embedding

_BANDS_PER_FRAME = 2.5
_BAND_HERTZ = 61.7
"""Not near a multiple of the rates at which frames are watched, so that the bands drift; where they nearly
stand still, as those of an exact 60 Hz do at 30 frames a second, no change between frames shows them."""

_SCREEN = 0.95
"""Half the width of a screen, face widths."""


def with_bands(scan: ScanObservations, depth: float, *, everywhere: bool) -> ScanObservations:
    """The scan with bands that drift: over a screen around the face, or everywhere, as under a lamp.

    Args:
        scan: Any scan.
        depth: Of the bands, as a share of the brightness.
        everywhere: Whether the room is lit by them too.
    """
    frames = tuple(_banded(frame, depth, everywhere) for frame in scan.frames)
    return replace(scan, frames=frames)


def with_leap(
    embeddings: tuple[FrameEmbedding, ...], other: Embedding, at: int
) -> tuple[FrameEmbedding, ...]:
    """The templates with another person's in place of number ``at``, as where a face swap fails."""
    return tuple(
        replace(one, embedding=other) if number == at else one for number, one in enumerate(embeddings)
    )


def _banded(frame: FrameObservation, depth: float, everywhere: bool) -> FrameObservation:
    if frame.face is None:
        return frame
    down, across = frame.samples.shape
    extent = face_extent(frame.face)
    place = (np.arange(across) + 0.5) * frame.width / across
    lit = everywhere | (np.abs(place - extent.x) < _SCREEN * extent.width)
    turns = _BANDS_PER_FRAME * np.arange(down) / down + _BAND_HERTZ * frame.capture_time
    bands = 1 + depth * np.cos(2 * np.pi * turns)
    # Rounding alone would swallow bands of less than a grey level; a sensor's noise spreads them.
    noise = np.random.default_rng(frame.index).uniform(-0.5, 0.5, frame.samples.shape)
    shown = np.where(lit[None, :], frame.samples * bands[:, None], frame.samples) + noise
    return replace(frame, samples=np.clip(shown.round(), 0, 255).astype(np.uint8))
