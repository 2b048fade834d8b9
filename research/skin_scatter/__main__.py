"""Measures skin against masks by colour: ``python -m research.skin_scatter``.

::

    python -m research.skin_scatter --assets DIR --rows FILE --ambient dark --ambient indoor

Each scan's statistics are kept in the file, so that a run goes on where it was stopped. Tables are printed at
the end.
"""

import argparse
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import cv2

from research.dynamic.errors import DynamicEvaluationError
from research.dynamic.people import Person, photo_of, simulated_people
from research.skin_scatter.cases import AMBIENTS, cases_of, read_rows, rows_of, write_rows
from research.skin_scatter.report import tables
from simulator import Photo
from vision.errors import VisionError
from vision.packs import Pack, load_pack

__all__ = ["main"]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; return 0, or 2 with one line on stderr if it could not measure."""
    options = _parser().parse_args(arguments)
    try:
        _measure(options)
    except (DynamicEvaluationError, VisionError, OSError) as error:
        sys.stderr.write(f"could not measure: {error}\n")
        return 2
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m research.skin_scatter", description="Measure skin against masks by colour."
    )
    parser.add_argument("--assets", type=Path, required=True, help="folder with data/faces and models")
    parser.add_argument("--rows", type=Path, required=True, help="file of the measured scans")
    parser.add_argument(
        "--ambient", action="append", choices=AMBIENTS, help="other light; repeated, or all if never"
    )
    parser.add_argument("--turns", type=int, default=1, help="scans of a person in a light")
    parser.add_argument("--minutes", type=float, default=600.0, help="stop the simulation after this time")
    parser.add_argument("--corrections", type=Path, default=Path("evaluation/label_corrections.toml"))
    return parser


def _measure(options: argparse.Namespace) -> None:
    cv2.setNumThreads(1)
    pack, portraits = load_pack(f"open:{options.assets / 'models'}"), load_pack("embedded")
    people = simulated_people(options.assets, pack=portraits, witness=pack, corrections=options.corrections)
    _simulate(people, pack, portraits, options)
    for line in tables(read_rows(options.rows)):
        sys.stdout.write(f"{line}\n")


def _simulate(people: Sequence[Person], pack: Pack, portraits: Pack, options: argparse.Namespace) -> None:
    ends = time.monotonic() + 60 * options.minutes
    known = {person.key: person for person in people}
    photos: dict[str, Photo] = {}
    done = {row.case for row in read_rows(options.rows)}
    for case in cases_of(list(known), ambients=options.ambient or AMBIENTS, turns=options.turns):
        if case in done:
            continue
        if time.monotonic() > ends:
            return
        if case.person not in photos:
            photos[case.person] = photo_of(known[case.person], pack=portraits, witness=pack)
        write_rows(options.rows, list(rows_of(case, photos[case.person])))


if __name__ == "__main__":
    raise SystemExit(main())
