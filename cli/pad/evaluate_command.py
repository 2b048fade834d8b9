"""``facegate evaluate pad``: measures accepted attacks and rejected persons, with bounds."""

import shlex
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from cli.error_reporting import errors_reported
from cli.match.options import (
    AnyPacksOption,
    ResamplesOption,
    SeedOption,
    bootstrap_options,
    load_packs,
    pack_names,
)
from cli.models.options import ModelsDirOption, models_folder
from cli.options import JsonOption
from cli.pad.charts import draw_charts, draw_mistakes
from cli.pad.description import describe
from cli.pad.measuring import MeasurementPlan, measure_packs
from cli.report import print_report, require_writable, write_report
from evaluation import FiguresUnavailable, converted_network, require_figures
from evaluation.match import MatchEvaluationError
from evaluation.pad import (
    Bootstrap,
    NothingToMeasure,
    PadEvaluationError,
    SampleKind,
    ScorerKind,
    only_listed,
    read_dataset,
    without_unusable,
)
from liveness import LivenessError, load_fusion_model
from matcher import PHOTO_SUBJECT, SCAN_SUBJECT
from vision.errors import VisionError
from vision.packs import StateFileError

__all__ = ["pad"]

_EMBEDDED = "embedded"
_KINDS = {
    "network": (ScorerKind.NETWORK, ScorerKind.OTHER_NETWORK),
    "signals": (ScorerKind.SIGNALS,),
    "cues": (ScorerKind.CUES,),
    "temporal": (ScorerKind.TEMPORAL,),
    "fusion": (ScorerKind.FUSION,),
}


def pad(
    *,
    dataset: Annotated[
        list[Path],
        typer.Option(
            help="Data set; may be repeated. A manifest, a folder with `manifest.csv`, or a folder with "
            "`live` and `spoof/<species>`.",
            show_default=False,
        ),
    ],
    pack: AnyPacksOption = None,
    scorer: Annotated[
        list[str] | None,
        typer.Option(
            help=f"Scorers to measure: {', '.join(_KINDS)}; may be repeated.  [default: all]",
            show_default=False,
        ),
    ] = None,
    weights: Annotated[
        list[Path] | None,
        typer.Option(
            help="A .pth file of Silent-Face's networks, measured alone in addition to the pack's; may be "
            "repeated.",
            show_default=False,
        ),
    ] = None,
    only: Annotated[
        Path | None,
        typer.Option(
            help="Text file with one file a line, spelled as in the manifest: only these are measured, such "
            "as files outside a network's training set.",
            show_default=False,
        ),
    ] = None,
    with_unusable: Annotated[
        bool,
        typer.Option(
            "--with-unusable",
            help="Include files whose column `usable` is not 1, such as those without a face.",
        ),
    ] = False,
    out: Annotated[
        Path | None,
        typer.Option(
            help="Folder for the report. It is created if needed, and gets `report.html`, `report.md`, "
            "`report.json`, the charts as PNG, and sheets of the worst errors, which show persons.",
            show_default=False,
        ),
    ] = None,
    resamples: ResamplesOption = 2000,
    confidence: Annotated[
        float, typer.Option(help="Two-sided confidence level of intervals.", min=0.8, max=0.999)
    ] = 0.95,
    seed: SeedOption = 1,
    models_dir: ModelsDirOption = None,
    as_json: JsonOption = False,
) -> None:
    """Measure attack detection on your own images and clips (ISO/IEC 30107-3).

    Shows APCER of each species and BPCER with bounds, non-responses, BPCER at APCER 1, 5 and 10 % as far
    as the counts support it, with thresholds set on the same files and on others, AUC with intervals over
    persons and sources, each source, and the time for a decision. Measures each PAD network alone, the eight
    signals of a selfie, the cues of one frame, the temporal cues of clips, and the fusion, which is
    compared with its parts on the same files.

    `manifest.csv` has the columns `file` and `label` (live or spoof); the columns `species`, `source`,
    `identity`, `session` and `usable` are optional. Charts need the extra `evaluation`.

    For example:

        facegate evaluate pad --dataset pictures --pack open

        facegate evaluate pad --dataset pictures --dataset clips --pack open --pack embedded --out report

        facegate evaluate pad --dataset pictures/manifest.csv --scorer network --json
    """
    specs = tuple(pack or (_EMBEDDED,))
    with errors_reported(
        PadEvaluationError,
        MatchEvaluationError,
        FiguresUnavailable,
        StateFileError,
        LivenessError,
        VisionError,
        OSError,
    ):
        if out is not None:
            require_figures()
            require_writable(out)
        chosen = _chosen(dataset, scorer or (), weights or (), only=only, with_unusable=with_unusable)
        report = measure_packs(
            chosen,
            packs=load_packs(specs, models_dir=models_folder(models_dir)),
            names=pack_names(specs),
            bootstrap=Bootstrap(resamples=resamples, confidence=confidence, seed=seed),
            command=_command(
                specs,
                datasets=dataset,
                scorers=scorer or (),
                weights=weights or (),
                only=only,
                with_unusable=with_unusable,
                numbers=bootstrap_options(resamples, confidence, seed),
            ),
            console=Console(stderr=True),
        )
        document, page = describe(report), None
        if out is not None:
            page = write_report(
                out,
                document,
                charts=tuple(draw_charts(report)),
                json=report.to_json(),
                more=dict(draw_mistakes(report)),
            )
    print_report(document, json=report.to_json() if as_json else None, page=page)


def _chosen(
    datasets: Sequence[Path],
    scorers: Sequence[str],
    weights: Sequence[Path],
    *,
    only: Path | None,
    with_unusable: bool,
) -> MeasurementPlan:
    unknown = [name for name in scorers if name not in _KINDS]
    if unknown:
        raise NothingToMeasure(f"there is no scorer {unknown[0]!r}: expected one of {', '.join(_KINDS)}")
    every = tuple(sample for dataset in datasets for sample in read_dataset(dataset))
    every = every if only is None else only_listed(every, only)
    samples = every if with_unusable else without_unusable(every)
    if not samples:
        raise NothingToMeasure("no file is usable: correct the column usable of the manifest")
    return MeasurementPlan(
        samples=samples,
        left_out=Counter(sample.kind for sample in every) - Counter(sample.kind for sample in samples),
        kinds=frozenset(kind for name in scorers for kind in _KINDS[name]),
        extra=tuple(converted_network(path) for path in weights),
        fusion=load_fusion_model(),
        subjects={SampleKind.PICTURE: PHOTO_SUBJECT, SampleKind.CLIP: SCAN_SUBJECT},
    )


def _command(
    packs: Sequence[str],
    *,
    datasets: Sequence[Path],
    scorers: Sequence[str],
    weights: Sequence[Path],
    only: Path | None,
    with_unusable: bool,
    numbers: Sequence[str],
) -> str:
    """Return the command without this machine's folders."""
    parts = ["facegate", "evaluate", "pad"]
    for dataset in datasets:
        parts += ["--dataset", dataset.name or "DIR"]
    for name in pack_names(packs):
        parts += ["--pack", name]
    for scorer in scorers:
        parts += ["--scorer", scorer]
    for path in weights:
        parts += ["--weights", path.name]
    if only is not None:
        parts += ["--only", only.name]
    if with_unusable:
        parts.append("--with-unusable")
    return shlex.join([*parts, *numbers])
