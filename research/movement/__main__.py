"""Measures the movement challenge on simulated people and images; ``docs/accuracy.md`` has the figures.

::

    python -m research.movement --assets DIR --people 12 --rows rows.jsonl
    python -m research.movement --assets DIR --people 10 --attempts 1 --only PRINT --rows prints.jsonl

Every person comes closer up to three times, until an attempt is RIGHT or WRONG, as with a policy of three
attempts. All of it is simulation; error rates for real phones, rooms and people must be measured on them.
"""

import argparse
import json
import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path

from liveness.dynamic.policy import ChallengeFinding
from research.dynamic.errors import DynamicEvaluationError
from research.dynamic.people import photo_of, simulated_people
from research.movement.cases import Approacher, Case
from research.movement.play import play
from research.movement.report import Row, report
from simulator import Geometry, Photo
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


def _measure(options: argparse.Namespace) -> None:
    pack, landmarks = load_pack(options.pack or f"open:{options.assets / 'models'}"), load_pack("embedded")
    people = simulated_people(options.assets, pack=landmarks, witness=pack, corrections=options.corrections)[
        : options.people
    ]
    rows: list[Row] = []
    with options.rows.open("w", encoding="utf-8") as file:
        for approacher in options.only or Approacher:
            for person in people:
                photo = photo_of(person, pack=landmarks, witness=pack)
                for geometry in (Geometry.RELIEF, Geometry.ELLIPSOID):
                    for row in _attempts(
                        approacher, person.key, geometry, photo, pack, most=options.attempts
                    ):
                        rows.append(row)
                        file.write(json.dumps(row.as_record()) + "\n")
                        file.flush()
    sys.stdout.write(report(rows) + "\n")


def _attempts(
    approacher: Approacher, person: str, geometry: Geometry, photo: Photo, pack: Pack, *, most: int
) -> Iterator[Row]:
    for attempt in range(most):
        played = play(Case(approacher, person, geometry, attempt), photo, pack=pack)
        yield Row(
            approacher=approacher.name,
            person=person,
            geometry=geometry.value,
            attempt=attempt,
            finding=played.result.finding.name,
            ovals_filled=played.ovals_filled,
            seconds=round(played.seconds, 2),
            seen=None if played.seen is None else asdict(played.seen),
        )
        if played.result.finding in {ChallengeFinding.RIGHT, ChallengeFinding.WRONG}:
            return


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m research.movement",
        description="Measure the movement challenge on simulated people and images.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    parser.add_argument("--assets", type=Path, required=True, help="folder with models/ and data/faces/")
    parser.add_argument("--people", type=int, default=12, help="number of people, in the order of their keys")
    parser.add_argument("--attempts", type=int, default=3, help="most attempts of one scan")
    parser.add_argument("--rows", type=Path, required=True, help="file for a JSON line per attempt")
    parser.add_argument(
        "--only", type=lambda name: Approacher[name], action="append", help="approacher by name; all if none"
    )
    parser.add_argument(
        "--pack", help="spec of the pack that measures the frames; open:ASSETS/models if none"
    )
    parser.add_argument("--corrections", type=Path, help="file with the known errors of the labels")
    return parser


if __name__ == "__main__":
    sys.exit(main())
