"""``facegate evaluate match``: measures false matches and false non-matches of packs, with bounds."""

import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from cli.error_reporting import errors_reported
from cli.match.charts import draw_charts
from cli.match.description import describe
from cli.match.measuring import Material, measure_packs
from cli.match.options import (
    AnyPacksOption,
    ApartOption,
    ConfidenceOption,
    CorrectionsOption,
    ResamplesOption,
    SeedOption,
    WorkersOption,
    bootstrap_options,
    load_packs,
    pack_names,
    read_optional_corrections,
    require_apart,
    worker_count,
)
from cli.match.suspected import suspected_files
from cli.models.options import ModelsDirOption, models_folder
from cli.options import JsonOption
from cli.report import print_report, require_writable, write_report
from evaluation import FiguresUnavailable, require_figures
from evaluation.match import (
    Bootstrap,
    Corrections,
    Degradation,
    MatchEvaluationError,
    NothingToMeasure,
    PhotoListError,
    group_photos,
    read_pairs,
    read_photo_list,
)
from matcher import PHOTO_SUBJECT, SubjectRule
from vision.errors import VisionError

__all__ = ["match"]

_EMBEDDED = "embedded"
_BROKEN = 1
"""Exit status if a promise is broken in a group."""


def match(
    *,
    pack: AnyPacksOption = None,
    identities: Annotated[
        Path | None,
        typer.Option(
            help="Folder with photos: all pairs are compared. It has a `manifest.csv`, or a subfolder for "
            "each person.",
            show_default=False,
        ),
    ] = None,
    pairs: Annotated[
        Path | None,
        typer.Option(
            help="CSV file with pairs: only they are compared. Its columns are `file_a`, `file_b` and `same` "
            "(1 or 0); files are relative to it.",
            show_default=False,
        ),
    ] = None,
    group_by: Annotated[
        list[str] | None,
        typer.Option(
            help="Column of `manifest.csv` to group by; may be repeated. Shows FMR within each group, and "
            "where the pack's calibration breaks its promise in one.",
            show_default=False,
        ),
    ] = None,
    portraits: Annotated[
        list[Degradation] | None,
        typer.Option(
            help="Degrade photos of persons with several as portraits of a document, and compare them with "
            "the other photos; may be repeated.",
            show_default=False,
        ),
    ] = None,
    apart: ApartOption = None,
    corrections: CorrectionsOption = None,
    out: Annotated[
        Path | None,
        typer.Option(
            help="Folder for the report. It is created if needed, and gets `report.html`, `report.md`, "
            "`report.json` and the charts as PNG.",
            show_default=False,
        ),
    ] = None,
    resamples: ResamplesOption = 2000,
    confidence: ConfidenceOption = 0.95,
    seed: SeedOption = 1,
    workers: WorkersOption = None,
    models_dir: ModelsDirOption = None,
    as_json: JsonOption = False,
) -> None:
    """Measure the error rates of matching on your own photos (ISO/IEC 19795-1).

    Shows FMR and FNMR with bounds that resample persons, not comparisons; FNMR at FMR 1e-1, 1e-2 and so on,
    down to the lowest FMR that the number of persons supports; failures to acquire; groups; the bounds of the
    pack's calibration and whether they hold; and the time for a face. Several packs are measured on the same
    comparisons. The report contains no face, name or template. Pairs of identities that may be one person
    are counted in it, with the rates without them; their names go to `suspected_duplicates.toml` beside it,
    in the form of `--corrections`.

    The exit status is 1 if `--group-by` shows, beyond chance, that a promise of the pack's calibration is
    broken in a group.

    `manifest.csv` has the columns `file` (relative to the folder) and `identity`; any other column can serve
    for groups. A photo is omitted if a column `usable` is not 1, a column `label` is not `bona_fide`, or the
    identity is empty or ends in `?`. Charts need the extra `evaluation`.

    For example, all photos of a folder, two packs and two groupings, and a list of pairs:

        facegate evaluate match --identities photos --pack open

        facegate evaluate match --identities photos --pack open --pack embedded --group-by sex --group-by
        camera --out report

        facegate evaluate match --pairs photos/pairs.csv --pack insightface:/srv/models/buffalo_l --json

        facegate evaluate match --identities photos --pack open --portraits jp2-15kb --portraits scan-300dpi
    """
    specs = tuple(pack or (_EMBEDDED,))
    with errors_reported(MatchEvaluationError, FiguresUnavailable, VisionError, OSError):
        if out is not None:
            require_figures()
            require_writable(out)
        material = _material(
            identities,
            pairs,
            corrections=read_optional_corrections(corrections),
            apart=apart or (),
            group_by=tuple(group_by or ()),
            portraits=tuple(dict.fromkeys(portraits or ())),
            subject=PHOTO_SUBJECT,
        )
        report = measure_packs(
            material,
            packs=load_packs(specs, models_dir=models_folder(models_dir)),
            names=pack_names(specs),
            bootstrap=Bootstrap(resamples=resamples, confidence=confidence, seed=seed),
            command=_command(
                specs,
                pairs=pairs,
                corrections=corrections,
                apart=apart or (),
                group_by=group_by or (),
                portraits=material.portraits,
                numbers=bootstrap_options(resamples, confidence, seed),
            ),
            workers=worker_count(workers),
            console=Console(stderr=True),
        )
        document, page = describe(report), None
        if out is not None:
            page = write_report(
                out,
                document,
                charts=tuple(draw_charts(report)),
                json=report.to_json(),
                more=suspected_files(report, material.photos),
            )
    print_report(document, json=report.to_json() if as_json else None, page=page)
    if any(pack.broken for pack in report.packs):
        raise typer.Exit(_BROKEN)


def _material(
    identities: Path | None,
    pairs: Path | None,
    *,
    corrections: Corrections,
    apart: Sequence[str],
    group_by: Sequence[str],
    portraits: tuple[Degradation, ...],
    subject: SubjectRule,
) -> Material:
    if identities is not None and pairs is None:
        found = read_photo_list(identities, corrections=corrections, apart=apart)
        photos, columns, left_out, chosen, guessed = found.photos, found.columns, found.left_out, None, False
    elif pairs is not None and identities is None:
        listed = read_pairs(pairs, corrections=corrections, apart=apart)
        photos, columns, left_out = listed.photos, listed.columns, listed.left_out
        chosen, guessed = listed.pairs, not listed.named
    else:
        given = "no photos were given" if identities is None else "both were given"
        raise PhotoListError(f"{given}: give either --identities DIR or --pairs FILE")
    if portraits and chosen is not None:
        raise PhotoListError("--portraits compares all photos with all: use it with --identities")
    if portraits and len({photo.identity for photo in photos}) == len(photos):
        raise NothingToMeasure("--portraits needs persons with two photos, and there are none")
    require_apart(photos, apart)
    return Material(
        photos=photos,
        pairs=chosen,
        unsure=corrections.unsure,
        groups=group_photos(photos, group_by, known=columns),
        left_out=left_out,
        guessed=guessed,
        subject=subject,
        portraits=portraits,
    )


def _command(
    packs: Sequence[str],
    *,
    pairs: Path | None,
    corrections: Path | None,
    apart: Sequence[str],
    group_by: Sequence[str],
    portraits: Sequence[str],
    numbers: Sequence[str],
) -> str:
    """Return the command without this machine's folders."""
    parts = ["facegate", "evaluate", "match"]
    parts += ["--identities", "DIR"] if pairs is None else ["--pairs", pairs.name]
    for name in pack_names(packs):
        parts += ["--pack", name]
    for column in group_by:
        parts += ["--group-by", column]
    for degradation in portraits:
        parts += ["--portraits", degradation]
    for source in apart:
        parts += ["--apart", source]
    if corrections is not None:
        parts += ["--corrections", corrections.name]
    return shlex.join([*parts, *numbers])
