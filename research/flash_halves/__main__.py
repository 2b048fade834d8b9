"""Measures two colours on the screen at once: ``python -m research.flash_halves``.

::

    python -m research.flash_halves --assets DIR --scans FOLDER --people 8

Each scan is kept in a small file, so that a run goes on where it was stopped. Tables are printed at the end.
"""

import argparse
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import cv2

from research.dynamic.errors import DynamicEvaluationError
from research.dynamic.people import Person, photo_of, simulated_people
from research.flash_halves.cases import cases_of, path_of, write_course
from research.flash_halves.measure import course_of, film_steps
from research.flash_halves.report import tables
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
        prog="python -m research.flash_halves", description="Measure two colours on the screen at once."
    )
    parser.add_argument("--assets", type=Path, required=True, help="folder with data/faces and models")
    parser.add_argument("--scans", type=Path, required=True, help="folder of the measured scans")
    parser.add_argument("--people", type=int, default=8, help="number of people")
    parser.add_argument("--minutes", type=float, default=600.0, help="stop the simulation after this time")
    parser.add_argument("--corrections", type=Path, default=Path("evaluation/label_corrections.toml"))
    return parser


def _measure(options: argparse.Namespace) -> None:
    cv2.setNumThreads(1)
    pack, portraits = load_pack(f"open:{options.assets / 'models'}"), load_pack("embedded")
    people = simulated_people(options.assets, pack=portraits, witness=pack, corrections=options.corrections)[
        : options.people
    ]
    options.scans.mkdir(parents=True, exist_ok=True)
    _simulate(people, pack, portraits, options)
    for line in tables(options.scans, [person.key for person in people]):
        sys.stdout.write(f"{line}\n")


def _simulate(people: Sequence[Person], pack: Pack, portraits: Pack, options: argparse.Namespace) -> None:
    ends = time.monotonic() + 60 * options.minutes
    known = {person.key: person for person in people}
    photos: dict[str, Photo] = {}
    for case in cases_of(list(known)):
        path = path_of(options.scans, case)
        if path.exists():
            continue
        if time.monotonic() > ends:
            return
        if case.person not in photos:
            photos[case.person] = photo_of(known[case.person], pack=portraits, witness=pack)
        course = course_of(
            film_steps(photos[case.person], case.settings(), rng=case.draws("steps")), pack=pack
        )
        if course is not None:
            write_course(path, course)


if __name__ == "__main__":
    raise SystemExit(main())
