"""Runs whole checks of simulated persons and attackers through a real server, in real time.

::

    python -m research.whole_checks --assets DIR --rows FILE.jsonl --kind genuine --ambient indoor
    python -m research.whole_checks --assets DIR --rows FILE.jsonl --kind rigid-mask --ambient dark --turns 2

The persons, attackers, lights and draws are those of ``research.dynamic``, which judges frames in virtual
time. Adds a line of JSON for each check; a run that was killed can be continued.
"""

import argparse
import asyncio
import json
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from cli.errors import CommandError
from facegate_client import ClientError
from research.dynamic.cases import Case, all_cases
from research.dynamic.errors import DynamicEvaluationError
from research.dynamic.people import photo_of, simulated_people
from research.dynamic.renderers import RENDERERS
from research.whole_checks.checks import Conditions, run_checks
from simulator import AmbientPreset, FlashKind
from vision.errors import VisionError
from vision.packs import load_pack

__all__ = ["main"]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; return 0, or 2 with one line on stderr if it could not measure."""
    options = _parser().parse_args(arguments)
    try:
        asyncio.run(_run(options))
    except (ClientError, CommandError, DynamicEvaluationError, VisionError, OSError) as error:
        sys.stderr.write(f"could not run the checks: {error}\n")
        return 2
    return 0


async def _run(options: argparse.Namespace) -> None:
    spec = f"open:{options.assets / 'models'}"
    pack, portraits = load_pack(spec), load_pack("embedded")
    people = simulated_people(options.assets, pack=portraits, witness=pack, corrections=options.corrections)[
        : options.people
    ]
    cases = _missing(options, [person.key for person in people])
    photos = {person.key: photo_of(person, pack=portraits, witness=pack) for person in people}
    width, height = options.size
    conditions = Conditions(
        pack=spec,
        policy=options.policy,
        policies=options.policies,
        width=width,
        height=height,
        rate=options.rate,
    )
    with (
        tempfile.TemporaryDirectory(prefix="facegate-checks-") as folder,
        options.rows.open("a", encoding="utf-8") as stream,
    ):
        rows = run_checks(cases, photos=photos, pack=pack, conditions=conditions, folder=Path(folder))
        async for row in rows:
            stream.write(json.dumps(row) + "\n")
            stream.flush()
            sys.stderr.write(f"{row['name']}: {row['status']} after {row['attempts']} attempts\n")


def _missing(options: argparse.Namespace, people: Sequence[str]) -> list[Case]:
    """Return the checks without a row, at most as many as wanted."""
    text = options.rows.read_text(encoding="utf-8") if options.rows.exists() else ""
    done = {json.loads(line)["name"] for line in text.splitlines()}
    plan = all_cases(people, turns=options.turns, renderers=RENDERERS[options.renderers])
    return [
        case
        for case in plan
        if case.kind in options.kind and case.ambient in options.ambient and case.name not in done
    ][: options.checks]


def _size(text: str) -> tuple[int, int]:
    width, cross, height = text.partition("x")
    if not cross:
        raise argparse.ArgumentTypeError(f"{text!r} is no size such as 480x640")
    return int(width), int(height)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m research.whole_checks",
        description="Run whole checks of simulated persons and attackers through a real server.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    parser.add_argument("--assets", type=Path, required=True, help="folder with data/faces and models")
    parser.add_argument("--rows", type=Path, required=True, help="file to add to, lines of JSON")
    parser.add_argument(
        "--kind",
        type=FlashKind,
        choices=tuple(FlashKind),
        action="append",
        required=True,
        help="a kind of person or attacker; repeatable",
    )
    parser.add_argument(
        "--ambient",
        type=AmbientPreset,
        choices=tuple(AmbientPreset),
        action="append",
        required=True,
        help="a light; repeatable",
    )
    parser.add_argument("--turns", type=int, default=1, help="checks of each person in every cell")
    parser.add_argument("--people", type=int, help="only this number of people; all if None")
    parser.add_argument("--checks", type=int, help="the most checks of this run; all if None")
    parser.add_argument(
        "--renderers", choices=tuple(RENDERERS), default="held-out", help="models of light, skin and head"
    )
    parser.add_argument("--policy", default="dynamic", help="policy of the checks")
    parser.add_argument("--policies", type=Path, help="folder with further policies")
    parser.add_argument("--size", type=_size, default=(480, 640), help="size of the frames, pixels")
    parser.add_argument("--rate", type=float, default=15.0, help="frames a second")
    parser.add_argument(
        "--corrections",
        type=Path,
        default=Path("evaluation/label_corrections.toml"),
        help="file with the known errors of the labels",
    )
    return parser


if __name__ == "__main__":
    raise SystemExit(main())
