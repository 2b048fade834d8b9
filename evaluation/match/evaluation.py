"""Evaluates packs on a set of photos: error rates of the set and of groups, and differences between packs.

The photos of the main group, and those of the group that is measured separately, are each a **set** with its
own thresholds. A **group** is all photos with one value in a column of the manifest. Its comparisons are
those of two of its photos. Its rates are reported at the thresholds of the main set, because a server has one
threshold for all persons (ISO/IEC 19795-10 calls the gap a differential in performance).

Two packs are compared on the photos from which both made a template, with the same draws of persons, so that
the difference is paired. The numbers of photos that only one pack acquired are reported beside it.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from evaluation.match.calibration import THRESHOLDS
from evaluation.match.comparisons import Comparisons
from evaluation.match.errors import PhotoListError
from evaluation.match.fmr_bounds import FmrCurve, fmr_curve
from evaluation.match.fnmr_bounds import FnmrCurve, fnmr_curve
from evaluation.match.operating_points import (
    TARGETS,
    FmrAt,
    NotSupported,
    OperatingPoint,
    operating_point,
    rates_at,
    samples_at,
)
from evaluation.match.photos import FacePhoto

__all__ = [
    "APART",
    "MAIN",
    "Bootstrap",
    "Difference",
    "GroupResult",
    "SetResult",
    "differences",
    "evaluate_groups",
    "evaluate_sets",
    "group_photos",
]

MAIN: Final = "main"
APART: Final = "apart"
_MOST_GROUPS: Final = 40


@dataclass(frozen=True, slots=True)
class Bootstrap:
    """Settings of the bounds.

    Attributes:
        resamples: Number of samples.
        confidence: One-sided confidence of bounds on FMR, two-sided of intervals on FNMR.
        seed: Seed of the draws.
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
        comparisons: The comparisons.
        fmr: FMR over the cosine.
        fnmr: FNMR over the cosine; None if no person has two photos.
        points: The result at each false match rate; the last one is the first that is not supported.
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
class GroupResult:
    """The results of one pack on one group.

    Attributes:
        column: The manifest's column.
        value: The group's value in it; empty if the column is empty.
        photos: Photos in the group.
        failures: Failures to acquire among them.
        persons: Persons in the comparisons.
        genuine: Genuine comparisons.
        impostors: Impostor comparisons.
        lowest_bound: The lowest bound on FMR that the group's persons support.
        rates: Rates at the main set's thresholds for each supported false match rate; empty if the group has
            fewer than two persons.
    """

    column: str
    value: str
    photos: int
    failures: int
    persons: int
    genuine: int
    impostors: int
    lowest_bound: float
    rates: tuple[FmrAt, ...]


@dataclass(frozen=True, slots=True)
class Difference:
    """FNMR of one pack minus that of another, at the same false match rate, on the same comparisons.

    Attributes:
        target: The false match rate, at which each pack has its own threshold.
        change: The difference; below 0, the first pack has fewer false non-matches.
        lower: Lower end of the two-sided interval.
        upper: Upper end.
        genuine: Genuine comparisons.
        impostors: Impostor comparisons.
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
        bootstrap: Settings of the bounds.

    Raises:
        NothingToMeasure: The main set has fewer than two persons.
    """
    apart = comparisons.apart[comparisons.first]
    sets = [_set(MAIN, comparisons.subset(~apart), bootstrap)]
    if not comparisons.same[apart].all():
        sets.append(_set(APART, comparisons.subset(apart), bootstrap))
    return tuple(sets)


def _set(name: str, comparisons: Comparisons, bootstrap: Bootstrap) -> SetResult:
    fmr, fnmr = bootstrap.curves(comparisons)
    points = []
    for target in TARGETS:
        points.append(operating_point(target, fmr=fmr, fnmr=fnmr))
        if isinstance(points[-1], NotSupported):
            break
    return SetResult(name=name, comparisons=comparisons, fmr=fmr, fnmr=fnmr, points=tuple(points))


def group_photos(
    photos: Sequence[FacePhoto], columns: Collection[str], *, known: Collection[str]
) -> Mapping[tuple[str, str], NDArray[np.bool_]]:
    """Return the photos of each group.

    Args:
        photos: All photos.
        columns: Columns that name groups.
        known: The manifest's columns; empty without a manifest.

    Returns:
        Masks by column and value, in order; shape (photos,) each.

    Raises:
        PhotoListError: A column is not in the manifest, or names too many groups.
    """
    groups: dict[tuple[str, str], NDArray[np.bool_]] = {}
    for column in columns:
        if column not in known:
            raise PhotoListError(
                f"no column {column!r} to group by: the manifest has {', '.join(known)}"
                if known
                else f"no column {column!r} to group by: groups need a manifest.csv with the photos"
            )
        values = np.array([photo.columns[column] for photo in photos])
        names = np.unique(values)
        if names.size > _MOST_GROUPS:
            raise PhotoListError(
                f"the column {column!r} names {names.size} groups, at most {_MOST_GROUPS} are possible: "
                "choose one with fewer values"
            )
        groups |= {(column, str(name)): values == name for name in names}
    return groups


def evaluate_groups(
    comparisons: Comparisons,
    *,
    groups: Mapping[tuple[str, str], NDArray[np.bool_]],
    failed: Collection[int],
    main: SetResult,
    bootstrap: Bootstrap,
) -> tuple[GroupResult, ...]:
    """Compute the error rates of groups at the main set's thresholds.

    Args:
        comparisons: Comparisons of one pack, all sets.
        groups: Result of ``group_photos``.
        failed: Positions of photos without a template.
        main: The pack's main set.
        bootstrap: How bounds are made.
    """
    results = []
    failures = np.array(sorted(failed), dtype=np.int64)
    for (column, value), photos in groups.items():
        own = comparisons.among(photos)
        impostors = int(np.count_nonzero(~own.same))
        bound, rates = 1.0, tuple[FmrAt, ...]()
        if impostors:
            fmr, fnmr = bootstrap.curves(own)
            bound = float(fmr.upper_bounds[-1])
            rates = tuple(
                rates_at(int(np.searchsorted(THRESHOLDS, point.measured.threshold)), fmr=fmr, fnmr=fnmr)
                for point in main.supported
            )
        results.append(
            GroupResult(
                column=column,
                value=value,
                photos=int(photos.sum()),
                failures=int(photos[failures].sum()),
                persons=own.identities,
                genuine=int(np.count_nonzero(own.same)),
                impostors=impostors,
                lowest_bound=bound,
                rates=rates,
            )
        )
    return tuple(results)


def differences(
    first: Comparisons,
    second: Comparisons,
    *,
    acquired: tuple[NDArray[np.bool_], NDArray[np.bool_]],
    bootstrap: Bootstrap,
) -> tuple[Difference, ...]:
    """Compute FNMR of the first pack minus that of the second, in the main set.

    Args:
        first: Comparisons of the first pack, main set.
        second: Comparisons of the second pack, main set.
        acquired: Shape (photos,) for each pack: which photos gave a template.
        bootstrap: How intervals are made.

    Returns:
        One for each false match rate that both packs' data support; empty if no person has two photos.
    """
    both = acquired[0] & acquired[1]
    kept = [each.among(both) for each in (first, second)]
    if any(each.same.all() for each in kept):
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
