"""All figures of one evaluation, as JSON and for the tables and the page; DET curves and histograms as PNG.

The report cannot be traced to a person: it has counts, rates and curves, no file names and no identities. The
drawings need the extra ``evaluation``, for matplotlib.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any, Final

import numpy as np

from lab.evaluation.bench import Machine
from lab.evaluation.figures import COLOURS, STYLES, finish_rates, new_figure, png
from lab.evaluation.match.evaluation import Bootstrap
from lab.evaluation.pad.conclusion import Conclusion
from lab.evaluation.pad.dataset import PadSample
from lab.evaluation.pad.evaluation import ScorerResult
from lab.evaluation.pad.points import DetCurve, FixedApcer, NotSupported
from lab.evaluation.pad.runs import ScoreRun
from matcher import SubjectRule

_BINS: Final = 40
_LIVE: Final = "#0072b2"
_ATTACKS: Final = ("#d55e00", "#009e73", "#cc79a7", "#e69f00", "#000000")


def det_chart(results: Sequence[ScorerResult], *, title: str) -> bytes:
    """Draw a DET plot (ISO/IEC 30107-3): BPCER over APCER of all attacks with an instrument, log axes.

    A curve ends on the left at 3/n, the lowest APCER that n attacks support. A rate of 0 is drawn at the
    lower edge.

    Args:
        results: One result per scorer; those without a curve are omitted.

    Returns:
        A PNG file.
    """
    figure = new_figure(7.2, 5.0)
    axes = figure.add_subplot()
    with_curve = [(result, result.curve) for result in results if result.curve is not None]
    left = min((3.0 / max(1, result.attacks) for result, _ in with_curve), default=1e-2)
    floor = min((0.5 / max(1, result.live) for result, _ in with_curve), default=1e-2)
    for number, (result, curve) in enumerate(with_curve):
        kept = curve.apcer >= 3.0 / max(1, result.attacks)
        axes.step(
            curve.apcer[kept],
            np.maximum(curve.bpcer[kept], floor),
            label=result.scorer.name,
            color=COLOURS[number % len(COLOURS)],
            linestyle=STYLES[number % len(STYLES)],
            linewidth=1.8,
        )
    finish_rates(
        axes,
        title=title,
        labels=("APCER (attacks accepted)", "BPCER (bona fide not accepted)"),
        left=min(left, 0.5),
        floor=floor,
        legend="lower left",
        empty="" if with_curve else "nothing to compare",
    )
    return png(figure)


def histogram_chart(runs: Sequence[ScoreRun], *, title: str) -> bytes:
    """Draw the scores of bona fide presentations and of each species, one panel per scorer, each of area 1.

    Args:
        runs: At least one run.

    Returns:
        A PNG file.
    """
    figure = new_figure(7.2, 1.2 + 1.9 * len(runs))
    panels = figure.subplots(len(runs), 1, squeeze=False)[:, 0]
    edges = np.linspace(0.0, 1.0, _BINS + 1)
    for axes, run in zip(panels, runs, strict=True):
        species = run.species_masks(injected=False) | run.species_masks(injected=True)
        kinds = [("bona fide", run.live, _LIVE)]
        kinds += [
            (name, mask, _ATTACKS[number % len(_ATTACKS)])
            for number, (name, mask) in enumerate(species.items())
        ]
        for number, (name, mask, colour) in enumerate(kinds):
            scores = run.scores[mask & run.answered]
            if scores.size:
                share = np.histogram(scores, edges)[0] / (scores.size * np.diff(edges))
                label = f"{name}, {scores.size:,}"
                if number:
                    axes.stairs(share, edges, color=colour, linewidth=1.4, label=label)
                else:
                    axes.stairs(share, edges, fill=True, color=colour, alpha=0.35, label=label)
        axes.set(title=run.scorer.name, yticks=[], xlim=(0.0, 1.0))
        if run.answered.any():
            axes.legend(loc="upper left", bbox_to_anchor=(1.0, 1.0), frameon=False, fontsize=8)
        axes.spines[["top", "right", "left"]].set_visible(False)
    panels[-1].set_xlabel("score, 1 is live")
    figure.suptitle(title)
    return png(figure)


_SCHEMA: Final = 1
_CURVE_POINTS: Final = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Material:
    """The material of a measurement.

    Attributes:
        name: ``pictures`` or ``clips``.
        live: Bona fide files.
        groups: Persons, or sittings if persons are unknown.
        live_sources: Sources of the bona fide files.
        live_groups: Persons or sittings of the bona fide files.
        largest: The source that has most files, and its share of them, 0..1.
        left_out: Files that the collector marked as unusable.
    """

    name: str
    files: int
    live: int
    attacks: Mapping[str, int]
    sources: int
    groups: int
    live_sources: int
    live_groups: int
    largest: tuple[str, float]
    left_out: int


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SetReport:
    """The results of one pack on one set.

    Attributes:
        runs: Every answer; not part of the JSON document.
        results: Results of the runs, in their order.
        conclusion: The fusion against its parts.
    """

    material: Material
    runs: tuple[ScoreRun, ...]
    results: tuple[ScorerResult, ...]
    conclusion: Conclusion | None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class PackReport:
    """The results of one pack.

    Attributes:
        name: Name of the pack, without folders.
        evaluation_only: Whether its terms or quality allow evaluation only.
        networks: Files of its PAD networks with their SHA-256.
        sets: The set of images and the set of clips, if there are any.
    """

    name: str
    version: str
    evaluation_only: bool
    networks: Mapping[str, str]
    sets: tuple[SetReport, ...]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class PadReport:
    """All figures of one evaluation.

    Attributes:
        command: The command that repeats the evaluation, without folders.
        made: Time of the evaluation, with a time zone.
        fusion_model: Version of the fusion's coefficients.
        subjects: The rule by which faces count as persons, by name of the set.
        packs: Results of at least one pack.
    """

    command: str
    made: datetime
    version: str
    machine: Machine
    bootstrap: Bootstrap
    fusion_model: str
    subjects: Mapping[str, SubjectRule]
    packs: tuple[PackReport, ...]

    def to_json(self) -> str:
        """The report as a JSON document."""
        return json.dumps(
            {
                "schema": _SCHEMA,
                "command": self.command,
                "made": self.made.isoformat(),
                "version": self.version,
                "machine": self.machine.to_json(),
                "bootstrap": asdict(self.bootstrap),
                "fusion_model": self.fusion_model,
                "subjects": {name: asdict(rule) for name, rule in self.subjects.items()},
                "packs": [_pack(pack) for pack in self.packs],
            },
            indent=2,
            allow_nan=False,
        )


def describe_material(name: str, samples: Sequence[PadSample], *, left_out: int) -> Material:
    """Describe the material of a set.

    Args:
        samples: Its files, at least one.
        left_out: Number of unusable files.
    """
    sources = [sample.source for sample in samples]
    largest = max(sorted(set(sources)), key=sources.count)
    species = sorted({sample.species for sample in samples if not sample.live})
    return Material(
        name=name,
        files=len(samples),
        live=sum(sample.live for sample in samples),
        attacks={name: sum(sample.species == name for sample in samples) for name in species},
        sources=len(set(sources)),
        groups=len({sample.group for sample in samples}),
        live_sources=len({sample.source for sample in samples if sample.live}),
        live_groups=len({sample.group for sample in samples if sample.live}),
        largest=(largest, sources.count(largest) / len(sources)),
        left_out=left_out,
    )


def _pack(pack: PackReport) -> dict[str, Any]:
    return {
        "name": pack.name,
        "version": pack.version,
        "evaluation_only": pack.evaluation_only,
        "networks": dict(pack.networks),
        "sets": [
            {
                "material": asdict(each.material),
                "scorers": [
                    _scorer(run, result) for run, result in zip(each.runs, each.results, strict=True)
                ],
                "conclusion": None if each.conclusion is None else asdict(each.conclusion),
            }
            for each in pack.sets
        ],
    }


def _scorer(run: ScoreRun, result: ScorerResult) -> dict[str, Any]:
    return {
        "scorer": asdict(result.scorer),
        "bona_fide": result.live,
        "attacks": result.attacks,
        "bpnrr": _optional(result.live_no_response),
        "bona_fide_verdicts": _optional(result.live_verdicts),
        "no_response": {fault.value: count for fault, count in run.fault_counts.items()},
        "auc": {
            "pooled": result.auc,
            "persons": _optional(result.auc_within),
            "sources_and_persons": _optional(result.auc_across),
            "mean_of_sources": result.auc_of_sources,
        },
        "eer": result.eer,
        "species": [asdict(each) for each in result.species],
        "not_evaluated": list(result.absent),
        "points": [_point(point) for point in result.points],
        "held_out": [asdict(each) for each in result.held_out],
        "sources": [asdict(each) for each in result.sources],
        "signals": {name: {"auc": auc, "assessed": count} for name, (auc, count) in result.parts.items()},
        "cpu_milliseconds_median": result.milliseconds,
        "curve": None if result.curve is None else _curve(result.curve),
    }


def _point(point: FixedApcer | NotSupported) -> dict[str, Any]:
    return {"supported": isinstance(point, FixedApcer), **asdict(point)}


def _optional(found: Any) -> dict[str, Any] | None:
    return None if found is None else asdict(found)


def _curve(curve: DetCurve) -> dict[str, list[float]]:
    """Return both rates, thinned; the first threshold, which accepts everything, is omitted."""
    chosen = np.unique(np.linspace(1, curve.thresholds.size - 1, _CURVE_POINTS).round().astype(int))
    columns = {"threshold": curve.thresholds, "apcer": curve.apcer, "bpcer": curve.bpcer}
    return {name: [round(float(value), 7) for value in values[chosen]] for name, values in columns.items()}
