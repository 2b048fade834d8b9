"""The signal of the pack's PAD networks on frames spread over the scan."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from liveness.express.settings import ExpressSettings
from liveness.observation import ScanObservations
from liveness.verdict import NamedSignal, Signal, network_log_odds

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


class PadNetworks(NamedSignal):
    """The mean over the networks of the log odds of each network's median over the frames, as a probability.

    With the median, no minority of frames decides.
    """

    name = "pad_network"
    label = "Looks real to the network"

    def __init__(self, scores: Sequence[PadScore]) -> None:
        """Take the networks' scores; empty if the pack has no network."""
        self._scores = tuple(scores)

    def assess(self, scan: ScanObservations, settings: ExpressSettings) -> Signal:
        """See ``ExpressSignal.assess``; not assessed without scores."""
        del scan, settings
        if not self._scores:
            return self.unknown("No frame was suitable for a PAD network, or the pack has none.")
        medians = network_medians(self._scores)
        odds = float(np.mean([network_log_odds(median) for median in medians.values()]))
        frames = len({score.frame_index for score in self._scores})
        listed = ", ".join(f"{network} {median:.2f}" for network, median in medians.items())
        return self.scored(
            1 / (1 + math.exp(-odds)), f"Probability of a real face (frames examined: {frames}): {listed}."
        )


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
