"""All figures of one evaluation, as JSON and for the tables and the page.

The report cannot be traced to a person: it has counts, rates and curves, no file names and no identities.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any, Final

import numpy as np

from evaluation.bench import Machine
from evaluation.pad.conclusion import Conclusion
from evaluation.pad.dataset import PadSample
from evaluation.pad.evaluation import ScorerResult
from evaluation.pad.metrics import DetCurve
from evaluation.pad.points import FixedApcer, NotSupported
from evaluation.pad.resampling import Bootstrap
from evaluation.pad.runs import ScoreRun
from matcher import SubjectRule

__all__ = ["Material", "PackReport", "PadReport", "SetReport", "describe_material"]

_SCHEMA: Final = 1
_CURVE_POINTS: Final = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Material:
    """The material of a measurement.

    Attributes:
        name: ``pictures`` or ``clips``.
        files: Number of files.
        live: Bona fide files.
        attacks: Attack files by species.
        sources: Their sources.
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
        material: The material.
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
        version: Version of the pack.
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
        version: Version of the distribution.
        machine: The machine.
        bootstrap: Settings of the intervals.
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
        name: Name of the set.
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
