"""``facegate evaluate``: measures error rates of matching and of attack detection, with bounds."""

import os
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Final

import numpy as np
import typer
from rich import box
from rich.console import Console

from cli.chosen import models_folder
from cli.errors import errors_reported
from cli.files import require_file_path
from cli.options import JsonOption, command_line
from cli.shown import list_table, say
from formats.private_files import write_atomically
from lab.evaluation import EvaluationUnavailable, converted_network, require_evaluation
from lab.evaluation.match import (
    Bootstrap,
    Corrections,
    Degradation,
    MatchEvaluationError,
    Material,
    NothingToMeasure,
    PackMeasurement,
    PhotoListError,
    calibrate,
    common_embedder,
    compare_all,
    describe,
    draw_charts,
    embed_with_progress,
    group_photos,
    measure_comparisons,
    measure_packs,
    not_supported,
    persons_needed,
    read_corrections,
    read_pairs,
    read_photo_list,
    render_calibration,
    suspected_files,
    without_folder,
)
from lab.evaluation.pad import Bootstrap as PadBootstrap
from lab.evaluation.pad import (
    MeasurementPlan,
    PadEvaluationError,
    SampleKind,
    ScorerKind,
    draw_mistakes,
    only_listed,
    read_dataset,
    without_unusable,
)
from lab.evaluation.pad import NothingToMeasure as NoPadMeasurement
from lab.evaluation.pad import describe as describe_pad
from lab.evaluation.pad import draw_charts as draw_pad_charts
from lab.evaluation.pad import measure_packs as measure_pad
from lab.report import print_report, require_writable, write_report
from liveness import LivenessError, load_fusion_model
from matcher import PHOTO_SUBJECT, SCAN_SUBJECT, SubjectRule, similarity_for_fmr, threshold_cosine
from server.base.version import server_version
from vision.errors import VisionError
from vision.onnx_sessions import RuntimeOptions
from vision.packs import MatchCalibration, Pack, StateFileError, load_pack

RESAMPLES: Final = 2000
"""Samples of the bootstrap."""
SEED: Final = 1
CONFIDENCE: Final = 0.95
"""The confidence level: one-sided for bounds on FMR, two-sided for all others."""


AnyPacksOption = Annotated[
    list[str] | None,
    typer.Option(
        "--pack",
        help="Pack; may be repeated. For example `open`, `embedded` or `insightface:<folder>`.  "
        "[default: embedded]",
        show_default=False,
    ),
]
CorrectionsOption = Annotated[
    Path | None,
    typer.Option(
        help="TOML file with known errors of the labels: `same_person`, `unsure`, `wrong_label`, each with "
        "its reason.",
        show_default=False,
    ),
]


def worker_count() -> int:
    """Return the number of threads that embed photos: one for each core that this process may use."""
    return len(os.sched_getaffinity(0))


def load_packs(specs: Sequence[str]) -> tuple[Pack, ...]:
    """Load packs in the given order. Each model runs on one thread."""
    runtime = RuntimeOptions()
    return tuple(load_pack(spec, models_dir=models_folder(), runtime=runtime) for spec in specs)


def pack_names(specs: Sequence[str]) -> tuple[str, ...]:
    """Return the names of the packs in reports: without folders if the names stay distinct."""
    short = tuple(without_folder(spec) for spec in specs)
    return short if len(set(short)) == len(specs) else tuple(specs)


def read_optional_corrections(file: Path | None) -> Corrections:
    """Return the corrections of a file; none without a file."""
    return Corrections() if file is None else read_corrections(file)


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
    corrections: CorrectionsOption = None,
    out: Annotated[
        Path | None,
        typer.Option(
            help="Folder for the report. It is created if needed, and gets `report.html`, `report.md`, "
            "`report.json` and the charts as PNG.",
            show_default=False,
        ),
    ] = None,
    calibration: Annotated[
        Path | None,
        typer.Option(
            help="Write a calibration file instead of a report, for the setting `calibration` of a server.",
            metavar="FILE",
            show_default=False,
        ),
    ] = None,
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

    With `--calibration` a bound on FMR is computed at each cosine, over all photos of different persons. Only
    bounds that the number of persons supports are written: 26 persons support 1e-2 at best, 79 support 1e-3,
    247 support 1e-4 and 776 support 1e-5. Use photos like those that your service receives, including
    selfies: single photos are compared, and a scan is judged by several frames. Packs that share an embedder
    can be given together; then the worst of them counts at each cosine.

    `manifest.csv` has the columns `file` (relative to the folder) and `identity`; any other column can serve
    for groups. A photo is omitted if a column `usable` is not 1, a column `label` is not `bona_fide`, or the
    identity is empty or ends in `?`. It needs the extra `evaluation`.

    For example, all photos of a folder, two packs and two groupings, and a list of pairs:

        facegate evaluate match --identities photos --pack open

        facegate evaluate match --identities photos --pack open --pack embedded --group-by sex --group-by
        camera --out report

        facegate evaluate match --pairs photos/pairs.csv --pack insightface:/srv/models/buffalo_l --json

        facegate evaluate match --identities photos --pack open --portraits jp2-15kb --portraits scan-300dpi

        facegate evaluate match --identities photos --pack open --calibration open.toml
    """
    specs = tuple(pack or (_EMBEDDED,))
    if calibration is not None:
        if identities is None or pairs or group_by or portraits or out or as_json:
            raise typer.BadParameter(
                "give it with --identities, and without the options of a report", param_hint="--calibration"
            )
        _calibrate(calibration, identities, specs, corrections=corrections)
        return
    with errors_reported(MatchEvaluationError, EvaluationUnavailable, VisionError, OSError):
        require_evaluation()
        if out is not None:
            require_writable(out)
        material = _material(
            identities,
            pairs,
            corrections=read_optional_corrections(corrections),
            group_by=tuple(group_by or ()),
            portraits=tuple(dict.fromkeys(portraits or ())),
            subject=PHOTO_SUBJECT,
        )
        report = measure_packs(
            material,
            packs=load_packs(specs),
            names=pack_names(specs),
            bootstrap=Bootstrap(resamples=RESAMPLES, confidence=CONFIDENCE, seed=SEED),
            version=server_version(),
            command=command_line(
                *("facegate", "evaluate", "match"),
                identities=None if identities is None else "DIR",
                pairs=pairs,
                pack=pack_names(specs),
                group_by=group_by,
                portraits=material.portraits,
                corrections=corrections,
            ),
            workers=worker_count(),
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
    group_by: Sequence[str],
    portraits: tuple[Degradation, ...],
    subject: SubjectRule,
) -> Material:
    if identities is not None and pairs is None:
        found = read_photo_list(identities, corrections=corrections)
        photos, columns, left_out, chosen, guessed = found.photos, found.columns, found.left_out, None, False
    elif pairs is not None and identities is None:
        listed = read_pairs(pairs, corrections=corrections)
        photos, columns, left_out = listed.photos, listed.columns, listed.left_out
        chosen, guessed = listed.pairs, not listed.named
    else:
        given = "no photos were given" if identities is None else "both were given"
        raise PhotoListError(f"{given}: give either --identities DIR or --pairs FILE")
    if portraits and chosen is not None:
        raise PhotoListError("--portraits compares all photos with all: use it with --identities")
    if portraits and len({photo.identity for photo in photos}) == len(photos):
        raise NothingToMeasure("--portraits needs persons with two photos, and there are none")
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


_LEAST_WORTH = 0.1
_REPORTED = (1e-1, 3e-2, 1e-2, 3e-3, 1e-3, 3e-4, 1e-4, 1e-5, 1e-6)


def _calibrate(
    out: Path,
    identities: Path,
    specs: Sequence[str],
    *,
    corrections: Path | None,
) -> None:
    """Write the calibration file of packs with one embedder, and print their rates at each bound."""
    console, errors = Console(), Console(stderr=True)
    with errors_reported(MatchEvaluationError, EvaluationUnavailable, VisionError, OSError):
        require_evaluation()
        require_file_path(out)
        known = read_optional_corrections(corrections)
        photos = read_photo_list(identities, corrections=known).photos
        packs = load_packs(specs)
        embedder = common_embedder(packs)
        runs = embed_with_progress(
            photos,
            packs=packs,
            subject=PHOTO_SUBJECT,
            workers=worker_count(),
            console=errors,
        )
        with errors.status("Computing bounds"):
            measurements = [
                measure_comparisons(
                    run,
                    compare_all(run.templates, unsure=known.unsure),
                    pack=without_folder(spec),
                    resamples=RESAMPLES,
                    confidence=CONFIDENCE,
                    seed=SEED,
                )
                for spec, run in zip(specs, runs, strict=True)
            ]
            calibration = calibrate(
                measurements,
                embedder_sha256=embedder,
                dataset="photos of the operator",
                scored=packs[0],
                command=command_line(
                    *("facegate", "evaluate", "match", "--identities", "DIR"),
                    pack=map(without_folder, specs),
                    corrections=corrections,
                    calibration="FILE",
                ),
            )
        _require_useful(calibration)
        _write_public(out, render_calibration(calibration))
    for measurement in measurements:
        _print_measurement(console, calibration, measurement)
    say(f"Written to {out}. The server uses it with the setting: calibration = {str(out.resolve())!r}")


def _require_useful(calibration: MatchCalibration) -> None:
    record, bound = calibration.record, calibration.lowest_bound
    if record.genuine_pairs == 0:
        raise NothingToMeasure(
            "no person has two photos, so false non-matches (FNMR) cannot be measured: add photos"
        )
    if bound > _LEAST_WORTH:
        raise NothingToMeasure(
            f"{record.identities} persons support no bound on FMR below {bound:.2g}, which no policy "
            f"can use: {_LEAST_WORTH:g} needs "
            f"about {persons_needed(_LEAST_WORTH, confidence=CONFIDENCE)} persons"
        )


def _write_public(out: Path, text: str) -> None:
    # Atomic: a server that reads the file sees either the old or the new content.
    write_atomically(out, text.encode(), over=True)
    out.chmod(0o644)


def _print_measurement(console: Console, calibration: MatchCalibration, measurement: PackMeasurement) -> None:
    run, comparisons, curve = measurement.run, measurement.comparisons, measurement.curve
    names = ("bound on FMR", "similarity", "cosine", "FMR measured", "FNMR")
    table = list_table(*names, title=measurement.pack, right=names, box=box.SIMPLE_HEAD, pad_edge=True)
    for bound in _REPORTED:
        if bound < calibration.lowest_bound:
            break
        cosine = threshold_cosine(bound, calibration=calibration)
        index = int(np.searchsorted(curve.thresholds, cosine, side="right")) - 1
        table.add_row(
            f"{bound:g}",
            f"{similarity_for_fmr(bound):.0f}",
            f"{cosine:.3f}",
            f"{curve.rates[index]:.1e}",
            f"{comparisons.fnmr(cosine):.2%}" if comparisons.genuine.size else "no pairs",
        )
    console.print(table)
    say(
        f"{run.photos} photos of {comparisons.identities} persons, {run.failures} failures to acquire, "
        f"{comparisons.genuine.size:,} genuine and {curve.comparisons:,} "
        f"impostor comparisons of {curve.person_pairs:,} pairs of persons; lowest bound "
        f"{calibration.lowest_bound:g}."
    )
    missing = next((bound for bound in _REPORTED if bound < calibration.lowest_bound), None)
    if missing is not None:
        needed = persons_needed(missing, confidence=CONFIDENCE)
        say(f"A bound of {not_supported(missing, needed)}.")


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
    as_json: JsonOption = False,
) -> None:
    """Measure attack detection on your own images and clips (ISO/IEC 30107-3).

    Shows APCER of each species and BPCER with bounds, non-responses, BPCER at APCER 1, 5 and 10 % as far
    as the counts support it, with thresholds set on the same files and on others, AUC with intervals over
    persons and sources, each source, and the time for a decision. Measures each PAD network alone, the eight
    signals of a selfie, the cues of one frame, the temporal cues of clips, and the fusion, which is
    compared with its parts on the same files.

    `manifest.csv` has the columns `file` and `label` (live or spoof); the columns `species`, `source`,
    `identity`, `session` and `usable` are optional. It needs the extra `evaluation`.

    For example:

        facegate evaluate pad --dataset pictures --pack open

        facegate evaluate pad --dataset pictures --dataset clips --pack open --pack embedded --out report

        facegate evaluate pad --dataset pictures/manifest.csv --scorer network --json
    """
    specs = tuple(pack or (_EMBEDDED,))
    with errors_reported(
        PadEvaluationError,
        MatchEvaluationError,
        EvaluationUnavailable,
        StateFileError,
        LivenessError,
        VisionError,
        OSError,
    ):
        require_evaluation()
        if out is not None:
            require_writable(out)
        chosen = _chosen(dataset, scorer or (), weights or (), only=only, with_unusable=with_unusable)
        report = measure_pad(
            chosen,
            packs=load_packs(specs),
            names=pack_names(specs),
            bootstrap=PadBootstrap(resamples=RESAMPLES, confidence=CONFIDENCE, seed=SEED),
            version=server_version(),
            command=command_line(
                *("facegate", "evaluate", "pad"),
                dataset=dataset,
                pack=pack_names(specs),
                scorer=scorer,
                weights=weights,
                only=only,
                with_unusable=with_unusable,
            ),
            console=Console(stderr=True),
        )
        document, page = describe_pad(report), None
        if out is not None:
            page = write_report(
                out,
                document,
                charts=tuple(draw_pad_charts(report)),
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
        raise NoPadMeasurement(f"there is no scorer {unknown[0]!r}: expected one of {', '.join(_KINDS)}")
    every = tuple(sample for dataset in datasets for sample in read_dataset(dataset))
    every = every if only is None else only_listed(every, only)
    samples = every if with_unusable else without_unusable(every)
    if not samples:
        raise NoPadMeasurement("no file is usable: correct the column usable of the manifest")
    return MeasurementPlan(
        samples=samples,
        left_out=Counter(sample.kind for sample in every) - Counter(sample.kind for sample in samples),
        kinds=frozenset(kind for name in scorers for kind in _KINDS[name]),
        extra=tuple(converted_network(path) for path in weights),
        fusion=load_fusion_model(),
        subjects={SampleKind.PICTURE: PHOTO_SUBJECT, SampleKind.CLIP: SCAN_SUBJECT},
    )


app = typer.Typer(help="Measure error rates on your data, and calibrate packs.", no_args_is_help=True)
app.command()(match)
app.command()(pad)
