"""Chooses the weights of ``liveness/selfie/selfie_model.toml`` and prints them with their figures.

::

    python -m lab.studies.selfie_weights --assets DIR --pack embedded --pack open:DIR/models

The command tries all weights in steps of 0.05, and chooses those with the least error at 0.58, the threshold
of the older selfie API (docs/analysis.md). The error is the mean of two shares: live images below the
threshold, and attacks at or above it. It is averaged over three groups of images and over the packs. To
validate the choice, each source, and each half of the largest one, is judged by weights that were chosen on
the rest. The figures are not error rates, because images of one source share persons and cameras.
"""

import argparse
import csv
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import track
from rich.table import Table

from formats.picture_metadata import read_exif_tags
from lab.evaluation.pad.points import area_under_curve
from liveness.selfie import SIGNAL_NAMES, SelfieSettings, judge_selfie, load_selfie_model
from vision.errors import ModelFailed, VisionError
from vision.face import BgrImage
from vision.packs import Pack, load_pack

_HALVES = 2


@dataclass(frozen=True, slots=True)
class ScoredPictures:
    """The scores of the images in which a pack found a face.

    Attributes:
        scores: Shape (images, 8), in the order of ``liveness.selfie.SIGNAL_NAMES``.
        live: Shape (images,): whether each shows a live person.
        screen: Shape (images,): whether each shows a screen, by its label.
        folds: Shape (images,): the fold: a source, or half of the largest source by the order of its files'
            names, which begin with the time of the session.
        largest: Shape (images,): whether each is of the largest source.
        without_face: Live and attack images without a face.
    """

    scores: NDArray[np.float64]
    live: NDArray[np.bool_]
    screen: NDArray[np.bool_]
    folds: NDArray[np.str_]
    largest: NDArray[np.bool_]
    without_face: tuple[int, int]


@dataclass(frozen=True, slots=True)
class Group:
    """Live images and attacks that are compared with each other; indices into the images."""

    name: str
    live: NDArray[np.intp]
    attacks: NDArray[np.intp]


def score_pictures(pack: Pack, folder: Path) -> ScoredPictures:
    """Score every usable image of ``folder``.

    Args:
        pack: Finds faces and landmarks.
        folder: Folder with ``manifest.csv``.

    Raises:
        OSError: There is no manifest.
        KeyError: It lacks a column.
        ValueError: It names no usable image, or none has a face.
    """
    rows = _rows(folder / "manifest.csv")
    if not rows:
        raise ValueError("the manifest names no usable picture")
    folds = _folds(rows)
    model, settings = load_selfie_model(), SelfieSettings()
    kept: list[int] = []
    scores: list[list[float]] = []
    without = [0, 0]
    for index, content, image in _pictures(rows, folder):
        try:
            faces = pack.detector.detect(image)
            landmarks = pack.landmarker.locate(image, faces[0]) if faces and pack.landmarker else None
        except ModelFailed:
            faces, landmarks = (), None
        result = judge_selfie(
            image=image,
            face=faces[0] if faces else None,
            landmarks=landmarks,
            exif=read_exif_tags(content),
            settings=settings,
            model=model,
        )
        if result.face_detected:
            kept.append(index)
            scores.append([signal.score or 0.0 for signal in result.signals])
        else:
            without[rows[index]["label"] != "live"] += 1
    if not kept:
        raise ValueError("no picture has a face")
    sources = [rows[index]["source_repo"] for index in kept]
    largest = max(set(sources), key=sources.count)
    return ScoredPictures(
        scores=np.array(scores),
        live=np.array([rows[index]["label"] == "live" for index in kept]),
        screen=np.array(["screen" in rows[index]["attack_type"] for index in kept]),
        folds=np.array([folds[index] for index in kept]),
        largest=np.array([source == largest for source in sources]),
        without_face=(without[0], without[1]),
    )


def groups_of(pictures: ScoredPictures, among: NDArray[np.bool_] | None = None) -> tuple[Group, ...]:
    """Group prints and screens of the largest source, and the other sources' attacks, with their live images.

    Args:
        among: Shape (images,): the images to use; all if None. A group without live images or attacks is
            omitted.
    """
    chosen = np.ones_like(pictures.live) if among is None else among
    inside, outside = chosen & pictures.largest, chosen & ~pictures.largest
    named = (
        ("largest source, prints", inside & pictures.live, inside & ~pictures.live & ~pictures.screen),
        ("largest source, screens", inside & pictures.live, inside & ~pictures.live & pictures.screen),
        ("other sources", outside & pictures.live, outside & ~pictures.live),
    )
    return tuple(
        Group(name, np.flatnonzero(live), np.flatnonzero(attacks))
        for name, live, attacks in named
        if live.any() and attacks.any()
    )


def _rows(manifest: Path) -> list[dict[str, str]]:
    with manifest.open(encoding="utf-8", newline="") as stream:
        return [row for row in csv.DictReader(stream) if row["usable"] == "1"]


def _folds(rows: Sequence[dict[str, str]]) -> list[str]:
    sources = [row["source_repo"] for row in rows]
    largest = max(set(sources), key=sources.count)
    folds = list(sources)
    for label in ("live", "spoof"):
        at = [
            index for index, row in enumerate(rows) if row["source_repo"] == largest and row["label"] == label
        ]
        at.sort(key=lambda index: rows[index]["file"])
        for place, index in enumerate(at):
            folds[index] = f"{largest}, half {1 + place * _HALVES // len(at)}"
    return folds


def _pictures(rows: Sequence[dict[str, str]], folder: Path) -> Iterator[tuple[int, bytes, BgrImage]]:
    for index, row in enumerate(track(rows, description="pictures", console=Console(stderr=True))):
        content = (folder / row["file"]).read_bytes()
        decoded = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_COLOR)
        if decoded is not None:
            yield index, content, decoded.astype(np.uint8, copy=False)


FIXED = {"exif_metadata": 0.10, "fft_deepfake": 0.10}
"""Fixed weights, because hardly any image has EXIF data, and none is from a generator."""

_STEP = 0.05
_HIGHEST = SIGNAL_NAMES.index("lbp_texture")
_MARGIN = 0.04


@dataclass(frozen=True, slots=True)
class GroupFigures:
    """The figures of one set of weights on one group.

    Attributes:
        live: Live images by verdict: LIVE, INCONCLUSIVE, SPOOF.
        area: Area under the curve of the confidence, 0..1.
        error: Mean of the share of live images below the threshold and of attacks at or above it.
    """

    name: str
    live: tuple[int, int, int]
    attacks: tuple[int, int, int]
    area: float
    error: float


def candidates() -> NDArray[np.float64]:
    """Return every set of weights: multiples of 0.05, at least 0.05, with ``FIXED``, lbp_texture the highest.

    Returns:
        Shape (sets, 8), in the order of ``SIGNAL_NAMES``; each row sums to 1.
    """
    free = [index for index, name in enumerate(SIGNAL_NAMES) if name not in FIXED]
    units = round((1 - sum(FIXED.values())) / _STEP)
    rows = []
    # Stars and bars: the positions of the bars give the units, at least one, of each signal.
    for bars in combinations(range(1, units), len(free) - 1):
        shares = np.diff((0, *bars, units))
        row = np.array([FIXED.get(name, 0.0) for name in SIGNAL_NAMES])
        row[free] = shares * _STEP
        if (np.delete(row, _HIGHEST) < row[_HIGHEST] - _STEP / 2).all():
            rows.append(row)
    return np.array(rows)


def best_weights(
    sets: NDArray[np.float64],
    scores: Sequence[NDArray[np.float64]],
    groups: Sequence[Sequence[Group]],
    *,
    threshold: float,
) -> NDArray[np.float64]:
    """Return the set with the least mean error over all packs and groups, or if equal the largest mean area.

    Args:
        sets: Result of ``candidates``.
        scores: Shape (images, 8) for each pack.
        groups: Groups for each pack, at least one.
        threshold: Confidence that separates live images from attacks.
    """
    errors = [mean_error(weights, scores, groups, threshold=threshold) for weights in sets]
    least = min(errors)
    best = [weights for weights, error in zip(sets, errors, strict=True) if error <= least + 1e-12]
    areas = [
        np.mean(
            [
                area_under_curve(*_confidences(weights, matrix, group))
                for matrix, named in zip(scores, groups, strict=True)
                for group in named
            ]
        )
        for weights in best
    ]
    chosen: NDArray[np.float64] = best[int(np.argmax(areas))]
    return chosen


def mean_error(
    weights: NDArray[np.float64],
    scores: Sequence[NDArray[np.float64]],
    groups: Sequence[Sequence[Group]],
    *,
    threshold: float,
) -> float:
    """Return the mean of ``GroupFigures.error`` over all packs and groups."""
    return float(
        np.mean(
            [
                _error(*_confidences(weights, matrix, group), threshold)
                for matrix, named in zip(scores, groups, strict=True)
                for group in named
            ]
        )
    )


def figures_of(
    weights: NDArray[np.float64], scores: NDArray[np.float64], group: Group, *, threshold: float
) -> GroupFigures:
    """Compute the figures of one group."""
    live, attacks = _confidences(weights, scores, group)
    return GroupFigures(
        name=group.name,
        live=_verdicts(live, threshold),
        attacks=_verdicts(attacks, threshold),
        area=area_under_curve(live, attacks),
        error=_error(live, attacks, threshold),
    )


def _confidences(
    weights: NDArray[np.float64], scores: NDArray[np.float64], group: Group
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    return scores[group.live] @ weights, scores[group.attacks] @ weights


def _error(live: NDArray[np.float64], attacks: NDArray[np.float64], threshold: float) -> float:
    return float(((live < threshold).mean() + (attacks >= threshold).mean()) / 2)


def _verdicts(confidences: NDArray[np.float64], threshold: float) -> tuple[int, int, int]:
    above = int((confidences >= threshold + _MARGIN).sum())
    below = int((confidences < threshold - _MARGIN).sum())
    return above, confidences.size - above - below, below


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; return 0, or 2 with one line on stderr if it could not measure."""
    options = _parser().parse_args(arguments)
    try:
        packs = {
            spec: score_pictures(load_pack(spec), options.assets / "data" / "pad") for spec in options.pack
        }
    except (VisionError, OSError, KeyError, ValueError) as error:
        sys.stderr.write(f"could not measure: {error}\n")
        return 2
    threshold = SelfieSettings().live_threshold
    console = Console(width=130)
    sets = candidates()
    every = tuple(packs.values())
    weights = best_weights(
        sets, [each.scores for each in every], [groups_of(each) for each in every], threshold=threshold
    )
    for spec, pictures in packs.items():
        _print_signals(console, spec, pictures)
        _print_sum(console, spec, pictures, weights, threshold)
    chosen = mean_error(
        weights, [each.scores for each in every], [groups_of(each) for each in every], threshold=threshold
    )
    left_out = _left_out(sets, every, threshold)
    console.print(f"mean error of the chosen weights {chosen:.3f}; each fold by the others' {left_out:.3f}")
    console.print("[weights]", markup=False)
    for name, weight in zip(SIGNAL_NAMES, weights, strict=True):
        console.print(f"{name} = {weight:.2f}", markup=False, highlight=False)
    return 0


def _left_out(sets: NDArray[np.float64], packs: Sequence[ScoredPictures], threshold: float) -> float:
    """Return the mean error if every image is judged by weights that were chosen without its fold."""
    names = sorted({str(fold) for pictures in packs for fold in pictures.folds})
    confidences = [np.zeros(pictures.live.size) for pictures in packs]
    for name in names:
        others = [groups_of(pictures, pictures.folds != name) for pictures in packs]
        weights = best_weights(sets, [each.scores for each in packs], others, threshold=threshold)
        for pictures, values in zip(packs, confidences, strict=True):
            held = pictures.folds == name
            values[held] = pictures.scores[held] @ weights
    # A sum of one signal with weight 1 is that signal, so that the same measure applies.
    return mean_error(
        np.ones(1),
        [values[:, None] for values in confidences],
        [groups_of(pictures) for pictures in packs],
        threshold=threshold,
    )


def _print_signals(console: Console, spec: str, pictures: ScoredPictures) -> None:
    table = Table("signal", title=f"{spec}: area under the curve of each signal alone")
    groups = groups_of(pictures)
    for group in groups:
        table.add_column(f"{group.name} ({group.live.size} live, {group.attacks.size} attacks)")
    for index, name in enumerate(SIGNAL_NAMES):
        values = pictures.scores[:, index]
        table.add_row(
            name, *(f"{area_under_curve(values[group.live], values[group.attacks]):.2f}" for group in groups)
        )
    console.print(table)
    console.print(
        f"without a face: {pictures.without_face[0]} live, {pictures.without_face[1]} attacks",
        highlight=False,
    )


def _print_sum(
    console: Console,
    spec: str,
    pictures: ScoredPictures,
    weights: NDArray[np.float64],
    threshold: float,
) -> None:
    table = Table(
        "group",
        "live: LIVE / INCONCLUSIVE / SPOOF",
        "attacks: LIVE / INCONCLUSIVE / SPOOF",
        "area",
        "error",
        title=f"{spec}: the sum with the chosen weights",
    )
    for group in groups_of(pictures):
        figures = figures_of(weights, pictures.scores, group, threshold=threshold)
        table.add_row(
            group.name,
            " / ".join(str(count) for count in figures.live),
            " / ".join(str(count) for count in figures.attacks),
            f"{figures.area:.3f}",
            f"{figures.error:.3f}",
        )
    console.print(table)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m lab.studies.selfie_weights",
        description="Choose the weights of the eight signals on labelled images.",
    )
    parser.add_argument("--assets", required=True, type=Path, help="folder with data/pad/")
    parser.add_argument(
        "--pack", action="append", required=True, help="pack for faces and landmarks; repeatable"
    )
    return parser


if __name__ == "__main__":
    raise SystemExit(main())
