"""Evaluates groups of people: error rates within each group, and whether a calibration holds there.

A **group** is all photos with one value in a column of the manifest. Its comparisons are between its own
photos. Its rates are reported at the thresholds of the main set and of the pack's calibration,
because a server has one threshold for all persons (ISO/IEC 19795-10 calls the gap a differential in
performance).

A group has fewer persons than the set, so it supports fewer rates. The comparisons within all groups of a
column are therefore also **pooled**. They are harder than the set as a whole: people of one group look more
alike, and an impostor would choose a victim of the own group.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from lab.evaluation.match.comparisons import Comparisons
from lab.evaluation.match.evaluation import Bootstrap, SetResult
from lab.evaluation.match.impostor_scores import place_of
from lab.evaluation.match.operating_points import FmrAt, Promise, promise_of, rates_at
from lab.evaluation.match.photos import FacePhoto, PhotoListError

_MOST_GROUPS: Final = 40


@dataclass(frozen=True, slots=True)
class GroupPromise:
    """A threshold of the pack's calibration in a group.

    Attributes:
        target: The promised FMR.
        promise: Whether it is kept.
    """

    target: float
    rates: FmrAt
    promise: Promise


@dataclass(frozen=True, slots=True)
class GroupResult:
    """The results of one pack on one group, or on all groups of a column pooled.

    Attributes:
        value: The group's value in that column; empty for photos without a value, and if groups are pooled.
        pooled: Whether the comparisons within all groups of the column are pooled.
        lowest_bound: The lowest bound on FMR that the group's persons support.
        rates: Rates at the main set's thresholds for each supported false match rate; empty if the group has
            fewer than two persons.
        promises: Rates at the calibration's thresholds, likewise.
    """

    column: str
    value: str
    pooled: bool
    photos: int
    failures: int
    persons: int
    genuine: int
    impostors: int
    lowest_bound: float
    rates: tuple[FmrAt, ...]
    promises: tuple[GroupPromise, ...]

    @property
    def broken(self) -> tuple[GroupPromise, ...]:
        """The promises that are broken beyond chance."""
        return tuple(each for each in self.promises if each.promise is Promise.BROKEN)


def group_photos(
    photos: Sequence[FacePhoto], columns: Collection[str], *, known: Collection[str]
) -> Mapping[tuple[str, str], NDArray[np.bool_]]:
    """Return the photos of each group.

    Args:
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
    calibrated: Sequence[tuple[float, float]],
    bootstrap: Bootstrap,
) -> tuple[GroupResult, ...]:
    """Compute the error rates of groups at the main set's thresholds and at those of the calibration.

    Args:
        comparisons: Comparisons of one pack, all sets.
        groups: Result of ``group_photos``.
        failed: Positions of photos without a template.
        main: The results of the pack on its main set of comparisons.
        calibrated: Pairs of a false match rate that the pack's calibration promises, and its threshold.

    Returns:
        One result for each group, ordered by column. If a column has several groups, a result for all of them
        pooled follows.
    """
    failures = np.array(sorted(failed), dtype=np.int64)
    thresholds = [point.measured.threshold for point in main.supported]

    def measured(
        column: str, value: str, own: Comparisons, photos: NDArray[np.bool_], *, pooled: bool
    ) -> GroupResult:
        impostors, bound = 0, 1.0
        rates: list[FmrAt] = []
        promises: list[GroupPromise] = []
        if own.any_impostors:
            fmr, fnmr = bootstrap.curves(own)
            impostors, bound = fmr.comparisons, float(fmr.upper_bounds[-1])
            rates = [rates_at(place_of(threshold), fmr=fmr, fnmr=fnmr) for threshold in thresholds]
            for target, threshold in calibrated:
                found = rates_at(place_of(threshold), fmr=fmr, fnmr=fnmr)
                promises.append(GroupPromise(target, found, promise_of(target, found, lowest_bound=bound)))
        return GroupResult(
            column=column,
            value=value,
            pooled=pooled,
            photos=int(photos.sum()),
            failures=int(photos[failures].sum()),
            persons=own.identities,
            genuine=own.same.cosines.size,
            impostors=impostors,
            lowest_bound=bound,
            rates=tuple(rates),
            promises=tuple(promises),
        )

    results = []
    for column in dict.fromkeys(column for column, _ in groups):
        masks = {value: photos for (name, value), photos in groups.items() if name == column}
        for value, photos in masks.items():
            results.append(measured(column, value, comparisons.among(photos), photos, pooled=False))
        if len(masks) > 1:
            everybody = np.any(list(masks.values()), axis=0)
            values = np.argmax(list(masks.values()), axis=0).astype(np.int64)
            results.append(measured(column, "", comparisons.within(values), everybody, pooled=True))
    return tuple(results)
