"""Measures how well degraded portraits match, at the thresholds of the undegraded photos.

Each photo of a person with several photos is degraded to a portrait and compared with that person's other
photos, as if they were selfies. The thresholds are those of the undegraded photos, because a server does not
know how a portrait was degraded.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from lab.evaluation.match.comparisons import Comparisons
from lab.evaluation.match.error_bounds import GenuineScores, fnmr_curve
from lab.evaluation.match.evaluation import SetResult
from lab.evaluation.match.impostor_scores import THRESHOLDS, place_of
from lab.evaluation.match.operating_points import RateInterval
from lab.evaluation.match.templates import Degradation, TemplateRun

_BLOCK: Final = 1024


@dataclass(frozen=True, slots=True)
class PortraitRates:
    """FMR and FNMR of the degraded portraits at one threshold, and FNMR of the undegraded photos.

    Attributes:
        calibrated: True for a threshold of the pack's calibration, false for one measured on these photos.
        threshold: The cosine.
        fmr: Measured FMR of portraits against photos of other persons.
        fnmr: FNMR of portraits against other photos of their persons; None without such comparisons.
        plain: FNMR of the undegraded photos at the same threshold; None if no person has two photos.
    """

    target: float
    calibrated: bool
    threshold: float
    fmr: float
    fnmr: RateInterval | None
    plain: RateInterval | None


@dataclass(frozen=True, slots=True)
class PortraitResult:
    """The results of one degradation.

    Attributes:
        failures: Portraits that gave no template.
        genuine: Comparisons of a portrait with another photo of its person.
        impostors: Comparisons of a portrait with a photo of another person.
    """

    degradation: Degradation
    portraits: int
    failures: int
    genuine: int
    persons: int
    impostors: int
    rates: tuple[PortraitRates, ...]


def evaluate_portraits(
    degradation: Degradation,
    run: TemplateRun,
    *,
    main: SetResult,
    calibrated: Sequence[tuple[float, float]],
    confidence: float,
) -> PortraitResult:
    """Compute the rates of one degradation.

    Args:
        main: The main set of the undegraded photos, each compared with every other.
        calibrated: False match rates of the pack's calibration with their thresholds.
        confidence: Two-sided confidence of the intervals.
    """
    photos = main.comparisons
    places = {photo: place for place, photo in enumerate(photos.photo.tolist())}
    kept = [each for each in run.templates if each.photo in places]
    own = np.array([places[each.photo] for each in kept], np.int64)
    portraits = (
        np.stack([each.embedding for each in kept]) if kept else np.zeros((0, photos.templates.shape[1]))
    ).astype(np.float32)
    points = [(point.target, False, point.measured.threshold) for point in main.supported]
    points += [(target, True, threshold) for target, threshold in calibrated]
    scores, persons = _genuine(portraits, own, photos)
    curve = None
    if scores.size:
        genuine = GenuineScores(scores, persons, photos.identities)
        curve = fnmr_curve(genuine, thresholds=THRESHOLDS, draws=main.fmr.draws, confidence=confidence)
    fmr, impostors = _fmr(portraits, own, photos, np.array([threshold for _, _, threshold in points]))
    rates = []
    for (target, of_calibration, threshold), rate in zip(points, fmr.tolist(), strict=True):
        index = place_of(threshold)
        fnmr, plain = (
            None
            if each is None
            else RateInterval(float(each.rates[index]), float(each.lower[index]), float(each.upper[index]))
            for each in (curve, main.fnmr)
        )
        rates.append(PortraitRates(target, of_calibration, threshold, rate, fnmr, plain))
    return PortraitResult(
        degradation=degradation,
        portraits=len(kept) + len(run.faults),
        failures=len(run.faults),
        genuine=scores.size,
        persons=int(np.unique(persons).size),
        impostors=impostors,
        rates=tuple(rates),
    )


def _genuine(
    portraits: NDArray[np.float32], own: NDArray[np.int64], photos: Comparisons
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Return the cosine and the person of each comparison of a portrait with another photo of its person."""
    by_person: dict[int, list[int]] = {}
    for place, person in enumerate(photos.person.tolist()):
        by_person.setdefault(person, []).append(place)
    pairs = [
        (number, other)
        for number, place in enumerate(own.tolist())
        for other in by_person[int(photos.person[place])]
        if other != place
    ]
    rows, columns = np.array(pairs, np.int64).reshape(-1, 2).T
    one, other = portraits[rows].astype(np.float64), photos.templates[columns].astype(np.float64)
    return np.clip(np.einsum("nd,nd->n", one, other), -1.0, 1.0), photos.person[columns]


def _fmr(
    portraits: NDArray[np.float32],
    own: NDArray[np.int64],
    photos: Comparisons,
    thresholds: NDArray[np.float64],
) -> tuple[NDArray[np.float64], int]:
    """Return FMR at each threshold, as the mean over pairs of persons, and the number of comparisons."""
    person = photos.person
    column_weights = 1.0 / np.bincount(person, minlength=photos.identities)[person]
    counts = np.bincount(person[own], minlength=photos.identities)
    row_weights = 1.0 / np.maximum(counts, 1)[person[own]]
    matched, comparisons = np.zeros(thresholds.size), 0
    for start in range(0, len(own), _BLOCK):
        part = slice(start, start + _BLOCK)
        cosines = portraits[part] @ photos.templates.T
        different = person[own[part]][:, None] != person[None, :]
        comparisons += int(different.sum())
        for index, threshold in enumerate(thresholds):
            rows, columns = np.nonzero((cosines >= threshold) & different)
            matched[index] += row_weights[part][rows] @ column_weights[columns]
    # Each person's portraits against every other person's photos.
    pairs = int(np.count_nonzero(counts)) * (photos.identities - 1)
    return (matched / pairs if pairs else matched), comparisons
