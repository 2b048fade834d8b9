"""The scores of the pack's PAD networks on frames spread over the scan."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

_LEAST_IN_STRETCH = 3
"""The least number of scored frames of a stretch that is judged by itself."""


@dataclass(frozen=True, slots=True)
class PadScore:
    """The result of one PAD network for one frame.

    Attributes:
        frame_index: The frame's index in the scan.
        network: ``PadNetwork.name``.
        real_probability: The probability that the face is real, 0..1.
    """

    frame_index: int
    network: str
    real_probability: float


def stretch_medians(scores: Sequence[PadScore]) -> tuple[dict[str, float], ...]:
    """Return ``network_medians`` of each half of the scored frames, in order; empty with too few frames."""
    indices = sorted({score.frame_index for score in scores})
    if len(indices) < 2 * _LEAST_IN_STRETCH:
        return ()
    middle = indices[len(indices) // 2]
    return (
        network_medians([score for score in scores if score.frame_index < middle]),
        network_medians([score for score in scores if score.frame_index >= middle]),
    )


def network_medians(scores: Sequence[PadScore]) -> dict[str, float]:
    """Return each network's median probability over the frames, 0..1, by its name, sorted by name."""
    return {
        network: float(np.median([score.real_probability for score in scores if score.network == network]))
        for network in sorted({score.network for score in scores})
    }
