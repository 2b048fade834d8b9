"""Compares statistics of the shape under the screen's light: ``python -m research.flash_shape``.

::

    python -m research.flash_shape record --assets DIR --scans FOLDER --renderers calibrated --per-cell 20
    python -m research.flash_shape report --scans FOLDER --held-out FOLDER

``record`` simulates scans and keeps the answer of each part of the face; it goes on where it was stopped.
"""

import argparse
import hashlib
import sys
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from research.dynamic.cases import Case, Group, all_cases
from research.dynamic.errors import DynamicEvaluationError
from research.dynamic.people import simulated_people
from research.dynamic.renderers import RENDERERS
from research.flash_shape.record import Recorder, read_scan, write_scan
from research.flash_shape.report import judged_scans, tables
from simulator import AmbientPreset, FlashKind
from vision.errors import VisionError
from vision.packs import load_pack

__all__ = ["main"]

_KINDS: Final = (
    FlashKind.GENUINE,
    FlashKind.PRINT,
    FlashKind.CUT_OUT_PRINT,
    FlashKind.INJECTED_TINT,
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; return 0, or 2 with one line on stderr if it could not measure."""
    options = _parser().parse_args(arguments)
    try:
        options.stage(options)
    except (DynamicEvaluationError, VisionError, OSError) as error:
        sys.stderr.write(f"could not {options.name}: {error}\n")
        return 2
    return 0


def _record(options: argparse.Namespace) -> None:
    options.scans.mkdir(parents=True, exist_ok=True)
    people = simulated_people(
        options.assets,
        pack=load_pack("embedded"),
        witness=load_pack(f"open:{options.assets / 'models'}"),
        corrections=options.corrections,
    )
    plan = all_cases(
        [one.key for one in people],
        turns=1 + options.per_cell // len(people),
        renderers=RENDERERS[options.renderers],
    )
    taken: Counter[tuple[FlashKind, AmbientPreset]] = Counter()
    wanted: list[Case] = []
    for case in plan:
        cell = case.kind, case.ambient
        if (
            case.group is Group.RELIGHTING
            or case.kind not in _KINDS
            or (options.ambient and case.ambient not in options.ambient)
        ):
            continue
        taken[cell] += 1
        if taken[cell] <= options.per_cell:
            wanted.append(case)
    missing = [case for case in wanted if not _path(options.scans, case).exists()]
    ends = time.monotonic() + 60 * options.minutes
    for done, (case, scan) in enumerate(Recorder(options.assets, people).record(missing), start=1):
        path = _path(options.scans, case)
        if scan is None:
            path.touch()
        else:
            write_scan(path, scan)
        sys.stderr.write(f"{done} of {len(missing)}\n")
        if time.monotonic() > ends:
            break


def _report(options: argparse.Namespace) -> None:
    calibrated, held_out = (
        judged_scans([read_scan(path) for path in sorted(folder.glob("*.npz")) if path.stat().st_size])
        for folder in (options.scans, options.held_out)
    )
    for line in tables(calibrated, held_out):
        sys.stdout.write(f"{line}\n")


def _path(folder: Path, case: Case) -> Path:
    return folder / f"{hashlib.sha256(case.name.encode()).hexdigest()[:16]}.npz"


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m research.flash_shape", description=__doc__)
    stages = parser.add_subparsers(dest="name", required=True)
    record = stages.add_parser("record", help="simulate scans and keep their answers")
    record.add_argument("--assets", type=Path, required=True, help="folder with data/faces and models")
    record.add_argument("--scans", type=Path, required=True, help="folder to write to")
    record.add_argument("--renderers", choices=tuple(RENDERERS), default="calibrated")
    record.add_argument("--per-cell", type=int, default=20, help="scans of each kind in each light")
    record.add_argument(
        "--ambient",
        type=AmbientPreset,
        choices=tuple(AmbientPreset),
        action="append",
        help="only in this light, any if None; repeatable",
    )
    record.add_argument("--minutes", type=float, default=600.0, help="stop after this time")
    record.add_argument("--corrections", type=Path, default=Path("evaluation/label_corrections.toml"))
    record.set_defaults(stage=_record)
    report = stages.add_parser("report", help="print the tables of recorded scans")
    report.add_argument("--scans", type=Path, required=True, help="folder of scans by calibrated renderers")
    report.add_argument("--held-out", type=Path, required=True, help="folder of scans by held-out renderers")
    report.set_defaults(stage=_report)
    return parser


if __name__ == "__main__":
    raise SystemExit(main())
