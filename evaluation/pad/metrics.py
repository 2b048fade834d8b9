"""Error rates of presentation attack detection from scores (ISO/IEC 30107-3).

A score states how sure a scorer is of a bona fide presentation. A presentation is **accepted** if its score
is *above* the threshold.

* APCER: share of attack presentations of one species that are accepted. Over several species the highest
  counts (ISO/IEC 30107-3, 13.2), so that an easy species does not hide a hard one.
* BPCER: share of bona fide presentations that are not accepted.
* Presentations without a response are in neither; they are counted separately (APNRR, BPNRR).
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "DetCurve",
    "area_under_curve",
    "bpcer_at",
    "det_curve",
    "equal_error_rate",
    "share_rejected",
    "threshold_at",
    "threshold_for_all",
]

Scores = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class DetCurve:
    """Both error rates at every distinct threshold.

    Attributes:
        thresholds: Shape (t,), rising; the first accepts everything.
        apcer: Shape (t,), falling from 1 to 0.
        bpcer: Shape (t,), rising from 0 to 1.
    """

    thresholds: Scores
    apcer: Scores
    bpcer: Scores


def area_under_curve(live: Scores, attacks: Scores) -> float:
    """Return the share of pairs, 0..1, in which the live presentation scores higher; equal scores count half.

    Args:
        live: Shape (n,), n at least 1.
        attacks: Shape (m,), m at least 1.

    Raises:
        ValueError: One of them is empty.
    """
    if not live.size or not attacks.size:
        raise ValueError("the area under the curve needs bona fide and attack presentations")
    sorted_attacks = np.sort(attacks)
    lower = np.searchsorted(sorted_attacks, live, side="left")
    lower_or_equal = np.searchsorted(sorted_attacks, live, side="right")
    return float((lower + lower_or_equal).sum() / 2 / (live.size * attacks.size))


def share_rejected(live: Scores, threshold: float) -> float:
    """Return the BPCER, 0..1."""
    return float((live <= threshold).mean())


def threshold_at(apcer: float, attacks: Scores) -> float:
    """Return the lowest attack score which, as a threshold, accepts at most the share ``apcer`` of attacks.

    Args:
        apcer: 0..1, below 1.
        attacks: Shape (m,), m at least 1.
    """
    return float(np.sort(attacks)[::-1][int(apcer * attacks.size + 1e-9)])


def threshold_for_all(apcer: float, attacks: Mapping[str, Scores]) -> float:
    """Return the lowest threshold at which no species has an APCER above ``apcer``.

    Args:
        apcer: 0..1, below 1.
        attacks: Scores by species; at least one species, none empty.
    """
    return max(threshold_at(apcer, scores) for scores in attacks.values())


def bpcer_at(apcer: float, *, live: Scores, attacks: Scores) -> float:
    """Return BPCER, 0..1, at the lowest threshold that accepts at most the share ``apcer`` of attacks."""
    return share_rejected(live, threshold_at(apcer, attacks))


def det_curve(live: Scores, attacks: Scores) -> DetCurve:
    """Return both rates at every threshold.

    Args:
        live: Shape (n,), n at least 1.
        attacks: Shape (m,), m at least 1.
    """
    scores = np.unique(np.concatenate([live, attacks]))
    thresholds = np.concatenate([[-np.inf], scores])
    return DetCurve(
        thresholds=thresholds,
        apcer=1.0 - np.searchsorted(np.sort(attacks), thresholds, side="right") / attacks.size,
        bpcer=np.searchsorted(np.sort(live), thresholds, side="right") / live.size,
    )


def equal_error_rate(live: Scores, attacks: Scores) -> float:
    """Return the equal error rate, 0..1: the mean of APCER and BPCER at the threshold where they are closest.

    ISO/IEC 30107-3 does not report it; it is a side note for comparison with older papers.
    """
    curve = det_curve(live, attacks)
    at = int(np.argmin(np.abs(curve.apcer - curve.bpcer)))
    return float((curve.apcer[at] + curve.bpcer[at]) / 2)
