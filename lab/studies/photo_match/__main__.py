"""Makes the templates, the calibrations and the tables of photo against photo.

::

    python -m lab.studies.photo_match embed --data DIR --pack PACK --out TEMPLATES
    python -m lab.studies.photo_match calibrate TEMPLATES [--cohort] --form PACK --out FILE
    python -m lab.studies.photo_match report TEMPLATES [--cohort] [--calibration FILE]
    python -m lab.studies.photo_match left-out TEMPLATES [--cohort] --folds N

``calibrate`` takes the worst of several files of templates at every threshold. ``--cohort`` scores each
pair of people by a cohort of others (``vision.packs.calibration``); the file gets a cohort of everybody.
``--scans`` takes the range of scans from a calibration that ``lab.studies.scan_match`` made. ``left-out``
sets thresholds and cohort on the people of the other folds (``NOTES.md``).
"""

import argparse
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Final

import cv2
import numpy as np
from rich.console import Console
from rich.table import Table

from lab.evaluation.match import render_calibration
from lab.studies.photo_match.rates import (
    RATES,
    BoundedRate,
    GroupRates,
    LeftOut,
    ScoredSet,
    calibration_of,
    fmr_at,
    fnmr_of,
    group_rates,
    left_out,
    threshold_for,
    within_sources,
)
from lab.studies.photo_match.scores import (
    PairScores,
    TemplateSet,
    embed,
    read_templates,
    score_pairs,
    write_templates,
)
from matcher import threshold_cosine
from vision.packs import MatchCalibration, load_pack
from vision.packs.calibration import ScanRange, parse_calibration

_GROUP_TARGETS: Final = (1e-3, 1e-4)
_NO_DATA: Final = "not supported by data"


def measured_table(scored: ScoredSet, *, with_duplicates: PairScores, title: str) -> Table:
    """Return FNMR at measured FMR, with and without suspected duplicates."""
    _, genuine, impostor = scored
    table = Table("FMR", "threshold", "FNMR", "threshold with duplicates", "FNMR", title=title)
    for rate in RATES:
        plain, dirty = threshold_for(rate, impostor), threshold_for(rate, with_duplicates)
        row = [f"{rate:g}", f"{plain:.3f}", f"{fnmr_of(genuine, plain):.2%}"]
        table.add_row(*row, f"{dirty:.3f}", f"{fnmr_of(genuine, dirty):.2%}")
    return table


def shipped_table(
    scored: ScoredSet, *, with_duplicates: PairScores, known: MatchCalibration, resamples: int
) -> Table:
    """Return what each policy's threshold does: FMR with its bound, the worst group, and FNMR."""
    templates, genuine, impostor = scored
    table = Table("bound on FMR", "threshold", "FMR of comparisons", "with duplicates")
    for name in ("FMR of pairs of people (bound)", "photos of one source", "worst group", "FNMR"):
        table.add_column(name)
    table.title = "Shipped thresholds"
    targets = [rate for rate in RATES if known.lowest_bound <= rate]
    thresholds = np.array([threshold_cosine(rate, calibration=known) for rate in targets])
    over_all = fmr_at(templates, impostor, thresholds=thresholds, resamples=resamples)
    inside = within_sources(templates, impostor)
    labels = set(templates.groups) - {""}
    groups = [
        group
        for group in group_rates(templates, impostor, thresholds=thresholds, resamples=resamples)
        if group.name in labels
    ]
    for place, (target, at, found) in enumerate(zip(targets, thresholds, over_all, strict=True)):
        worst = _worst(groups, place)
        table.add_row(
            f"{target:g}",
            f"{at:.3f}",
            f"{(impostor.scores >= at).mean():.1e}",
            f"{(with_duplicates.scores >= at).mean():.1e}",
            f"{found.rate:.1e} ({found.bound:.1e})",
            f"{(impostor.scores[inside] >= at).mean():.1e}",
            f"{worst.name}: {_cell(worst.rates[place])}",
            f"{fnmr_of(genuine, at):.2%}",
        )
    return table


def groups_table(scored: ScoredSet, *, known: MatchCalibration | None, resamples: int) -> Table:
    """Return FMR within groups, at thresholds for a measured FMR over all and at the shipped ones."""
    templates, _, impostor = scored
    thresholds = {f"FMR {rate:g} over all": threshold_for(rate, impostor) for rate in _GROUP_TARGETS}
    if known is not None:
        thresholds |= {
            f"shipped {rate:g}": threshold_cosine(rate, calibration=known)
            for rate in RATES
            if known.lowest_bound <= rate
        }
    table = Table("group", "people", "pairs", "lowest bound", title="FMR within groups (bound over people)")
    for name in thresholds:
        table.add_column(name)
    found: Sequence[GroupRates] = group_rates(
        templates, impostor, thresholds=np.array(list(thresholds.values())), resamples=resamples
    )
    for group in found:
        cells = [_cell(rate) for rate in group.rates]
        lowest = f"{group.rates[0].lowest_bound:.1e}"
        table.add_row(group.name, str(group.persons), str(group.pairs), lowest, *cells)
    return table


def left_out_table(rows: Iterable[LeftOut], *, title: str) -> Table:
    """Return the rates on people left out."""
    table = Table("threshold for", "FMR", "FNMR [95 %]", "FMR left out (bound)", "people", "comparisons")
    table.title = title
    for row in rows:
        table.add_row(
            row.basis,
            f"{row.target:g}",
            f"{row.fnmr:.2%} [{row.low:.1%}, {row.high:.1%}]",
            _cell(row.fmr),
            f"{row.people[0]}; genuine {row.people[1]}",
            f"{row.comparisons[0]} genuine, {row.comparisons[1]} impostor",
        )
    return table


def _worst(groups: Sequence[GroupRates], place: int) -> GroupRates:
    """Return the group with the highest rate at one of the thresholds."""
    return max(groups, key=lambda group: group.rates[place].rate)


def _cell(found: BoundedRate) -> str:
    return f"{found.rate:.1e} ({found.bound:.1e})" if found.supported else _NO_DATA


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
        prog="python -m lab.studies.photo_match",
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
