"""Fits the weight of a trace of a medium by counts.

A logistic weight is not suitable: most attacks show no trace, and would hide the few that do. The weight
therefore comes from counts: how often attacks and live images show the trace.
"""

import math
from collections.abc import Mapping, Sequence
from types import MappingProxyType

from evaluation.binomial import proportion
from liveness.fusion_model import Trace, Traces
from liveness.signal import far_log_odds
from research.liveness_fusion.rows import Row

__all__ = ["fit_trace", "fit_traces"]

_FEW = 0.01
"""Share of live images that defines the spread, from which the place of full weight follows."""

_CONFIDENCE = 0.8
"""Confidence of the two-sided interval, so that its lower end is a bound at 90 %."""

_NARROWEST = 0.1
"""Least distance, in log odds, from the point where a trace begins to count to that of its full weight."""


def fit_traces(rows: Sequence[Row], names: Sequence[str], *, most_against: float) -> Traces:
    """Fit every trace for which there are enough rows; see ``fit_trace``."""
    found: dict[str, Trace] = {}
    for name in names:
        measured = [row for row in rows if name in row.scores]
        live, attacks = (
            [far_log_odds(row.scores[name]) for row in measured if row.live is is_live]
            for is_live in (True, False)
        )
        trace = fit_trace(live, attacks)
        if trace is not None:
            found[name] = trace
    signals: Mapping[str, Trace] = MappingProxyType(found)
    return Traces(most_against=most_against, signals=signals)


def fit_trace(live: Sequence[float], attacks: Sequence[float]) -> Trace | None:
    """Fit a trace's place and strength from log odds of its score.

    A trace begins to count beyond all live images. Its weight is full as far beyond the most extreme live
    image as that image is beyond the first percentile. Its strength is the log of a lower bound on the ratio
    of the rates of attacks and live images there: given their total count, each is an attack with a
    probability by the ratio of the numbers (J. Przyborowski and H. Wilenski, "Homogeneity of results in
    testing samples from Poisson series", Biometrika 31, 1940; bound: Clopper and Pearson, one-sided, 90 %).
    It is 0 if the bound is below 1.

    Returns:
        The trace; ``None`` with too few live images to estimate the first percentile, or without attacks.
    """
    ordered = sorted(live)
    place = math.floor(_FEW * (len(ordered) + 1)) - 1
    if place < 0 or not attacks:
        return None
    begins = ordered[0]
    full = begins - max(_NARROWEST, ordered[place] - begins)
    beyond = sum(odds < full for odds in attacks)
    of_attacks = proportion(beyond, beyond, confidence=_CONFIDENCE)
    strength = 0.0
    if of_attacks is not None and of_attacks.lower < 1:
        ratio = of_attacks.lower / (1 - of_attacks.lower) * len(live) / len(attacks)
        strength = max(0.0, math.log(ratio))
    return Trace(begins=begins, full=full, strength=strength)
