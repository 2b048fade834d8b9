"""Compares networks on the same images, with intervals over sources and persons.

Images of one person by one source are alike, so that they are not independent trials. The bootstrap draws
sources first and then persons in each (A. C. Davison and D. V. Hinkley, "Bootstrap Methods and their
Application", 1997, section 3.8), with the same draws for every network, which makes differences paired.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from evaluation.pad.metrics import area_under_curve, bpcer_at

__all__ = ["Interval", "NetworkFigures", "compare"]

_COVERED: Final = (2.5, 97.5)
_SEED: Final = 30_107


@dataclass(frozen=True, slots=True)
class Interval:
    """A figure and its 95 % interval; NaN if it cannot be computed.

    Attributes:
        value: The figure on all images.
        low: Lower end.
        high: Upper end.
    """

    value: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class NetworkFigures:
    """The figures of a network on some images.

    Attributes:
        name: The network's name.
        area: Area under the curve, 0..1.
        bpcer: BPCER, 0..1, at the threshold of these images that accepts 10 % of attacks.
        area_gain: Area of the first network minus this one's; NaN for the first.
        bpcer_gain: BPCER of this network minus the first one's; NaN for the first.
    """

    name: str
    area: Interval
    bpcer: Interval
    area_gain: Interval
    bpcer_gain: Interval


def compare(
    scores: Mapping[str, NDArray[np.float64]],
    is_live: NDArray[np.bool_],
    sources: Sequence[str],
    persons: Sequence[int],
    *,
    apcer: float = 0.1,
    draws: int = 1000,
) -> tuple[NetworkFigures, ...]:
    """Compare networks with the first of them.

    Args:
        scores: Each network's score of each image, higher for bona fide, shape (n,).
        is_live: Shape (n,).
        sources: Publisher of each image.
        persons: Person in each image.
        apcer: Share of accepted attacks, 0..1, at which BPCER is measured.
        draws: Number of draws of sources and persons. A draw without bona fide images or without attacks is
            omitted.

    Returns:
        One standing for each network, in their order.
    """
    names = list(scores)
    plain = _figures([scores[name] for name in names], is_live, apcer)
    random = np.random.default_rng(_SEED)
    clusters = _clusters(sources, persons)
    drawn = []
    for _ in range(draws):
        rows = _draw(clusters, random)
        if 0 < is_live[rows].sum() < len(rows):
            drawn.append(_figures([scores[name][rows] for name in names], is_live[rows], apcer))
    many = np.array(drawn).reshape(len(drawn), len(names), 2)
    return tuple(
        NetworkFigures(
            name=name,
            area=_interval(plain[at, 0], many[:, at, 0]),
            bpcer=_interval(plain[at, 1], many[:, at, 1]),
            area_gain=_gain(plain[0, 0] - plain[at, 0], many[:, 0, 0] - many[:, at, 0], at),
            bpcer_gain=_gain(plain[at, 1] - plain[0, 1], many[:, at, 1] - many[:, 0, 1], at),
        )
        for at, name in enumerate(names)
    )


def _figures(
    scores: Sequence[NDArray[np.float64]], is_live: NDArray[np.bool_], apcer: float
) -> NDArray[np.float64]:
    if is_live.all() or not is_live.any():
        return np.full((len(scores), 2), np.nan)
    return np.array(
        [
            (
                area_under_curve(values[is_live], values[~is_live]),
                bpcer_at(apcer, live=values[is_live], attacks=values[~is_live]),
            )
            for values in scores
        ]
    )


def _clusters(sources: Sequence[str], persons: Sequence[int]) -> list[list[NDArray[np.int64]]]:
    """Return row numbers by source and, within it, by person."""
    table: dict[str, dict[int, list[int]]] = {}
    for row, (source, person) in enumerate(zip(sources, persons, strict=True)):
        table.setdefault(source, {}).setdefault(person, []).append(row)
    return [[np.array(rows, dtype=np.int64) for rows in inner.values()] for inner in table.values()]


def _draw(clusters: Sequence[Sequence[NDArray[np.int64]]], random: np.random.Generator) -> NDArray[np.int64]:
    rows: list[NDArray[np.int64]] = []
    for source in random.integers(len(clusters), size=len(clusters)):
        inside = clusters[int(source)]
        rows.extend(inside[int(person)] for person in random.integers(len(inside), size=len(inside)))
    return np.concatenate(rows)


def _interval(value: float, drawn: NDArray[np.float64]) -> Interval:
    if drawn.size == 0 or not np.isfinite(value):
        return Interval(float(value), float("nan"), float("nan"))
    low, high = np.percentile(drawn, _COVERED)
    return Interval(float(value), float(low), float(high))


def _gain(value: float, drawn: NDArray[np.float64], at: int) -> Interval:
    return Interval(float("nan"), float("nan"), float("nan")) if at == 0 else _interval(value, drawn)
