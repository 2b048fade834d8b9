"""Makes the templates, the calibrations and the tables of photo against photo.

::

    python -m research.photo_match embed --data DIR --pack PACK --out TEMPLATES
    python -m research.photo_match calibrate TEMPLATES [--cohort] --form PACK --out FILE
    python -m research.photo_match report TEMPLATES [--cohort] [--calibration FILE]

``calibrate`` takes the worst of several files of templates at every threshold. ``--cohort`` scores each
pair of people by a cohort of others (``vision.packs.cohort``); the file gets a cohort of everybody.
``--scans`` takes the range of scans from a calibration that ``research.scan_match`` made.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from evaluation.match import render_calibration
from evaluation.match.calibration_points import choose_points
from evaluation.match.fmr_bounds import FmrCurve
from matcher import threshold_cosine
from research.photo_match.rates import bounds_of, curve_of, group_rates, threshold_for, within_sources
from research.photo_match.scores import DIRECTIONS, PairScores, one_of_each_person, score_pairs
from research.photo_match.templates import TemplateSet, embed, read_templates, write_templates
from vision.packs import CalibrationRecord, MatchCalibration, ScorePoint, load_pack
from vision.packs.calibration import ScanRange, parse_calibration
from vision.packs.cohort import Cohort, fit_cohort

_RATES: Final = (1e-2, 1e-3, 1e-4, 1e-5)
_CONFIDENCE: Final = 0.95
_STEP: Final = 0.005
_HIGHEST_RATE: Final = 0.5
_FINE_FROM: Final = 0.05
_COARSE: Final = 5
_MOST_MISSED: Final = 1 / 3
"""A calibration ends where more of the same person would be missed: no policy should be offered there."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command."""
    options = _parser().parse_args(arguments)
    cv2.setNumThreads(1)
    console = Console(width=150)
    if options.work == "embed":
        templates = embed(options.data, load_pack(options.pack))
        write_templates(templates, options.out)
        console.print(f"{len(templates.vectors)} templates, {templates.failures} failures to acquire")
        return 0
    sets = [read_templates(path) for path in options.templates]
    scored = [score_pairs(each, cohort=options.cohort) for each in sets]
    if options.work == "calibrate":
        calibration = _calibrate(sets, scored, options)
        options.out.write_text(render_calibration(calibration), encoding="utf-8")
        return 0
    known = None if options.calibration is None else _read(options.calibration)
    for path, templates, pairs in zip(options.templates, sets, scored, strict=True):
        with_duplicates = score_pairs(templates, cohort=options.cohort, duplicates=True)
        console.print(
            _table(
                title=path.stem,
                templates=templates,
                genuine=pairs[0],
                impostor=pairs[1],
                with_duplicates=with_duplicates[1],
                known=known,
            )
        )
        console.print(_groups(templates, pairs[1], known))
    return 0


def _calibrate(
    sets: Sequence[TemplateSet], scored: Sequence[tuple[PairScores, PairScores]], options: argparse.Namespace
) -> MatchCalibration:
    thresholds = _thresholds([impostor for _, impostor in scored])
    curves = [
        curve_of(
            templates,
            impostor,
            thresholds=thresholds,
            resamples=options.resamples,
            confidence=_CONFIDENCE,
            seed=1,
        )
        for templates, (_, impostor) in zip(sets, scored, strict=True)
    ]
    bounds = np.max(
        [
            bounds_of(templates, impostor, curve)
            for templates, (_, impostor), curve in zip(sets, scored, curves, strict=True)
        ],
        axis=0,
    )
    points = tuple(
        ScorePoint(
            round(threshold, 3), bound, round(max(_fnmr(genuine, threshold) for genuine, _ in scored), 4)
        )
        for threshold, bound in choose_points(thresholds, bounds)
        if threshold <= 1.0
    )
    points = tuple(point for point in points if (point.fnmr or 0.0) <= _MOST_MISSED)
    form = load_pack(options.form).template_form
    return MatchCalibration(
        points=points,
        record=_record(sets, scored, curves[0], options),
        embedder_sha256=form.sha256,
        scans=None if options.scans is None else _scans(_read(options.scans)),
        cohort=_cohort(sets[0]) if options.cohort else None,
        template=form.id,
    )


def _thresholds(impostors: Sequence[PairScores]) -> NDArray[np.float64]:
    """Return thresholds from a useless one to above every impostor, coarse where FMR is high."""
    highest = max(float(impostor.scores.max()) for impostor in impostors)
    lowest, fine = (
        min(float(np.quantile(impostor.scores[::97], 1.0 - rate)) for impostor in impostors)
        for rate in (_HIGHEST_RATE, _FINE_FROM)
    )
    coarse = np.arange(lowest, fine, _COARSE * _STEP)
    return np.round(np.concatenate([coarse, np.arange(fine, highest + 3 * _STEP, _STEP)]), 3)


def _cohort(templates: TemplateSet) -> Cohort:
    return fit_cohort(templates.vectors[one_of_each_person(templates)], directions=DIRECTIONS)


def _fnmr(genuine: PairScores, threshold: float) -> float:
    return float((genuine.scores < threshold).mean())


def _record(
    sets: Sequence[TemplateSet],
    scored: Sequence[tuple[PairScores, PairScores]],
    curve: FmrCurve,
    options: argparse.Namespace,
) -> CalibrationRecord:
    cohort = " --cohort" if options.cohort else ""
    normalised = (
        f" Scores are against a cohort of {DIRECTIONS} directions; each pair by one of other people."
        if options.cohort
        else ""
    )
    genuine, impostor = scored[0]
    return CalibrationRecord(
        provenance="measured",
        dataset="Photos of the news (faces_lfw), and one photo each of adults of seven groups (faces_groups)",
        identities=curve.persons,
        genuine_pairs=genuine.scores.size,
        impostor_pairs=impostor.scores.size,
        failures_to_acquire=sets[0].failures,
        command=f"python -m research.photo_match calibrate {'TEMPLATES ' * len(sets)}{cohort.strip()}"
        f"{' ' if cohort else ''}--form PACK --resamples {options.resamples} --out FILE",
        note=f"{curve.person_pairs} pairs of people, without 13 suspected duplicates.{normalised} Each bound "
        "is the larger of an identity bootstrap and Clopper-Pearson over effective pairs (Korn and "
        "Graubard), one-sided 95%; never below the rate of photos of one source, nor, down to 1e-4, a tenth "
        "of the rate within any of seven groups. It ends where more than a third of the same person would "
        "be missed. fnmr is that of the pairs of photos. Measure again on photos like yours.",
    )


def _scans(made: MatchCalibration) -> ScanRange:
    if made.scans is None:
        raise SystemExit("the calibration of --scans has no range of scans")
    return made.scans


def _read(path: Path) -> MatchCalibration:
    return parse_calibration(path.read_text(encoding="utf-8"), source=path.name)


def _table(
    *,
    title: str,
    templates: TemplateSet,
    genuine: PairScores,
    impostor: PairScores,
    with_duplicates: PairScores,
    known: MatchCalibration | None,
) -> Table:
    table = Table("FMR", "threshold", "FNMR", "threshold with duplicates", "FNMR", title=title)
    for name in ("shipped threshold", "FMR there", "photos of one source", "FNMR there"):
        table.add_column(name)
    inside = within_sources(templates, impostor)
    for rate in _RATES:
        plain, dirty = threshold_for(rate, impostor), threshold_for(rate, with_duplicates)
        row = [f"{rate:g}", f"{plain:.3f}", f"{_fnmr(genuine, plain):.2%}"]
        row += [f"{dirty:.3f}", f"{_fnmr(genuine, dirty):.2%}"]
        if known is not None and known.lowest_bound <= rate:
            shipped = threshold_cosine(rate, calibration=known)
            matches = impostor.scores >= shipped
            row += [f"{shipped:.3f}", f"{matches.mean():.1e}", f"{matches[inside].mean():.1e}"]
            row += [f"{_fnmr(genuine, shipped):.2%}"]
        table.add_row(*row)
    return table


def _groups(templates: TemplateSet, impostor: PairScores, known: MatchCalibration | None) -> Table:
    table = Table("group", "persons", "pairs", title="FMR within groups, in brackets its 95 % bound")
    thresholds = {f"FMR {rate:g} over all": threshold_for(rate, impostor) for rate in (1e-3, 1e-4)}
    if known is not None:
        thresholds |= {
            f"shipped {rate:g}": threshold_cosine(rate, calibration=known)
            for rate in _RATES
            if known.lowest_bound <= rate
        }
    for name in thresholds:
        table.add_column(name)
    for by_sex in (False, True):
        found = [
            {group.name: group for group in group_rates(templates, impostor, threshold=at, by_sex=by_sex)}
            for at in thresholds.values()
        ]
        for name, group in found[0].items():
            cells = [f"{each[name].rate:.1e} ({each[name].bound(_CONFIDENCE):.1e})" for each in found]
            table.add_row(name, str(group.persons), str(group.pairs), *cells)
    return table


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m research.photo_match", description=__doc__)
    works = parser.add_subparsers(dest="work", required=True)
    making = works.add_parser("embed")
    making.add_argument("--data", type=Path, required=True, help="contains faces_lfw and faces_groups")
    making.add_argument("--pack", required=True)
    making.add_argument("--out", type=Path, required=True)
    for name in ("calibrate", "report"):
        work = works.add_parser(name)
        work.add_argument("templates", type=Path, nargs="+", metavar="TEMPLATES")
        work.add_argument("--cohort", action="store_true")
        if name == "report":
            work.add_argument("--calibration", type=Path)
            continue
        work.add_argument("--form", required=True, help="pack that makes such templates")
        work.add_argument("--scans", type=Path, help="calibration with the range of scans")
        work.add_argument("--resamples", type=int, default=1000)
        work.add_argument("--out", type=Path, required=True)
    return parser


if __name__ == "__main__":
    raise SystemExit(main())
