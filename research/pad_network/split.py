"""Divides the images into training, validation and held-out data, which is used only at the end.

Images are not divided one by one. A small source stays whole; the large source is divided by person and
session. Persons are clusters of templates across sources, because tutorials share images of their authors.
"""

import hashlib
import tomllib
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.cluster.hierarchy import fcluster, linkage

from research.pad_network.errors import MaterialError
from research.pad_network.material import LARGEST_SOURCE
from research.pad_network.regions import Region

__all__ = ["HELD_OUT", "UNUSED", "SplitPlan", "divide", "persons", "read_plan"]

HELD_OUT: Final = -1
"""The fold of images that are used once, at the end."""
UNUSED: Final = -2
"""The fold of images in a training source that show a held-out person."""
_SAME_PERSON: Final = 0.4


@dataclass(frozen=True, slots=True)
class SplitPlan:
    """The content of ``split.toml``.

    Attributes:
        held_out_sources: Sources that are held out entirely.
        held_out_sessions: Held-out sessions of the large source.
        held_out_one_in: n, if one in n of the large source's persons with few images is held out.
        few_pictures: Largest number of images that counts as few.
        folds: The small sources of each fold.
    """

    held_out_sources: frozenset[str]
    held_out_sessions: frozenset[str]
    held_out_one_in: int
    few_pictures: int
    folds: tuple[frozenset[str], ...]


def read_plan(text: str | None = None) -> SplitPlan:
    """Read the plan of this package, or another.

    Args:
        text: TOML in the schema of ``split.toml``; that file if None.

    Raises:
        MaterialError: The text is not such a plan.
    """
    if text is None:
        text = (files("research.pad_network") / "split.toml").read_text(encoding="utf-8")
    try:
        table = tomllib.loads(text)
        return SplitPlan(
            held_out_sources=frozenset(map(str, table["held_out_sources"])),
            held_out_sessions=frozenset(map(str, table["held_out_sessions"])),
            held_out_one_in=int(table["held_out_one_in"]),
            few_pictures=int(table["few_pictures"]),
            folds=tuple(frozenset(map(str, fold)) for fold in table["folds"]),
        )
    except (tomllib.TOMLDecodeError, KeyError, TypeError, ValueError) as error:
        raise MaterialError(f"the plan of the split cannot be read: {error}") from error


def persons(regions: Sequence[Region]) -> NDArray[np.int64]:
    """Return the person in each region, shape (n,): clusters of templates at a mean cosine of 0.4.

    A region without a template is a separate person.
    """
    templates = np.array([region.template for region in regions], dtype=np.float64)
    known = np.linalg.norm(templates, axis=1) > 0.5
    labels = np.arange(len(regions), dtype=np.int64) + len(regions)
    if known.sum() > 1:
        tree = linkage(templates[known], method="average", metric="cosine")
        labels[known] = fcluster(tree, 1 - _SAME_PERSON, criterion="distance")
    return labels


def divide(regions: Sequence[Region], who: NDArray[np.int64], plan: SplitPlan) -> NDArray[np.int64]:
    """Return the fold of each region, shape (n,): 0 and up, ``HELD_OUT`` or ``UNUSED``.

    Args:
        regions: All regions; photos of the face collection train in every fold and have the fold
            ``len(plan.folds)``, unless they show a held-out person.
        who: Result of ``persons``.
        plan: Result of ``read_plan``.

    Raises:
        MaterialError: A small source is in no fold.
    """
    fold = np.full(len(regions), UNUSED, dtype=np.int64)
    pictures_of: Mapping[int, list[int]] = _grouped(who)
    for index, region in enumerate(regions):
        if region.species != "portrait" and _is_held_out(regions, index, pictures_of[int(who[index])], plan):
            fold[index] = HELD_OUT
    hidden = set(who[fold == HELD_OUT].tolist())
    sizes: dict[tuple[int, str], int] = defaultdict(int)
    for person, members in sorted(pictures_of.items(), key=lambda item: (-len(item[1]), item[1][0])):
        if person in hidden:
            continue
        of_large = [index for index in members if regions[index].source == LARGEST_SOURCE]
        if of_large:
            species = regions[of_large[0]].species
            smallest = min(range(len(plan.folds)), key=lambda each: sizes[each, species])
            fold[of_large] = smallest
            sizes[smallest, species] += len(of_large)
        for index in set(members) - set(of_large):
            fold[index] = _fold_of_source(regions[index], plan)
    return fold


def _grouped(who: NDArray[np.int64]) -> dict[int, list[int]]:
    groups: dict[int, list[int]] = defaultdict(list)
    for index, person in enumerate(who.tolist()):
        groups[person].append(index)
    return groups


def _is_held_out(regions: Sequence[Region], index: int, same_person: Sequence[int], plan: SplitPlan) -> bool:
    region = regions[index]
    if region.source != LARGEST_SOURCE:
        return region.source in plan.held_out_sources
    if region.session in plan.held_out_sessions:
        return True
    first = min(regions[other].name for other in same_person)
    drawn = int(hashlib.sha256(first.encode()).hexdigest(), 16) % plan.held_out_one_in == 0
    return drawn and len(same_person) <= plan.few_pictures


def _fold_of_source(region: Region, plan: SplitPlan) -> int:
    if region.species == "portrait":
        return len(plan.folds)
    for number, sources in enumerate(plan.folds):
        if region.source in sources:
            return number
    raise MaterialError(f"the source {region.source} is in no fold and not held out")
