"""Makes the templates, the calibrations and the tables of photo against photo.

::

    python -m research.photo_match embed --data DIR --pack PACK --out TEMPLATES
    python -m research.photo_match calibrate TEMPLATES [--cohort] --form PACK --out FILE
    python -m research.photo_match report TEMPLATES [--cohort] [--calibration FILE]
    python -m research.photo_match left-out TEMPLATES [--cohort] --folds N

``calibrate`` takes the worst of several files of templates at every threshold. ``--cohort`` scores each
pair of people by a cohort of others (``vision.packs.calibration``); the file gets a cohort of everybody.
``--scans`` takes the range of scans from a calibration that ``research.scan_match`` made. ``left-out``
sets thresholds and cohort on the people of the other folds (``NOTES.md``).
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

import cv2
from rich.console import Console

from evaluation.match import render_calibration
from research.photo_match.calibration import ScoredSet, calibration_of
from research.photo_match.left_out import left_out
from research.photo_match.scores import score_pairs
from research.photo_match.tables import groups_table, left_out_table, measured_table, shipped_table
from research.photo_match.templates import TemplateSet, embed, read_templates, write_templates
from vision.packs import MatchCalibration, load_pack
from vision.packs.calibration import ScanRange, parse_calibration


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command."""
    options = _parser().parse_args(arguments)
    cv2.setNumThreads(1)
    console = Console(width=160)
    if options.work == "embed":
        templates = embed(options.data, load_pack(options.pack))
        write_templates(templates, options.out)
        console.print(f"{len(templates.vectors)} templates, {templates.failures} failures to acquire")
        return 0
    sets = [read_templates(path) for path in options.templates]
    if options.work == "calibrate":
        _calibrate(sets, options)
        return 0
    for path, templates in zip(options.templates, sets, strict=True):
        if options.work == "report":
            _report(path.stem, templates, options, console)
            continue
        found = left_out(templates, folds=options.folds, cohort=options.cohort, resamples=options.resamples)
        title = f"{path.stem}: people left out, {options.folds} folds"
        console.print(left_out_table(found, title=title))
    return 0


def _calibrate(sets: Sequence[TemplateSet], options: argparse.Namespace) -> None:
    calibration = calibration_of(
        [_scored(templates, options) for templates in sets],
        form=load_pack(options.form).template_form,
        cohort=options.cohort,
        scans=None if options.scans is None else _scans(_read(options.scans)),
        resamples=options.resamples,
    )
    options.out.write_text(render_calibration(calibration), encoding="utf-8")


def _report(title: str, templates: TemplateSet, options: argparse.Namespace, console: Console) -> None:
    scored, resamples = _scored(templates, options), options.resamples
    _, with_duplicates = score_pairs(templates, cohort=options.cohort, duplicates=True)
    console.print(measured_table(scored, with_duplicates=with_duplicates, title=title))
    known = None if options.calibration is None else _read(options.calibration)
    if known is not None:
        console.print(
            shipped_table(scored, with_duplicates=with_duplicates, known=known, resamples=resamples)
        )
    console.print(groups_table(scored, known=known, resamples=resamples))


def _scored(templates: TemplateSet, options: argparse.Namespace) -> ScoredSet:
    return templates, *score_pairs(templates, cohort=options.cohort)


def _scans(made: MatchCalibration) -> ScanRange:
    if made.scans is None:
        raise SystemExit("the calibration of --scans has no range of scans")
    return made.scans


def _read(path: Path) -> MatchCalibration:
    return parse_calibration(path.read_text(encoding="utf-8"), source=path.name)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m research.photo_match",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    works = parser.add_subparsers(dest="work", required=True)
    making = works.add_parser("embed")
    making.add_argument("--data", type=Path, required=True, help="contains faces_lfw and faces_groups")
    making.add_argument("--pack", required=True)
    making.add_argument("--out", type=Path, required=True)
    for name in ("calibrate", "report", "left-out"):
        work = works.add_parser(name)
        work.add_argument("templates", type=Path, nargs="+", metavar="TEMPLATES")
        work.add_argument("--cohort", action="store_true")
        work.add_argument("--resamples", type=int, default=1000)
        if name == "report":
            work.add_argument("--calibration", type=Path)
        elif name == "left-out":
            work.add_argument("--folds", type=int, default=10, help="2 or more")
        else:
            work.add_argument("--form", required=True, help="pack that makes such templates")
            work.add_argument("--scans", type=Path, help="calibration with the range of scans")
            work.add_argument("--out", type=Path, required=True)
    return parser


if __name__ == "__main__":
    raise SystemExit(main())
