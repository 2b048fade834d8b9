"""Compares the fusion of a single image with its parts, on persons who were not used to fit either.

::

    python -m research.liveness_fusion.unseen ROWS --dataset <assets>/data/pad

``facegate evaluate pad`` measures the shipped coefficients, which were fitted to the same images. Here the
images of each source are judged by a model that was fitted without them. A source with more than half of all
images is divided into fifths by persons and sittings, and each fifth is judged by a model that was fitted
without it. The command prints, for every network, the figures of the fusion with this network, of the network
alone and of the single-frame cues alone. It also prints the fusion's figures minus those of each part, with
intervals over persons and sittings. The thresholds are set on the images that are judged.
"""

import argparse
import math
import sys
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table

from evaluation.pad import (
    EVERY_SPECIES,
    POOLED,
    Bootstrap,
    Interval,
    NotSupported,
    PadEvaluationError,
    PadSample,
    ScorerKind,
    ScoreRun,
    draw,
    evaluate_run,
    read_dataset,
)
from evaluation.pad.difference import difference
from evaluation.pad.resampling import Draws
from evaluation.pad.runs import ScorerAnswer, ScorerName, collect_run
from liveness import FusionModel, load_fusion_model
from liveness.errors import FusionModelError
from liveness.express.scoring import network_log_odds
from research.liveness_fusion.left_out import STANDARD, decide
from research.liveness_fusion.parts import Limits, fit_parts, sets_of
from research.liveness_fusion.rows import Row, RowKind, RowsUnusable, read_rows

__all__ = ["folds_of", "main"]

_PARTS = 5
_APCER = 0.10


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; return 0, or 2 with one line on stderr if it could not measure."""
    parser = argparse.ArgumentParser(
        prog="python -m research.liveness_fusion.unseen",
        description="The fusion of a single image and its parts, on persons to whom neither was fitted.",
    )
    parser.add_argument("rows", type=Path, help="file of research.liveness_fusion.measure")
    parser.add_argument("--dataset", type=Path, required=True, help="the images, for persons and sittings")
    parser.add_argument("--resamples", type=int, default=2000, help="draws of persons (%(default)s)")
    options = parser.parse_args(arguments)
    try:
        rows = read_rows(options.rows)
        samples = {sample.name: sample for sample in read_dataset(options.dataset)}
        base = load_fusion_model()
    except (RowsUnusable, PadEvaluationError, FusionModelError, OSError) as error:
        sys.stderr.write(f"could not measure: {error}\n")
        return 2
    pictures = [row for row in rows if row.kind is RowKind.PICTURE and row.name in samples]
    if not pictures:
        sys.stderr.write("could not measure: no row is of a picture of the dataset\n")
        return 2
    folds = folds_of([samples[row.name] for row in pictures])
    models = _models(rows, pictures, folds, base)
    bootstrap = Bootstrap(resamples=options.resamples, confidence=0.95, seed=1)
    for networks in sets_of({name for row in pictures for name in row.networks}):
        asked = [place for place, row in enumerate(pictures) if networks.issubset(row.networks)]
        asked_samples = [samples[pictures[place].name] for place in asked]
        runs = _runs(networks, [(pictures[place], models[folds[place]]) for place in asked], asked_samples)
        _show(" + ".join(sorted(networks)), runs, draw(asked_samples, bootstrap), bootstrap)
    return 0


def folds_of(samples: Sequence[PadSample]) -> list[str]:
    """Return the fold of each image: its source, or a fifth of the persons of a large source."""
    sizes = Counter(sample.source for sample in samples)
    groups: dict[str, dict[str, int]] = {}
    for sample in samples:
        numbers = groups.setdefault(sample.source, {})
        numbers.setdefault(sample.group, len(numbers) % _PARTS)
    return [
        f"{sample.source}, part {groups[sample.source][sample.group]}"
        if 2 * sizes[sample.source] > len(samples)
        else sample.source
        for sample in samples
    ]


def _models(
    rows: Sequence[Row], pictures: Sequence[Row], folds: Sequence[str], base: FusionModel
) -> dict[str, FusionModel]:
    """Return a model for each fold, fitted without its images, and without the clips of a whole source."""
    fold_of = {id(row): fold for row, fold in zip(pictures, folds, strict=True)}
    return {
        fold: fit_parts([row for row in rows if fold_of.get(id(row), row.source) != fold], base, Limits())
        for fold in dict.fromkeys(folds)
    }


def _runs(
    networks: frozenset[str], judged: Sequence[tuple[Row, FusionModel]], asked_samples: Sequence[PadSample]
) -> list[ScoreRun]:
    """Return the runs of the fusion and then of its parts."""

    def run(name: str, kind: ScorerKind, score: Callable[[Row, FusionModel], float]) -> ScoreRun:
        answers = [ScorerAnswer(score(row, model)) for row, model in judged]
        return collect_run(ScorerName(name, kind), asked_samples, answers, [0.0] * len(answers))

    def confidence(asked: frozenset[str]) -> Callable[[Row, FusionModel], float]:
        return lambda row, model: decide(row, model, networks=asked, policy=STANDARD).score / 100

    def mean(row: Row, _: FusionModel) -> float:
        odds = sum(network_log_odds(row.networks[name]) for name in networks) / len(networks)
        return 1 / (1 + math.exp(-odds))

    return [
        run("fusion", ScorerKind.FUSION, confidence(networks)),
        run("cues of one frame", ScorerKind.CUES, confidence(frozenset())),
        run("networks", ScorerKind.NETWORK, mean),
    ]


def _show(title: str, runs: Sequence[ScoreRun], draws: Draws, bootstrap: Bootstrap) -> None:
    live = int(runs[0].live.sum())
    table = Table(
        title=f"{title}: {live} bona fide, {len(runs[0].samples) - live} attacks", title_justify="left"
    )
    for heading in ("", "AUC", "BPCER at 10 %", "in one", "fusion less it: AUC", "BPCER, in one"):
        table.add_column(heading)
    for run in runs:
        result = evaluate_run(run, draws=draws, bootstrap=bootstrap)
        rates = {
            point.basis: f"{100 * point.bpcer.rate:.1f} %"
            for point in result.points
            if not isinstance(point, NotSupported) and point.target == _APCER
        }
        less = None if run is runs[0] else difference(runs[0], run, draws=draws, bootstrap=bootstrap)
        table.add_row(
            run.scorer.name,
            "-" if result.auc is None else f"{result.auc:.3f}{_interval(result.auc_within, 1, 2)}",
            *(rates.get(basis, "-") for basis in (EVERY_SPECIES, POOLED)),
            "" if less is None else f"{less.auc:+.3f}{_interval(less.auc_within, 1, 3)}",
            "" if less is None else f"{100 * less.bpcer:+.1f}{_interval(less.bpcer_within, 100, 1)}",
        )
    Console().print(table)


def _interval(found: Interval | None, scale: float, digits: int) -> str:
    return "" if found is None else f" [{scale * found.lower:.{digits}f}, {scale * found.upper:.{digits}f}]"


if __name__ == "__main__":
    sys.exit(main())
