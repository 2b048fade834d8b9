"""Converts a cosine to a bound on the false match rate and to a similarity, 0..100.

Cosines of different embedders cannot be compared: 0.4 is a good match for one and chance for
another. So every cosine is first turned into the bound on FMR (ISO/IEC 19795-1) that the pack's
calibration gives for a threshold at this cosine, and then, by one mapping for all packs, into a
similarity:

=============  ==========
bound on FMR   similarity
=============  ==========
1              0
1e-1           50
1e-2           70
1e-3           80
1e-4           90
1e-5           95
1e-6           99
1e-8 or less   100
=============  ==========

Between the rows the similarity is linear in log10 of the bound. A similarity of 80 therefore states that a
threshold at this cosine accepts at most one impostor in 1000, with every pack.

A similarity never claims more than the calibration's data support, so it saturates: a calibration that
ends at 1e-3 gives at most 80, even for two equal images. Results say where it does, and contain the score,
which alone ranks comparisons above that point.

These bounds are of photos against photos. A check compares a scan with a photo, for which far fewer people
were measured: what a result may say about other people is ``scan_fmr_bound``, in the words of
``similarity_in_words``.
"""

import math
from bisect import bisect_right
from typing import Final

import numpy as np

from matcher.errors import PortraitPolicyInvalid
from vision.packs import MatchCalibration

_ANCHORS: Final = (
    (0.0, 0.0),
    (1.0, 50.0),
    (2.0, 70.0),
    (3.0, 80.0),
    (4.0, 90.0),
    (5.0, 95.0),
    (6.0, 99.0),
    (8.0, 100.0),
)
_NO_STATEMENT: Final = 0.5
"""A bound on FMR above this says nothing about a person."""
_EXPONENTS: Final = tuple(exponent for exponent, _ in _ANCHORS)
_SIMILARITIES: Final = tuple(value for _, value in _ANCHORS)


def similarity_for_fmr(fmr: float) -> float:
    """Return the similarity, 0..100, that stands for a false match rate; see the table of this module.

    Args:
        fmr: A false match rate, in (0, 1].

    Raises:
        PortraitPolicyInvalid: ``fmr`` is not in (0, 1].
    """
    if not 0.0 < fmr <= 1.0:
        raise PortraitPolicyInvalid(f"a false match rate must lie above 0 and at most at 1, got {fmr}")
    return float(np.interp(-math.log10(fmr), _EXPONENTS, _SIMILARITIES))


def fmr_bound(cosine: float, *, calibration: MatchCalibration) -> float:
    """Return the upper bound on FMR of a threshold at ``cosine``, in (0, 1].

    The bound is log-linear between the calibration's points. Below the first point it is 1, and above the
    last point it stays at that point's value, because the calibration has no data there. It never rises with
    the cosine.
    """
    points = calibration.points
    index = bisect_right(points, cosine, key=lambda point: point.cosine)
    if index == 0:
        return 1.0
    if index == len(points):
        return calibration.lowest_bound
    below, above = points[index - 1], points[index]
    share = (cosine - below.cosine) / (above.cosine - below.cosine)
    start, end = math.log(below.fmr_upper_bound), math.log(above.fmr_upper_bound)
    # Each step rounds monotonically; a weighted mean of both ends would not.
    exponent = start + share * (end - start)
    # exp(log(x)) can differ from x in the last bit; clamping to the neighbours keeps it monotone.
    return min(max(math.exp(exponent), above.fmr_upper_bound), below.fmr_upper_bound)


def scan_fmr_bound(cosine: float, *, calibration: MatchCalibration) -> float | None:
    """Return the upper bound on FMR of scans against photos at ``cosine``, in (0, 1].

    It is never below that of photos. ``None`` if the calibration measured no scans: nothing is known then.
    """
    if calibration.scans is None:
        return None
    return max(
        fmr_bound(cosine, calibration=calibration), fmr_bound(cosine, calibration=calibration.of_scans)
    )


def similarity_in_words(similarity: float, *, scan_bound: float | None, saturated: bool) -> str:
    """Say what a similarity means. Every page and table says it with these words.

    Args:
        similarity: 0..100.
        scan_bound: Upper bound on FMR of scans against photos, in (0, 1]; ``None`` if it was not measured.
        saturated: Whether the score lies at or above the last point of the calibration.
    """
    if scan_bound is None:
        others = "how many other people reach it with a scan was not measured"
    elif scan_bound > _NO_STATEMENT:
        others = "other people reach it with a scan, too"
    else:
        # 1 / 1e-5 is 99999.99999999999.
        others = f"at most 1 in {math.floor(round(1 / scan_bound, 3)):,} other people reach it with a scan"
    highest = ", the highest that the calibration supports" if saturated else ""
    return f"{similarity:.1f} of 100{highest}: {others}"


def similarity(cosine: float, *, calibration: MatchCalibration) -> float:
    """Return the similarity, 0..100, of a comparison; it never falls as the cosine rises."""
    return similarity_for_fmr(fmr_bound(cosine, calibration=calibration))


def threshold_cosine(max_fmr: float, *, calibration: MatchCalibration) -> float:
    """Return the lowest cosine with a bound of at most ``max_fmr``, for reports; decisions use the bound.

    ``max_fmr`` lies from the calibration's ``lowest_bound`` to below 1.

    Raises:
        PortraitPolicyInvalid: ``max_fmr`` is below what the calibration supports.
    """
    if not calibration.lowest_bound <= max_fmr < 1.0:
        raise PortraitPolicyInvalid(
            f"a threshold exists for bounds from {calibration.lowest_bound:g} to below 1, not for {max_fmr:g}"
        )
    points = calibration.points
    index = next(i for i, point in enumerate(points) if point.fmr_upper_bound <= max_fmr)
    above = points[index]
    if index == 0:
        return above.cosine
    below = points[index - 1]
    share = math.log(max_fmr / below.fmr_upper_bound) / math.log(
        above.fmr_upper_bound / below.fmr_upper_bound
    )
    return below.cosine + share * (above.cosine - below.cosine)
