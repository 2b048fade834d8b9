"""Evaluates packs on a set of photos: error rates of the set, and differences between packs.

The photos of the main group, and those of the group that is measured separately, are each a **set** with its
own thresholds.

Two packs are compared on the photos from which both made a template, with the same draws of persons, so that
the difference is paired. The numbers of photos that only one pack acquired are reported beside it.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from lab.evaluation.match.comparisons import Comparisons
from lab.evaluation.match.error_bounds import FmrCurve, FnmrCurve, fmr_curve, fnmr_curve
from lab.evaluation.match.impostor_scores import THRESHOLDS
from lab.evaluation.match.operating_points import (
    TARGETS,
    NotSupported,
    OperatingPoint,
    operating_point,
    samples_at,
)

MAIN_SET: Final = "main"
SEPARATE_SET: Final = "apart"


@dataclass(frozen=True, slots=True)
class Bootstrap:
    """Settings of the bounds.

    Attributes:
        confidence: One-sided of bounds on FMR, two-sided of all intervals.
    """

    resamples: int
    confidence: float
    seed: int

    def curves(self, comparisons: Comparisons) -> tuple[FmrCurve, FnmrCurve | None]:
        """Compute both rates over the cosine.

        Raises:
            NothingToMeasure: There is no impostor comparison.
        """
        fmr = fmr_curve(
            comparisons.impostors,
            thresholds=THRESHOLDS,
            resamples=self.resamples,
            confidence=self.confidence,
            rng=np.random.default_rng(self.seed),
        )
        genuine = comparisons.genuine_scores
        if genuine is None:
            return fmr, None
        return fmr, fnmr_curve(genuine, thresholds=THRESHOLDS, draws=fmr.draws, confidence=self.confidence)


@dataclass(frozen=True, slots=True)
class SetResult:
    """The results of one pack on one set.

    Attributes:
        name: ``main`` or ``apart``.
        fmr: FMR over the cosine.
        fnmr: FNMR over the cosine; None if no person has two photos.
        points: The result at each false match rate, down to the first that the data do not support.
    """

    name: str
    comparisons: Comparisons
    fmr: FmrCurve
    fnmr: FnmrCurve | None
    points: tuple[OperatingPoint | NotSupported, ...]

    @property
    def supported(self) -> tuple[OperatingPoint, ...]:
        """The points that the data support."""
        return tuple(point for point in self.points if isinstance(point, OperatingPoint))


@dataclass(frozen=True, slots=True)
class Difference:
    """FNMR of one pack minus that of another, at the same false match rate, on the same comparisons.

    Attributes:
        target: The false match rate, at which each pack has its own threshold.
        change: The difference; below 0, the first pack has fewer false non-matches.
        lower: Lower end of the two-sided interval.
        only_first: Photos that only the first pack acquired.
        only_second: Photos that only the second acquired.
    """

    target: float
    change: float
    lower: float
    upper: float
    genuine: int
    impostors: int
    only_first: int
    only_second: int


def evaluate_sets(comparisons: Comparisons, bootstrap: Bootstrap) -> tuple[SetResult, ...]:
    """Compute the error rates of the main set, and of the separate set if it can be measured.

    Args:
        comparisons: Comparisons of one pack.

    Raises:
        NothingToMeasure: The main set has fewer than two persons.
    """
    sets = [_set(MAIN_SET, comparisons.of_group(0), bootstrap)]
    apart = comparisons.of_group(1)
    if apart.any_impostors:
        sets.append(_set(SEPARATE_SET, apart, bootstrap))
    return tuple(sets)


def _set(name: str, comparisons: Comparisons, bootstrap: Bootstrap) -> SetResult:
    fmr, fnmr = bootstrap.curves(comparisons)
    points = []
    for target in TARGETS:
        points.append(operating_point(target, fmr=fmr, fnmr=fnmr))
        if isinstance(points[-1], NotSupported):
            break
    return SetResult(name=name, comparisons=comparisons, fmr=fmr, fnmr=fnmr, points=tuple(points))


def differences(
    first: Comparisons,
    second: Comparisons,
    *,
    acquired: tuple[NDArray[np.bool_], NDArray[np.bool_]],
    bootstrap: Bootstrap,
) -> tuple[Difference, ...]:
    """Compute FNMR of the first pack minus that of the second, in the main set.

    Args:
        second: Comparisons of the second pack, main set.
        acquired: Shape (photos,) for each pack: which photos gave a template.

    Returns:
        One for each false match rate that both packs' data support; empty if no person has two photos.
    """
    both = acquired[0] & acquired[1]
    kept = [each.among(both) for each in (first, second)]
    if not all(each.any_impostors for each in kept):
        return ()
    (fmr, fnmr), (other_fmr, other_fnmr) = (bootstrap.curves(each) for each in kept)
    found = []
    for target in TARGETS:
        one = operating_point(target, fmr=fmr, fnmr=fnmr)
        other = operating_point(target, fmr=other_fmr, fnmr=other_fnmr)
        if isinstance(one, NotSupported) or isinstance(other, NotSupported):
            break
        if fnmr is None or other_fnmr is None or one.measured.fnmr is None or other.measured.fnmr is None:
            break
        samples = samples_at(target, fmr=fmr, fnmr=fnmr) - samples_at(target, fmr=other_fmr, fnmr=other_fnmr)
        tail = (1.0 - bootstrap.confidence) / 2.0
        lower, upper = (float(end) for end in np.nanquantile(samples, (tail, 1.0 - tail)))
        if lower == upper == 0.0:
            # If no sample distinguishes the packs, the difference is only bounded by the packs' own
            # intervals, because few persons prove little.
            lower, upper = -other.measured.fnmr.upper, one.measured.fnmr.upper
        change = one.measured.fnmr.rate - other.measured.fnmr.rate
        found.append(
            Difference(
                target=target,
                change=change,
                lower=min(lower, change),
                upper=max(upper, change),
                genuine=fnmr.comparisons,
                impostors=fmr.comparisons,
                only_first=int((acquired[0] & ~acquired[1]).sum()),
                only_second=int((acquired[1] & ~acquired[0]).sum()),
            )
        )
    return tuple(found)
