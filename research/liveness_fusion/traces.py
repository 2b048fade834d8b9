"""What a trace of a medium is worth, by counts.

A logistic weight cannot say it: most attacks show no trace, so that whatever the few that do would give is
lost in those that do not. The counts can: how often is it seen on attacks, how often on live images.
"""

import math
from collections.abc import Mapping, Sequence
from types import MappingProxyType

from evaluation.binomial import proportion
from liveness.express.scoring import far_log_odds
from liveness.fusion_model import Trace, Traces
from research.liveness_fusion.rows import Row

__all__ = ["fit_trace", "fit_traces"]

_FEW = 0.01
"""Share of live images whose spread tells how far beyond all of them a trace counts in full."""

_CONFIDENCE = 0.8
"""Of the two-sided interval, whose lower end is a bound at 90 %."""

_NARROWEST = 0.1
"""Least log odds between where a trace begins to count and where it counts in full."""


def fit_traces(rows: Sequence[Row], names: Sequence[str], *, most_against: float) -> Traces:
    """Every trace that can be told from the rows; see ``fit_trace``."""
    found: dict[str, Trace] = {}
    for name in names:
        measured = [row for row in rows if name in row.scores]
        live, attacks = (
            [far_log_odds(row.scores[name]) for row in measured if row.live is told] for told in (True, False)
        )
        trace = fit_trace(live, attacks)
        if trace is not None:
            found[name] = trace
    signals: Mapping[str, Trace] = MappingProxyType(found)
    return Traces(most_against=most_against, signals=signals)


def fit_trace(live: Sequence[float], attacks: Sequence[float]) -> Trace | None:
    """A trace's place and strength from log odds of its score.

    It begins to count beyond all live images. It counts in full as far beyond the last of them again as
    that one lies beyond the one in a hundred. Its strength is the log of a lower bound on how much oftener
    attacks lie there than live images do: of so many there, each is an attack's by chance in the ratio of
    the numbers (J. Przyborowski and H. Wilenski, "Homogeneity of results in testing samples from Poisson
    series", Biometrika 31, 1940; bound: Clopper and Pearson, one-sided, 90 %). 0 if it bounds nothing.

    Returns:
        ``None`` with too few live images to tell where one in a hundred lies, or without attacks.
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
