"""Compares networks on all images, on the large and the small sources, by species and by small source."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from research.pad_network.comparison import NetworkFigures, compare
from research.pad_network.material import LARGEST_SOURCE
from research.pad_network.regions import Region

__all__ = ["Comparison", "Judgement", "break_down"]

_SPECIES: Final = (("print", "prints"), ("screen", "screens"))


@dataclass(frozen=True, slots=True)
class Comparison:
    """The figures of the networks on a selection of the images.

    Attributes:
        title: Name of this selection of images.
        live: Number of bona fide images.
        attacks: Number of images of attacks.
        persons: Number of persons in all these images.
        standings: The figures of each network, Facegate's first; NaN without attacks or without bona fide
            images.
    """

    title: str
    live: int
    attacks: int
    persons: int
    standings: tuple[NetworkFigures, ...]


@dataclass(frozen=True, slots=True)
class Judgement:
    """The figures of the networks on one set of images, and on its parts.

    Attributes:
        title: Name of the set.
        overall: All images, the large source and the small sources; empty parts are omitted.
        parts: Parts by species (all bona fide images of the same sources against the attacks of one species),
            and each small source alone; a missing species is omitted.
    """

    title: str
    overall: tuple[Comparison, ...]
    parts: tuple[Comparison, ...]


def break_down(
    title: str,
    *,
    regions: Sequence[Region],
    persons: Sequence[int],
    scores: Mapping[str, NDArray[np.float64]],
    draws: int = 1000,
) -> Judgement:
    """Compares networks on a set of images and on its parts.

    Args:
        title: Name of the set.
        regions: Its images.
        persons: Person in each, as numbered by ``research.pad_network.split.persons``.
        scores: Each network's score of each image, higher for bona fide, shape (n,); Facegate's first.
        draws: Number of draws of sources and persons for each interval.
    """
    who = np.array(persons, dtype=np.int64)

    def compared(name: str, rows: NDArray[np.bool_]) -> Comparison:
        shown = [region for region, is_in in zip(regions, rows, strict=True) if is_in]
        is_live = np.array([region.is_live for region in shown], dtype=np.bool_)
        return Comparison(
            title=name,
            live=int(is_live.sum()),
            attacks=int((~is_live).sum()),
            persons=len(set(who[rows].tolist())),
            standings=compare(
                {network: values[rows] for network, values in scores.items()},
                is_live,
                [region.source for region in shown],
                who[rows].tolist(),
                draws=draws,
            ),
        )

    return Judgement(
        title=title,
        overall=tuple(compared(f"{title}: {name}", rows) for name, rows in _by_size(regions) if rows.any()),
        parts=tuple(compared(name, rows) for name, rows in _parts(regions)),
    )


def _by_size(regions: Sequence[Region]) -> tuple[tuple[str, NDArray[np.bool_]], ...]:
    large = np.array([region.source == LARGEST_SOURCE for region in regions], dtype=np.bool_)
    return ("all", np.ones_like(large)), ("the large source", large), ("the small sources", ~large)


def _parts(regions: Sequence[Region]) -> Iterator[tuple[str, NDArray[np.bool_]]]:
    is_live = np.array([region.is_live for region in regions], dtype=np.bool_)
    species = np.array([region.species for region in regions])
    for name, rows in _by_size(regions):
        for kind, several in _SPECIES:
            attacks = rows & (species == kind)
            if attacks.any():
                yield f"{name}: {several}", attacks | (rows & is_live)
    sources = np.array([region.source for region in regions])
    for source in sorted({region.source for region in regions} - {LARGEST_SOURCE}):
        yield source, sources == source
