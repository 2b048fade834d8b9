"""Measures how early an attempt may be decided against if its device left; see ``docs/accuracy.md``.

::

    python -m tests.server.scan.early_departure cut --pack P --assets DIR --rows FILE
    python -m tests.server.scan.early_departure flash --pack P --assets DIR --rows FILE
    python -m tests.server.scan.early_departure report --rows FILE

``cut`` judges every scan of recorded clips at every length, as if its device had left there, and ``flash``
does the same with simulated flash scans. ``report`` counts the scans that are decided against at any length,
under several conditions including the server's, and from which number of frames on.
"""

import argparse
import json
import os
import sys
from collections.abc import Iterator, Sequence
from itertools import chain
from pathlib import Path

import cv2
from rich.console import Console

from evaluation.match.calibration import without_folder
from liveness.fusion_model import load_fusion_model
from tests.server.scan.early_departure.cuts import Cut, ScanCutter
from tests.server.scan.early_departure.flash import FLASH, flash_cuts
from tests.server.scan.early_departure.scans import clip_scans, simulated_scans
from tests.server.scan.early_departure.tables import report_tables
from vision.errors import VisionError
from vision.packs import Pack, load_pack
from vision.packs.pack_files import default_models_dir


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command. Returns 0, or 2 with one line on stderr if it could not measure."""
    options = _parser().parse_args(arguments)
    try:
        # One core, as in a server, because several OpenCV threads slow each other down on small images.
        cv2.setNumThreads(1)
        if options.work == "cut":
            _cut(options)
        elif options.work == "flash":
            _flash(options)
        else:
            console = Console(width=150)
            for table in report_tables(_read(options.rows)):
                console.print(table)
    except (VisionError, OSError) as error:
        sys.stderr.write(f"could not measure: {error}\n")
        return 2
    return 0


def _cut(options: argparse.Namespace) -> None:
    pack = _pack(options.pack)
    name = without_folder(options.pack)
    done = {_scan_of(cut) for cut in _read(options.rows)} if options.rows.exists() else set()
    cutter = ScanCutter(pack=pack, name=name, fusion=load_fusion_model(), every=options.every)
    with options.rows.open("a", encoding="utf-8") as file:
        for scan in chain(clip_scans(options.assets, pack, most=options.scans), simulated_scans(pack)):
            if (name, scan.kind, scan.clip, scan.number) in done:
                continue
            cuts = cutter.cut(scan)
            file.write("".join(json.dumps(cut.as_row()) + "\n" for cut in cuts))
            file.flush()


def _flash(options: argparse.Namespace) -> None:
    done = {cut.clip for cut in _read(options.rows) if cut.pack == FLASH} if options.rows.exists() else set()
    pack, portraits = _pack(options.pack), _pack("embedded")
    with options.rows.open("a", encoding="utf-8") as file:
        for cuts in flash_cuts(options.assets, pack, portraits, every=options.every, done=done):
            file.write("".join(json.dumps(cut.as_row()) + "\n" for cut in cuts))
            file.flush()


def _pack(spec: str) -> Pack:
    return load_pack(spec, models_dir=default_models_dir(os.environ, Path.home()))


def _read(path: Path) -> list[Cut]:
    return list(_cuts(path))


def _cuts(path: Path) -> Iterator[Cut]:
    with path.open(encoding="utf-8") as file:
        for line in file:
            yield Cut.of_row(json.loads(line))


def _scan_of(cut: Cut) -> tuple[str, str, str, int]:
    return cut.pack, cut.kind, cut.clip, cut.scan


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m tests.server.scan.early_departure", description="Judge scans at every length."
    )
    works = parser.add_subparsers(dest="work", required=True)
    cut = works.add_parser("cut", help="judge every scan at every length")
    cut.add_argument("--scans", type=int, default=2, help="scans of a clip, at most")
    flash = works.add_parser("flash", help="judge simulated flash scans at every length")
    for each, every in ((cut, 4), (flash, 12)):
        each.add_argument(
            "--pack", required=True, help='such as "open", "embedded" or "insightface:<folder>"'
        )
        each.add_argument("--assets", required=True, type=Path, help="folder of the test data")
        each.add_argument("--every", type=int, default=every, help="frames between two cuts")
    report = works.add_parser("report", help="count")
    for each in (cut, flash, report):
        each.add_argument(
            "--rows", required=True, type=Path, help="JSON lines, one a cut; a run goes on there"
        )
    return parser


if __name__ == "__main__":
    raise SystemExit(main())
