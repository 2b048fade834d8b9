"""Does the face leap to another one for a moment and back?

A face swap is drawn anew in each frame; where it fails for a frame, or lets the face below show through, the
template leaps and returns, which the slow changes of a head's turn and a person's expression do not (temporal
inconsistency of identity: Liu et al., "TI2Net", WACV 2023). A swap that never fails does not jitter: on the
two recorded deepfakes templates wander no more than on the live clips, so that calm says nothing.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from liveness.express.interface import FrameEmbedding
from liveness.express.scoring import score_against_line
from liveness.express.settings import ExpressSettings
from liveness.observation import ScanObservations
from liveness.signal import Signal, assessed, not_assessed

_STEEPNESS = 3.0
_USUAL_PERCENT = 25
"""Of the distances of consecutive frames: low, as two leaps make four of eight distances large."""


@dataclass(frozen=True, slots=True)
class LeapFinding:
    """How a scan's templates wander; distances are 1 - cosine.

    Attributes:
        leap: Of the frame that differs most from both its neighbours: the smaller of the two distances, over
            the neighbours' own distance and what consecutive frames usually differ by.
        usual: Lower quartile of the distances of consecutive frames.
        frames: How many templates there are.
    """

    leap: float
    usual: float
    frames: int


class EmbeddingJitter:
    """The largest leap of the template that comes back at once.

    That none comes is what nearly all scans show, genuine or not: 0.5.
    """

    name = "embedding_jitter"
    label = "Keeps one face from frame to frame"

    def __init__(self, embeddings: Sequence[FrameEmbedding]) -> None:
        """Take the templates of selected frames, spread over the scan; none where nobody computed them."""
        self._embeddings = tuple(embeddings)

    def assess(self, scan: ScanObservations, settings: ExpressSettings) -> Signal:
        """See ``ExpressSignal.assess``; not assessed with too few templates."""
        del scan
        if len(self._embeddings) < settings.fewest_embeddings:
            return not_assessed(
                name=self.name,
                label=self.label,
                reason=f"{len(self._embeddings)} templates are too few to see the face leap.",
            )
        found = measure_leaps(self._embeddings, floor=settings.embedding_floor)
        calm = found.leap < settings.leap_line
        score = 0.5 if calm else 1 - score_against_line(found.leap, settings.leap_line, _STEEPNESS)
        told = "no frame shows another face" if calm else "one frame shows another face than its neighbours"
        return assessed(
            name=self.name,
            label=self.label,
            score=score,
            detail=f"In {found.frames} frames {told} (largest leap {found.leap:.1f} times the usual).",
        )


def measure_leaps(embeddings: Sequence[FrameEmbedding], *, floor: float) -> LeapFinding:
    """Compare each template with those before and after it.

    Args:
        embeddings: 3 or more.
        floor: What consecutive frames are taken to differ by at least, 1 - cosine, so that a blink in a calm
            scan is no leap.
    """
    ordered = sorted(embeddings, key=lambda embedding: embedding.frame_index)
    templates = np.stack([one.embedding for one in ordered]).astype(np.float64)
    steps = 1 - (templates[1:] * templates[:-1]).sum(axis=1)
    across = 1 - (templates[2:] * templates[:-2]).sum(axis=1)
    usual = float(np.percentile(steps, _USUAL_PERCENT))
    leaps = np.minimum(steps[1:], steps[:-1]) / (np.maximum(0, across) + max(floor, usual))
    return LeapFinding(leap=float(leaps.max()), usual=usual, frames=len(ordered))
