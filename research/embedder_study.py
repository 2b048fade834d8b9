"""Do mirror images, several crops or a cohort help a pack's embedder? One change at a time, same comparisons.

::

    python -m research.embedder_study --pack P --assets DIR

The sets, the comparisons and the intervals are those of ``research.embedded_study``. The face's five points
are moved before the pack aligns by them, so that any pack can be asked. A score is normalised by a *cohort*
(s-norm: R. Auckenthaler et al., "Score normalization for text-independent speaker verification systems",
Digital Signal Processing 10, 2000): from a cosine the mean of each template's cosines to other people's
portraits is taken, over their deviation, for both sides, and the two are averaged.
"""

import argparse
import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import track
from rich.table import Table

from evaluation.match.errors import MatchEvaluationError
from research.embedded_study.centring import Change, changed_cosines
from research.embedded_study.embedding import one_face
from research.embedded_study.photo_sets import PhotoSet, labelled_photos, selfies
from research.embedded_study.scores import Pairs, Rate, difference, draw_persons, fnmr_at
from research.embedded_study.wear import worn
from vision.errors import ModelFailed, VisionError
from vision.face import BgrImage, DetectedFace, Embedding
from vision.packs import Pack, load_pack
from vision.packs.dlib_chips import MOVES, Move
from vision.packs.models_dir import default_models_dir

__all__ = ["VARIANTS", "View", "cohort_scores", "main", "moved", "seen_as"]

_CROP_SIDE: Final = 3.2
"""Side of an aligned crop, in distances between the eyes."""
_MIRRORED_POINTS: Final = (1, 0, 2, 4, 3)
_RATE: Final = 0.01


_UNMOVED: Final = Move()


@dataclass(frozen=True, slots=True)
class View:
    """How a face is shown to the embedder."""

    move: Move = _UNMOVED
    mirrored: bool = False


VIEWS: Final = (
    View(),
    View(mirrored=True),
    *(View(move=move, mirrored=mirrored) for move in MOVES for mirrored in (False, True)),
)
_PLAIN: Final = (0,)
_BOTH: Final = (0, 1)
_MOVED: Final = (2, 4, 6, 8)
_ALL_MOVED: Final = tuple(range(2, 10))

VARIANTS: Final = {
    "one crop": (_PLAIN, _PLAIN),
    "mirror image added": (_BOTH, _BOTH),
    "mirror image, portrait only": (_BOTH, _PLAIN),
    "four moved crops": (_MOVED, _MOVED),
    "four moved, portrait only": (_MOVED, _PLAIN),
    "four moved and mirrored": (_ALL_MOVED, _ALL_MOVED),
    "four moved and mirrored, portrait only": (_ALL_MOVED, _PLAIN),
}
"""By name, the views that are averaged of the portrait and of the probe."""


def main(arguments: Sequence[str] | None = None) -> int:
    """The command. Returns 0, or 2 with one line on stderr when it could not measure."""
    options = _parser().parse_args(arguments)
    console = Console(width=150)
    try:
        pack = load_pack(options.pack, models_dir=default_models_dir(os.environ, Path.home()))
        data = options.assets / "data"
        for photos in (labelled_photos(data / "faces", apart="orl"), selfies(data / "pad", pack=pack)):
            for is_worn in (False, True):
                console.print(_measure(photos, pack, console, is_worn=is_worn, samples=options.samples))
    except (MatchEvaluationError, VisionError, OSError, ValueError) as error:
        sys.stderr.write(f"could not measure: {error}\n")
        return 2
    return 0


def moved(face: DetectedFace, move: Move) -> DetectedFace:
    """``face`` with such points that the crop aligned by them is moved by ``move``."""
    points = face.five_points.astype(np.float64)
    centre = points.mean(axis=0)
    angle = np.radians(-move.degrees)
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    shift = np.array(move.shift) * _CROP_SIDE * face.eye_distance
    changed = (points - centre) @ turn.T / move.scale + centre - shift
    return replace(face, five_points=changed.astype(np.float32))


def seen_as(image: BgrImage, face: DetectedFace, view: View) -> tuple[BgrImage, DetectedFace]:
    """The picture and the face as ``view`` shows them."""
    changed = moved(face, view.move)
    if not view.mirrored:
        return image, changed
    points = changed.five_points[list(_MIRRORED_POINTS)].copy()
    points[:, 0] = image.shape[1] - 1 - points[:, 0]
    return np.ascontiguousarray(image[:, ::-1]), replace(changed, five_points=points)


def cohort_scores(
    portraits: NDArray[np.float64], probes: NDArray[np.float64], persons: NDArray[np.intp], pairs: Pairs
) -> NDArray[np.float64]:
    """Cosines of ``pairs``, normalised on both sides by the portraits of persons beside the two compared.

    Args:
        portraits: Shape (t, d), of length 1.
        probes: Shape (t, d), of length 1.
        persons: Shape (t,), who each shows, 0..p-1.
        pairs: Rows are portraits, columns are probes.
    """
    cosines = np.einsum("ij,ij->i", portraits[pairs.rows], probes[pairs.columns])
    sides = []
    for templates, places in ((portraits, pairs.rows), (probes, pairs.columns)):
        alike = templates @ portraits.T
        by_person = [
            np.stack([values[:, persons == person].sum(axis=1) for person in range(pairs.persons)], axis=1)
            for values in (np.ones_like(alike), alike, alike**2)
        ]
        count, total, squares = (
            sums[places].sum(axis=1)
            - sums[places, pairs.first]
            - np.where(pairs.first == pairs.second, 0.0, sums[places, pairs.second])
            for sums in by_person
        )
        mean = total / count
        sides.append((cosines - mean) / np.sqrt(np.maximum(squares / count - mean**2, 1e-12)))
    normalised: NDArray[np.float64] = (sides[0] + sides[1]) / 2
    return normalised


def _measure(photos: PhotoSet, pack: Pack, console: Console, *, is_worn: bool, samples: int) -> Table:
    portraits, probes, kept = _embed(photos, pack, console, is_worn=is_worn)
    identities = photos.identities[kept]
    pairs = Pairs.among(identities, unsure=photos.unsure)
    pairs = pairs.both_ways() if is_worn else pairs
    draws = draw_persons(pairs.persons, samples=samples, seed=3)
    scores = {
        name: np.einsum("ij,ij->i", _mean(portraits, one)[pairs.rows], _mean(probes, other)[pairs.columns])
        for name, (one, other) in VARIANTS.items()
    }
    plain = _mean(portraits, _PLAIN)
    persons = np.unique(identities, return_inverse=True)[1]
    scores["normalised by a cohort"] = cohort_scores(plain, _mean(probes, _PLAIN), persons, pairs)
    if not is_worn:
        for change in Change:
            scores[change.value] = changed_cosines(plain, identities, pairs, change, seed=5)
    table = Table(
        "variant", "crops", f"FNMR at FMR {_RATE:.0%} [95 %]", "change", "won, lost",
        title=f"{photos.name}{', one of each pair worn' * is_worn}; {pairs.persons} persons, "
        f"{int(pairs.genuine.sum())} genuine, {int((~pairs.genuine).sum())} impostor comparisons",
    )  # fmt: skip
    reference: Rate | None = None
    for name, values in scores.items():
        rate = fnmr_at(_RATE, scores=values, pairs=pairs, draws=draws)
        reference = reference or rate
        change_of = difference(rate, reference)
        views = VARIANTS.get(name, (_PLAIN, _PLAIN))
        table.add_row(
            name,
            f"{len(views[0])}, {len(views[1])}",
            f"{rate.fnmr:.1%} {_span(rate.interval)}",
            f"{change_of.change:+.1%} {_span(change_of.interval)}",
            f"{change_of.gained}, {change_of.lost}",
        )
    return table


def _embed(
    photos: PhotoSet, pack: Pack, console: Console, *, is_worn: bool
) -> tuple[NDArray[np.float64], NDArray[np.float64], list[int]]:
    """Templates of every view, each of shape (views, t, d), and which photos they are of."""
    portraits, probes, kept = [], [], []
    for at, image in enumerate(track(photos.images, description=photos.name, console=console)):
        try:
            face = one_face(image, pack.detector)
            if face is None:
                continue
            portrait = _views(image, face, pack)
            probe = portrait
            if is_worn:
                poor = worn(image, face_width=face.box.width, seed=at)
                found = one_face(poor, pack.detector)
                if found is None:
                    continue
                probe = _views(poor, found, pack)
        except ModelFailed:
            continue
        portraits.append(portrait)
        probes.append(probe)
        kept.append(at)
    return np.stack(portraits, axis=1), np.stack(probes, axis=1), kept


def _views(image: BgrImage, face: DetectedFace, pack: Pack) -> NDArray[np.float64]:
    templates: list[Embedding] = [pack.embedder.embed(*seen_as(image, face, view)) for view in VIEWS]
    return np.stack([template.astype(np.float64) for template in templates])


def _mean(templates: NDArray[np.float64], views: tuple[int, ...]) -> NDArray[np.float64]:
    total = templates[list(views)].sum(axis=0)
    unit: NDArray[np.float64] = total / np.linalg.norm(total, axis=1, keepdims=True)
    return unit


def _span(interval: tuple[float, float]) -> str:
    return f"[{100 * interval[0]:.1f}, {100 * interval[1]:.1f}]"


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m research.embedder_study",
        description="Measure whether more than one crop, or a cohort, helps a pack's embedder.",
    )
    parser.add_argument("--pack", required=True, help='such as "open:<folder>" or "insightface:<folder>"')
    parser.add_argument("--assets", required=True, type=Path, help="folder with data/")
    parser.add_argument("--samples", type=int, default=1000, help="bootstrap samples")
    return parser


if __name__ == "__main__":
    cv2.setNumThreads(1)
    raise SystemExit(main())
