"""Shows what each part of the fusion contributes: ``python -m research.liveness_fusion.table ROWS``.

Prints, for scans and for single images, each part alone, the fusion, and the fusion less each part. Every row
is judged by a model fitted without its source, under policy ``standard``. Deepfake files are counted
separately, because they show no medium. A part that does not help here is removed from the fusion.
"""

import argparse
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType

import numpy as np
from rich.console import Console
from rich.table import Table

from evaluation.pad.metrics import area_under_curve
from liveness import FusionModel, LivenessResult, Verdict, load_fusion_model
from liveness.errors import FusionModelError
from liveness.fusion_model import NetworkCalibration
from research.liveness_fusion.left_out import STANDARD, decide
from research.liveness_fusion.parts import PUBLIC, Limits, fit_parts
from research.liveness_fusion.rows import Row, RowKind, RowsUnusable, read_rows

__all__ = ["Variant", "main", "variants"]

_DEEPFAKE = "deepfake"
_Change = Callable[[FusionModel], FusionModel]


@dataclass(frozen=True, slots=True)
class Variant:
    """A fusion that uses some of the parts: PAD networks, motion or cues, and traces.

    Attributes:
        name: Its name in the table.
        networks: The names of its PAD networks.
        change: Returns a fitted model without the other parts that the variant omits.
    """

    name: str
    networks: frozenset[str]
    change: _Change


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; return 0, or 2 with one line on stderr if the rows cannot be used."""
    parser = argparse.ArgumentParser(prog="python -m research.liveness_fusion.table")
    parser.add_argument("rows", type=Path, nargs="+", help="files of research.liveness_fusion.measure")
    options = parser.parse_args(arguments)
    try:
        rows = [row for path in options.rows for row in read_rows(path)]
        base = load_fusion_model()
    except (RowsUnusable, FusionModelError, OSError) as error:
        sys.stderr.write(f"could not measure: {error}\n")
        return 2
    models = {
        source: fit_parts([row for row in rows if row.source != source], base, Limits())
        for source in sorted({row.source for row in rows})
    }
    for title, kind in (("scans", RowKind.CLIP), ("images", RowKind.PICTURE)):
        shown = [row for row in rows if row.kind is kind and row.networks.keys() >= set(PUBLIC)]
        if shown:
            Console().print(_table(title, shown, models, stills=kind is RowKind.PICTURE))
    return 0


def variants(*, stills: bool) -> tuple[Variant, ...]:
    """Every part alone, the fusion, and the fusion less each part.

    Args:
        stills: Whether single images are judged, which have cues in place of motion.
    """
    three, none = frozenset(PUBLIC), frozenset[str]()
    other, without_other = ("cues", _without_cues) if stills else ("motion", _without_motion)

    def networks_alone(model: FusionModel) -> FusionModel:
        return _without_traces(without_other(model))

    alone = [Variant(name, frozenset({name}), networks_alone) for name in PUBLIC]
    less = [Variant(f"fusion less {name}", three - {name}, _whole) for name in PUBLIC]
    return (
        *alone,
        Variant("three networks", three, networks_alone),
        Variant(f"{other} alone", none, _without_traces),
        Variant("traces alone", none, without_other),
        Variant("fusion", three, _whole),
        *less,
        Variant(f"fusion less {other}", three, without_other),
        Variant("fusion less traces", three, _without_traces),
    )


def _table(title: str, rows: Sequence[Row], models: dict[str, FusionModel], *, stills: bool) -> Table:
    live = sum(row.live for row in rows)
    deepfakes = sum(row.species == _DEEPFAKE for row in rows)
    attacks = len(rows) - live - deepfakes
    table = Table(
        title=f"{title}: {live} live, {attacks} attacks, {deepfakes} deepfakes of "
        f"{len({row.source for row in rows})} sources, each left out",
        title_justify="left",
    )
    for heading in ("", "AUC", "live: LIVE", "SPOOF", "attacks: LIVE", "SPOOF", "deepfakes: LIVE"):
        table.add_column(heading, justify="left" if not heading else "right")
    for variant in variants(stills=stills):
        judged = [
            (row, decide(row, variant.change(models[row.source]), networks=variant.networks, policy=STANDARD))
            for row in rows
        ]
        table.add_row(variant.name, *_figures(judged))
    return table


def _figures(judged: Sequence[tuple[Row, LivenessResult]]) -> list[str]:
    presented = [(row, result) for row, result in judged if row.species != _DEEPFAKE]
    scores = [result.score for _, result in presented]
    live = np.array([one for one, (row, _) in zip(scores, presented, strict=True) if row.live])
    attacks = np.array([one for one, (row, _) in zip(scores, presented, strict=True) if not row.live])

    def count(verdict: Verdict, *, live: bool, deepfake: bool = False) -> str:
        chosen = [
            result for row, result in judged if row.live is live and (row.species == _DEEPFAKE) is deepfake
        ]
        return f"{sum(result.verdict is verdict for result in chosen)} of {len(chosen)}"

    return [
        f"{area_under_curve(live, attacks):.3f}",
        count(Verdict.LIVE, live=True),
        count(Verdict.SPOOF, live=True),
        count(Verdict.LIVE, live=False),
        count(Verdict.SPOOF, live=False),
        count(Verdict.LIVE, live=False, deepfake=True),
    ]


def _whole(model: FusionModel) -> FusionModel:
    return model


def _without_motion(model: FusionModel) -> FusionModel:
    return replace(model, motion=replace(model.motion, weights=MappingProxyType({})))


def _without_traces(model: FusionModel) -> FusionModel:
    return replace(model, traces=replace(model.traces, signals=MappingProxyType({})))


def _without_cues(model: FusionModel) -> FusionModel:
    def bare(calibration: NetworkCalibration) -> NetworkCalibration:
        return replace(calibration, cues=None)

    stills = model.still_networks
    known = {names: bare(calibration) for names, calibration in stills.known.items()}
    return replace(
        model, still_networks=replace(stills, known=MappingProxyType(known), unknown=bare(stills.unknown))
    )


if __name__ == "__main__":
    sys.exit(main())
