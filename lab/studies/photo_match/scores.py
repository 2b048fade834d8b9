"""Makes the templates of photo sets, and scores all pairs, each by a cohort that lacks its two people."""

import csv
import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib.resources import as_file, files
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from lab.evaluation.match import read_corrections
from lab.evaluation.match.photos import read_picture
from lab.studies.photo_match.cohort import fit_cohort
from vision.errors import ImageError, ModelFailed
from vision.face import BgrImage, DetectedFace
from vision.packs import Pack

FOLDERS: Final = ("faces_lfw", "faces_groups")
_SURE: Final = 0.6


@dataclass(frozen=True, slots=True)
class TemplateSet:
    """The templates of photos, with their labels.

    Attributes:
        vectors: Shape (n, d), each of length 1.
        files: Shape (n,), file names.
        identities: Shape (n,), the persons.
        sources: Shape (n,), the part of the identity before its colon.
        groups: Shape (n,), the group that the source names; empty without one.
        sexes: Shape (n,), likewise.
        failures: Photos without a template.
    """

    vectors: NDArray[np.float32]
    files: NDArray[np.str_]
    identities: NDArray[np.str_]
    sources: NDArray[np.str_]
    groups: NDArray[np.str_]
    sexes: NDArray[np.str_]
    failures: int


def embed(data: Path, pack: Pack) -> TemplateSet:
    """Embed the most central sure face of every usable photo, if its features are found.

    Args:
        data: Contains the folders of photos, each with a ``manifest.csv``.
    """
    rows, vectors, failures = [], [], 0
    for folder in FOLDERS:
        with (data / folder / "manifest.csv").open(newline="", encoding="utf-8") as file:
            listed = [row for row in csv.DictReader(file) if row["usable"] == "1"]
        for row in listed:
            try:
                image = read_picture(data / folder / row["file"], still_decoder=None)
                face = _central(pack.detector.detect(image), image)
                shown = face is not None and pack.shows_features(image, face)
                vector = pack.embedder.embed(image, face) if face is not None and shown else None
            except (ImageError, ModelFailed):
                vector = None
            if vector is None:
                failures += 1
            else:
                rows.append(row)
                vectors.append(vector)

    def column(name: str) -> NDArray[np.str_]:
        return np.array([row.get(name, "") for row in rows])

    identities = column("identity")
    return TemplateSet(
        vectors=np.stack(vectors),
        files=column("file"),
        identities=identities,
        sources=np.array([identity.partition(":")[0] for identity in identities]),
        groups=column("group"),
        sexes=column("sex"),
        failures=failures,
    )


def _central(faces: Sequence[DetectedFace], image: BgrImage) -> DetectedFace | None:
    height, width = image.shape[:2]

    def off_centre(face: DetectedFace) -> float:
        x, y = face.box.centre
        return float(np.hypot(x - width / 2, y - height / 2))

    sure = [face for face in faces if face.confidence >= _SURE] or list(faces[:1])
    return min(sure, key=off_centre, default=None)


def write_templates(templates: TemplateSet, path: Path) -> None:
    """Write a file that only the study reads: templates are biometric data."""
    path.touch(mode=0o600)
    # Given a path without ".npz", NumPy would write beside it, into a file that others may read.
    with path.open("wb") as stream:
        np.savez(stream, **{name: getattr(templates, name) for name in TemplateSet.__slots__})


def read_templates(path: Path) -> TemplateSet:
    """Read such a file."""
    with np.load(path, allow_pickle=False) as stored:
        columns = {name: stored[name] for name in TemplateSet.__slots__ if name != "failures"}
        return TemplateSet(**columns, failures=int(stored["failures"]))


FOLDS: Final = 5
DIRECTIONS: Final = 16


@dataclass(frozen=True, slots=True)
class PairScores:
    """The scores of pairs of photos.

    Attributes:
        scores: Shape (n,).
        first: Shape (n,), index of the first photo.
        second: Shape (n,), index of the second photo.
    """

    scores: NDArray[np.float32]
    first: NDArray[np.int32]
    second: NDArray[np.int32]


def suspected_duplicates() -> frozenset[frozenset[str]]:
    """Return the pairs of identities that are probably one person."""
    with as_file(files("lab.studies.photo_match") / "duplicates.toml") as path:
        return read_corrections(path).unsure


def one_of_each_person(templates: TemplateSet) -> NDArray[np.intp]:
    """Return the index of the first photo of each person."""
    return np.unique(templates.identities, return_index=True)[1]


def joined(parts: Sequence[PairScores]) -> PairScores:
    """Return all pairs of several parts."""
    columns = ([getattr(part, name) for part in parts] for name in PairScores.__slots__)
    return PairScores(*map(np.concatenate, columns))


def score_pairs(
    templates: TemplateSet, *, cohort: bool, duplicates: bool = False
) -> tuple[PairScores, PairScores]:
    """Score all pairs of photos.

    Args:
        cohort: Whether to score against a cohort. Then people are divided into ``FOLDS`` folds, and each pair
            is scored by a cohort of the people in the other folds. Without it, scores are cosines.
        duplicates: Whether suspected duplicates count as different people. If not, they are left out.

    Returns:
        The genuine pairs, and the impostor pairs.
    """
    names, persons = np.unique(templates.identities, return_inverse=True)
    fold_of = np.random.default_rng(1).permutation(names.size) % FOLDS
    folds = fold_of[persons] if cohort else np.zeros(persons.size, dtype=np.int64)
    left_out = frozenset() if duplicates else _places(templates)
    genuine: list[PairScores] = []
    impostor: list[PairScores] = []
    for rows, columns, vectors in _blocks(templates, folds):
        block = (vectors[rows] @ vectors[columns].T).clip(-1.0, 1.0)
        first, second = (each.ravel() for each in np.meshgrid(rows, columns, indexing="ij"))
        scores, kept = block.ravel(), first < second if rows is columns else np.ones(block.size, np.bool_)
        for one, other in left_out:
            kept &= ~(((first == one) & (second == other)) | ((first == other) & (second == one)))
        same = persons[first] == persons[second]
        for found, chosen in ((genuine, kept & same), (impostor, kept & ~same)):
            found.append(PairScores(scores[chosen], first[chosen], second[chosen]))
    return joined(genuine), joined(impostor)


def _blocks(
    templates: TemplateSet, folds: NDArray[np.int64]
) -> Iterator[tuple[NDArray[np.int32], NDArray[np.int32], NDArray[np.float32]]]:
    """Yield pairs of folds with the vectors by which their photos are scored."""
    places = [np.flatnonzero(folds == fold).astype(np.int32) for fold in range(int(folds.max()) + 1)]
    if len(places) == 1:
        yield places[0], places[0], templates.vectors
        return
    singles = np.zeros(folds.size, dtype=np.bool_)
    singles[one_of_each_person(templates)] = True
    for one, other in itertools.combinations_with_replacement(range(len(places)), 2):
        others = singles & (folds != one) & (folds != other)
        fitted = fit_cohort(templates.vectors[others], directions=DIRECTIONS)
        yield places[one], places[other], fitted.vectors(templates.vectors).astype(np.float32)


def _places(templates: TemplateSet) -> frozenset[tuple[int, int]]:
    """Return the pairs of photos, each in order, of suspected duplicates."""
    photos = (
        [np.flatnonzero(templates.identities == name) for name in pair] for pair in suspected_duplicates()
    )
    pairs = itertools.chain.from_iterable(itertools.product(*each) for each in photos)
    return frozenset((int(min(pair)), int(max(pair))) for pair in pairs)
