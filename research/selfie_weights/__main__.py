"""Chooses the weights of ``liveness/selfie/selfie_model.toml`` and prints them with their figures.

::

    python -m research.selfie_weights --assets DIR --pack embedded --pack open:DIR/models

The command tries all weights in steps of 0.05, and chooses those with the least error at 0.58, the threshold
of the older selfie API (docs/analysis_service.md). The error is the mean of two shares: live images below the
threshold, and attacks at or above it. It is averaged over three groups of images and over the packs. To
validate the choice, each source, and each half of the largest one, is judged by weights that were chosen on
the rest. The figures are not error rates, because images of one source share persons and cameras.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from evaluation.pad.metrics import area_under_curve
from liveness.selfie import SIGNAL_NAMES, SelfieSettings
from research.selfie_weights.pictures import ScoredPictures, groups_of, score_pictures
from research.selfie_weights.search import best_weights, candidates, figures_of, mean_error
from vision.errors import VisionError
from vision.packs import load_pack

__all__ = ["main"]


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
        prog="python -m research.selfie_weights",
        description="Choose the weights of the eight signals on labelled images.",
    )
    parser.add_argument("--assets", required=True, type=Path, help="folder with data/pad/")
    parser.add_argument(
        "--pack", action="append", required=True, help="pack for faces and landmarks; repeatable"
    )
    return parser


if __name__ == "__main__":
    raise SystemExit(main())
