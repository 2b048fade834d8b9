"""The signal of the pack's PAD networks on the selected frames."""

from collections.abc import Sequence

import numpy as np

from liveness.express.interface import PadScore
from liveness.express.settings import ExpressSettings
from liveness.observation import ScanObservations
from liveness.signal import Signal, assessed, not_assessed

_TRIMMED_SHARE = 0.2


class PadNetworks:
    """The mean over the networks of each network's trimmed mean over the frames.

    The lowest and the highest fifth of the frames are left out, so that one blurred or odd frame cannot
    decide.
    """

    name = "pad_network"
    label = "Looks real to the network"

    def __init__(self, scores: Sequence[PadScore]) -> None:
        """Takes the networks' scores; empty if the pack has no network."""
        self._scores = tuple(scores)

    def assess(self, scan: ScanObservations, settings: ExpressSettings) -> Signal:
        """See ``ExpressSignal.assess``; not assessed without scores."""
        del scan, settings
        if not self._scores:
            return not_assessed(
                name=self.name,
                label=self.label,
                reason="The pack has no PAD network, or no frame was suitable for it.",
            )
        means = network_means(self._scores)
        frames = len({score.frame_index for score in self._scores})
        listed = ", ".join(f"{network} {mean:.2f}" for network, mean in means.items())
        return assessed(
            name=self.name,
            label=self.label,
            score=float(np.mean(list(means.values()))),
            detail=f"Probability of a real face (frames examined: {frames}): {listed}.",
        )


def network_means(scores: Sequence[PadScore]) -> dict[str, float]:
    """Returns each network's trimmed mean over the frames, 0..1, by its name, sorted by name."""
    return {
        network: _trimmed_mean([score.real_probability for score in scores if score.network == network])
        for network in sorted({score.network for score in scores})
    }


def _trimmed_mean(values: list[float]) -> float:
    left_out = int(_TRIMMED_SHARE * len(values))
    ordered = sorted(values)
    return float(np.mean(ordered[left_out : len(ordered) - left_out]))
