"""Measures packs on labelled files."""

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from lab.evaluation.bench import describe_machine
from lab.evaluation.match.evaluation import Bootstrap
from lab.evaluation.match.measuring import needs_decoder
from lab.evaluation.pad.conclusion import conclude
from lab.evaluation.pad.dataset import NothingToMeasure, PadSample, SampleKind
from lab.evaluation.pad.evaluation import evaluate_run
from lab.evaluation.pad.report import Material, PackReport, PadReport, SetReport, describe_material
from lab.evaluation.pad.resampling import draw
from lab.evaluation.pad.runs import ScorerKind, ScoreRun
from lab.evaluation.pad.scoring import Scorer, clip_scorers, picture_scorers, score_clips, score_pictures
from liveness import FusionModel
from matcher import SubjectRule
from vision.image import StillDecoder
from vision.isolation.pool import DecoderPool
from vision.packs import Pack, PadNetwork

_SETS = {SampleKind.PICTURE: "pictures", SampleKind.CLIP: "clips"}


@dataclass(frozen=True, slots=True, kw_only=True)
class MeasurementPlan:
    """The scorers and samples of a measurement.

    Attributes:
        left_out: Files that were not usable, by kind.
        kinds: The kinds of scorers; all if empty.
        extra: Networks that are in no pack.
        subjects: The rule by which faces count as persons, by kind.
    """

    samples: tuple[PadSample, ...]
    left_out: dict[SampleKind, int]
    kinds: frozenset[ScorerKind]
    extra: tuple[PadNetwork, ...]
    fusion: FusionModel
    subjects: Mapping[SampleKind, SubjectRule]

    def samples_of(self, kind: SampleKind) -> tuple[PadSample, ...]:
        """Return the images, or the clips."""
        return tuple(sample for sample in self.samples if sample.kind is kind)

    def scorers(self, kind: SampleKind, pack: Pack) -> tuple[Scorer, ...]:
        """Return the chosen scorers that the pack supports."""
        every = picture_scorers if kind is SampleKind.PICTURE else clip_scorers
        return tuple(
            scorer
            for scorer in every(pack, extra=self.extra, fusion=self.fusion)
            if not self.kinds or scorer.name.kind in self.kinds
        )


def measure_packs(
    chosen: MeasurementPlan,
    *,
    packs: Sequence[Pack],
    names: Sequence[str],
    bootstrap: Bootstrap,
    command: str,
    version: str,
    console: Console,
) -> PadReport:
    """Measure packs, one after the other.

    Args:
        chosen: The scorers and samples.
        packs: The packs, loaded to run on one thread.

    Raises:
        NothingToMeasure: No scorer, or no bona fide or no attack file.
    """
    _check(chosen, packs)
    machine = describe_machine()
    reports = []
    with ExitStack() as stack:
        decoder: StillDecoder | None = None
        if any(needs_decoder(sample.path) for sample in chosen.samples_of(SampleKind.PICTURE)):
            decoder = stack.enter_context(DecoderPool(still_workers=1))
        for name, pack in zip(names, packs, strict=True):
            reports.append(
                PackReport(
                    name=name,
                    version=pack.version,
                    evaluation_only=pack.evaluation_only,
                    networks={file.name: file.sha256 for file in pack.files if file.role == "pad"},
                    sets=tuple(
                        _set(chosen, kind, pack=pack, decoder=decoder, bootstrap=bootstrap, console=console)
                        for kind in SampleKind
                        if chosen.samples_of(kind)
                    ),
                )
            )
    return PadReport(
        command=command,
        made=datetime.now(UTC),
        version=version,
        machine=machine,
        bootstrap=bootstrap,
        fusion_model=chosen.fusion.version,
        subjects={_SETS[kind]: rule for kind, rule in chosen.subjects.items()},
        packs=tuple(reports),
    )


def _check(chosen: MeasurementPlan, packs: Sequence[Pack]) -> None:
    if not any(sample.live for sample in chosen.samples) or all(sample.live for sample in chosen.samples):
        raise NothingToMeasure(
            "both bona fide presentations and attacks are required: see the column label of the manifest, "
            "or the folders live and spoof"
        )
    if not any(
        chosen.scorers(kind, pack) for pack in packs for kind in SampleKind if chosen.samples_of(kind)
    ):
        raise NothingToMeasure(
            "no chosen scorer can judge these files with these packs: choose another --scorer or --pack"
        )


def _set(
    chosen: MeasurementPlan,
    kind: SampleKind,
    *,
    pack: Pack,
    decoder: StillDecoder | None,
    bootstrap: Bootstrap,
    console: Console,
) -> SetReport:
    samples = chosen.samples_of(kind)
    scorers, subject = chosen.scorers(kind, pack), chosen.subjects[kind]
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True) as progress:
        task = progress.add_task(f"Judging {_SETS[kind]} with {pack.name}", total=len(samples))

        def advance() -> None:
            progress.advance(task)

        runs: tuple[ScoreRun, ...]
        if kind is SampleKind.PICTURE:
            runs = score_pictures(
                samples, pack=pack, subject=subject, scorers=scorers, still_decoder=decoder, report=advance
            )
        else:
            runs = score_clips(samples, pack=pack, subject=subject, scorers=scorers, report=advance)
    with console.status("Computing bounds"):
        return _evaluated(
            describe_material(_SETS[kind], samples, left_out=chosen.left_out.get(kind, 0)), runs, bootstrap
        )


def _evaluated(material: Material, runs: tuple[ScoreRun, ...], bootstrap: Bootstrap) -> SetReport:
    if not runs:
        return SetReport(material=material, runs=(), results=(), conclusion=None)
    draws = draw(runs[0].samples, bootstrap)
    results = tuple(evaluate_run(run, draws=draws, bootstrap=bootstrap) for run in runs)
    return SetReport(
        material=material,
        runs=runs,
        results=results,
        conclusion=conclude(runs, results, draws=draws, bootstrap=bootstrap),
    )
