"""The reliability curve: how often predictions of each confidence are true.

(A. H. Murphy and R. L. Winkler, "Reliability of subjective probability forecasts", Applied Statistics
26(1), 1977; intervals: Clopper and Pearson, Biometrika 26(4), 1934.) Rows count as independent trials,
which frames of one source are not: the true intervals are wider.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from evaluation.binomial import proportion
from liveness.fusion_model import ReliabilityBin

__all__ = ["draw_reliability", "reliability_bins"]

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


def draw_reliability(curves: Mapping[str, Sequence[ReliabilityBin]], path: Path) -> None:
    """Draw all curves into one PNG; matplotlib comes with the extra ``evaluation``."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    columns = min(3, len(curves))
    rows = -(-len(curves) // columns)
    figure = Figure(figsize=(4 * columns, 3.6 * rows), layout="constrained")
    for place, (name, bins) in enumerate(curves.items(), start=1):
        axes = figure.add_subplot(rows, columns, place)
        axes.plot([0, 1], [0, 1], color="#999999", linestyle=":", linewidth=1)
        at = [one.predicted for one in bins]
        observed = [one.live / one.count for one in bins]
        spread = [
            [value - one.lower for value, one in zip(observed, bins, strict=True)],
            [one.upper - value for value, one in zip(observed, bins, strict=True)],
        ]
        axes.errorbar(at, observed, yerr=spread, marker="o", color="#0072b2", capsize=3)
        for one, value in zip(bins, observed, strict=True):
            axes.annotate(str(one.count), (one.predicted, value), textcoords="offset points", xytext=(5, -10))
        axes.set(xlim=(0, 1), ylim=(0, 1), title=name, xlabel="predicted", ylabel="live, with 95 %")
    FigureCanvasAgg(figure)
    figure.savefig(path, format="png")
