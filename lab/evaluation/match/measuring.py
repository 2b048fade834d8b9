"""Embeds photos with a progress bar, and measures packs on them."""

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from formats.image_header import detect_format
from lab.evaluation.bench import describe_machine
from lab.evaluation.match.calibration import embedder_sha256
from lab.evaluation.match.comparisons import MOST_TEMPLATES, Comparisons, compare_all, compare_pairs
from lab.evaluation.match.duplicates import suspected_duplicates
from lab.evaluation.match.evaluation import Bootstrap, differences, evaluate_sets
from lab.evaluation.match.groups import evaluate_groups
from lab.evaluation.match.impostor_scores import THRESHOLDS, place_of
from lab.evaluation.match.operating_points import TARGETS, rates_at
from lab.evaluation.match.photos import FacePhoto, NothingToMeasure
from lab.evaluation.match.portrait_rates import evaluate_portraits
from lab.evaluation.match.report import Comparison, MatchReport, PackReport, Photos
from lab.evaluation.match.templates import (
    AcquisitionFault,
    Degradation,
    LabelledTemplate,
    TemplateRun,
    embed_photos,
)
from matcher import SubjectRule, threshold_cosine
from vision.image import IN_PROCESS, StillDecoder
from vision.isolation.pool import DecoderPool
from vision.packs import MatchCalibration, Pack

_NAMED = 3


def embed_with_progress(
    photos: Sequence[FacePhoto],
    *,
    packs: Sequence[Pack],
    subject: SubjectRule,
    portraits: Sequence[Degradation] = (),
    workers: int,
    console: Console,
) -> tuple[TemplateRun, ...]:
    """Embed every photo with every pack.

    Args:
        portraits: Degradations in which each photo is embedded, too.
        console: Shows the progress and the files that could not be read; results go elsewhere.

    Raises:
        NothingToMeasure: There is no photo, there are more than can be compared, or a pack made no
            template of any photo.
    """
    if not photos:
        raise NothingToMeasure(
            "there is no photo to measure: correct the manifest's columns file and identity"
        )
    if len(photos) > MOST_TEMPLATES:
        raise NothingToMeasure(
            f"{len(photos)} photos are too many to measure at once; at most {MOST_TEMPLATES}. Use fewer "
            "photos of each person: more persons support lower rates, more photos do not"
        )
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with ExitStack() as stack:
        decoder: StillDecoder | None = None
        if any(needs_decoder(photo.path) for photo in photos):
            decoder = stack.enter_context(DecoderPool(still_workers=workers))
        progress = stack.enter_context(Progress(*columns, console=console, transient=True))
        task = progress.add_task("Detecting and embedding", total=len(photos))
        runs = embed_photos(
            photos,
            packs=packs,
            subject=subject,
            still_decoder=decoder,
            portraits=portraits,
            workers=workers,
            report=lambda: progress.advance(task),
        )
    _name_unreadable(photos, runs[0], console)
    for pack, run in zip(packs, runs, strict=True):
        if not run.templates:
            raise NothingToMeasure(
                f"the pack {pack.name} finds no photo with one face, or one clear subject, among "
                f"{len(photos)}: give photos of faces"
            )
    return runs


def acquired(run: TemplateRun) -> NDArray[np.bool_]:
    """Return an array of shape (photos,): true for photos with a template."""
    found = np.ones(run.photos, dtype=np.bool_)
    found[list(run.faults)] = False
    return found


def needs_decoder(path: Path) -> bool:
    """Return whether a file has a format that only the isolated decoder reads."""
    try:
        with path.open("rb") as stream:
            found = detect_format(stream.read(64))
    except OSError:
        return False
    return found is not None and found not in IN_PROCESS


def _name_unreadable(photos: Sequence[FacePhoto], run: TemplateRun, console: Console) -> None:
    names = [
        photos[number].path.name
        for number, fault in run.faults.items()
        if fault is AcquisitionFault.UNREADABLE
    ]
    if names:
        more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
        console.print(
            escape(f"{len(names)} files cannot be read as images: {', '.join(names[:_NAMED])}{more}"),
            style="yellow",
            highlight=False,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Material:
    """The photos of a measurement.

    Attributes:
        photos: The photos, each once.
        pairs: Positions of the photos to compare; None for all with all.
        unsure: Pairs of identities that may be one person.
        groups: Photos of each group, by column and value.
        left_out: Number of omitted photos or pairs, by reason.
        guessed: True if the identities were inferred from the pairs.
        portraits: Degradations in which the photos are also compared as portraits.
    """

    photos: tuple[FacePhoto, ...]
    pairs: tuple[tuple[int, int], ...] | None
    unsure: frozenset[frozenset[str]]
    groups: Mapping[tuple[str, str], NDArray[np.bool_]]
    left_out: Mapping[str, int]
    guessed: bool
    subject: SubjectRule
    portraits: tuple[Degradation, ...] = ()

    def compare(self, templates: Sequence[LabelledTemplate]) -> Comparisons:
        """Return the comparisons of one pack's templates.

        Raises:
            NothingToMeasure: No two persons can be compared.
        """
        if self.pairs is None:
            return compare_all(templates, unsure=self.unsure)
        return compare_pairs(templates, self.pairs)


def measure_packs(
    material: Material,
    *,
    packs: Sequence[Pack],
    names: Sequence[str],
    bootstrap: Bootstrap,
    command: str,
    version: str,
    workers: int,
    console: Console,
) -> MatchReport:
    """Measure packs on photos, side by side.

    Args:
        packs: The packs, loaded to run on one thread.
        workers: Number of threads that embed photos.

    Raises:
        NothingToMeasure: There are too few persons, or no template.
    """
    machine = describe_machine()
    runs = embed_with_progress(
        material.photos,
        packs=packs,
        subject=material.subject,
        portraits=material.portraits,
        workers=workers,
        console=console,
    )
    reports: list[PackReport] = []
    with console.status("Computing bounds") as status:
        for name, pack, run in zip(names, packs, runs, strict=True):
            status.update(f"Computing bounds of pack {len(reports) + 1} of {len(packs)}")
            reports.append(_pack_report(material, name=name, pack=pack, run=run, bootstrap=bootstrap))
        status.update("Comparing packs")
        comparisons = tuple(
            Comparison(
                first=other.name,
                second=reports[0].name,
                differences=differences(
                    other.main.comparisons,
                    reports[0].main.comparisons,
                    acquired=(acquired(other.run), acquired(reports[0].run)),
                    bootstrap=bootstrap,
                ),
            )
            for other in reports[1:]
        )
    return MatchReport(
        command=command,
        made=datetime.now(UTC),
        version=version,
        machine=machine,
        photos=Photos(
            kind="identities" if material.pairs is None else "pairs",
            photos=len(material.photos),
            identities=len({photo.identity for photo in material.photos}),
            left_out=material.left_out,
            guessed=material.guessed,
            subject=material.subject,
        ),
        bootstrap=bootstrap,
        packs=tuple(reports),
        comparisons=comparisons,
    )


def _pack_report(
    material: Material, *, name: str, pack: Pack, run: TemplateRun, bootstrap: Bootstrap
) -> PackReport:
    comparisons = material.compare(run.templates)
    sets = evaluate_sets(comparisons, bootstrap)
    main = sets[0]
    thresholds = _thresholds(pack.match_calibration)
    suspected = tuple(suspected_duplicates(main.comparisons))
    without = None
    if suspected:
        others = main.comparisons.without([pair.persons for pair in suspected])
        without = evaluate_sets(others, bootstrap)[0] if others.any_impostors else None
    return PackReport(
        name=name,
        version=pack.version,
        evaluation_only=pack.evaluation_only,
        embedder=next(file for file in pack.files if file.role == "embedder").name,
        embedder_sha256=embedder_sha256(pack),
        provenance=pack.match_calibration.provenance,
        run=run,
        sets=sets,
        groups=evaluate_groups(
            comparisons,
            groups=material.groups,
            failed=run.faults,
            main=main,
            calibrated=thresholds,
            bootstrap=bootstrap,
        ),
        calibrated=tuple(
            (target, rates_at(place_of(cosine), fmr=main.fmr, fnmr=main.fnmr))
            for target, cosine in thresholds
        ),
        suspected=suspected,
        without_suspected=without,
        portraits=tuple(
            evaluate_portraits(
                degradation, degraded, main=main, calibrated=thresholds, confidence=bootstrap.confidence
            )
            for degradation, degraded in run.portraits.items()
        ),
    )


def _thresholds(calibration: MatchCalibration) -> tuple[tuple[float, float], ...]:
    """Return the false match rates that a calibration supports, with thresholds.

    A threshold is the next one of the grid, which accepts at most as many matches as the calibration's own.
    """
    found = []
    for target in TARGETS:
        if target >= calibration.lowest_bound:
            place = place_of(threshold_cosine(target, calibration=calibration))
            found.append((target, float(THRESHOLDS[place])))
    return tuple(found)
