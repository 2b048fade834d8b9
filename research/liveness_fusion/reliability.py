"""The reliability curve: how often predictions of each confidence are true.

(A. H. Murphy and R. L. Winkler, "Reliability of subjective probability forecasts", Applied Statistics
26(1), 1977; intervals: Clopper and Pearson, Biometrika 26(4), 1934.) Rows count as independent trials,
which frames of one source are not: the true intervals are wider.
"""

from collections.abc import Sequence

import numpy as np

from evaluation.binomial import proportion
from liveness.fusion_model import ReliabilityBin

__all__ = ["reliability_bins"]

_EDGES = (0.0, 0.1, 0.3, 0.5, 0.7, 0.9, 1.0)


def reliability_bins(predicted: Sequence[float], live: Sequence[bool]) -> tuple[ReliabilityBin, ...]:
    """Return bins of predictions (0..1) with the share that is true; empty bins are omitted."""
    places = np.clip(np.searchsorted(_EDGES, predicted, side="right") - 1, 0, len(_EDGES) - 2)
    bins = []
    for place in range(len(_EDGES) - 1):
        inside: list[int] = np.flatnonzero(places == place).tolist()
        found = proportion(sum(live[at] for at in inside), len(inside), confidence=0.95)
        if found is not None:
            bins.append(
                ReliabilityBin(
                    predicted=float(np.mean([predicted[at] for at in inside])),
                    live=found.hits,
                    count=found.trials,
                    lower=found.lower,
                    upper=found.upper,
                )
            )
    return tuple(bins)
