"""Measures packs on photos."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np
from numpy.typing import NDArray
from rich.console import Console

from cli.match.embedding import acquired, embed_with_progress
from evaluation.bench import describe_machine
from evaluation.match import (
    TARGETS,
    THRESHOLDS,
    Bootstrap,
    Comparison,
    Comparisons,
    Degradation,
    FacePhoto,
    LabelledTemplate,
    MatchReport,
    PackReport,
    Photos,
    TemplateRun,
    compare_all,
    compare_pairs,
    differences,
    embedder_sha256,
    evaluate_groups,
    evaluate_portraits,
    evaluate_sets,
    place_of,
    rates_at,
    suspected_duplicates,
)
from matcher import SubjectRule, threshold_cosine
from server.base.version import server_version
from vision.packs import MatchCalibration, Pack

__all__ = ["Material", "measure_packs"]


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
        subject: Defines which faces of a photo count as persons.
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
    workers: int,
    console: Console,
) -> MatchReport:
    """Measure packs on photos, side by side.

    Args:
        material: The photos.
        packs: The packs, loaded to run on one thread.
        names: Their names in the report.
        bootstrap: Parameters of the bounds.
        command: The command that repeats the measurement.
        workers: Number of threads that embed photos.
        console: Shows the progress.

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
        version=server_version(),
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
