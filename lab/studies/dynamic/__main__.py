"""Measures the flash challenge on simulated persons and attackers; ``docs/accuracy.md`` has the figures.

::

    python -m lab.studies.dynamic scan --assets DIR --rows FILE.jsonl --turns 10 --jobs 8
    python -m lab.studies.dynamic scan --assets DIR --rows FILE.jsonl --group genuine --minutes 15
    python -m lab.studies.dynamic report --rows FILE.jsonl --out DIR

``scan`` renders, drives and judges one scan after another and adds a line for each. A run that was killed can
be continued, and a longer one (more turns) only adds lines. ``report`` writes tables as text. The lines of
``liveness/dynamic/flash_model.toml`` were set with it, on other people. All of it is simulation; error rates
for real phones, rooms and people must be measured on them.
"""

import argparse
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from lab.simulator import AmbientPreset, FlashKind
from lab.studies.dynamic.cases import QUALITIES, RENDERERS, Group, all_cases, small_slice
from lab.studies.dynamic.drive import Link
from lab.studies.dynamic.measure import Conditions, code_hash, measure_checks
from lab.studies.dynamic.people import simulated_people
from lab.studies.dynamic.rows import DynamicEvaluationError, append_rows, mend_rows, read_rows
from lab.studies.dynamic.tables import write_report
from vision.errors import VisionError
from vision.packs import load_pack

_WIDTH: Final = 180
"""Width of the tables, characters."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; return 0, or 2 with one line on stderr if it could not measure."""
    options = _parser().parse_args(arguments)
    try:
        options.stage(options)
    except (DynamicEvaluationError, VisionError, OSError) as error:
        sys.stderr.write(f"could not {options.name}: {error}\n")
        return 2
    return 0


def _scan(options: argparse.Namespace) -> None:
    conditions = Conditions(
        pack=options.pack or f"open:{options.assets / 'models'}",
        portrait_pack=options.portrait_pack,
        width=options.size[0],
        height=options.size[1],
        rate=options.rate,
        link=Link(round_trip=options.round_trip, processing=options.processing),
        bits=options.bits,
        blink=options.blink,
        depth=options.depth,
        mouth=options.mouth,
        turn=options.turn,
        networks=not options.no_networks,
        attempts=options.attempts,
    )
    mend_rows(options.rows)
    done = _done(options.rows, conditions)
    people = simulated_people(
        options.assets,
        pack=load_pack(conditions.portrait_pack),
        witness=load_pack(conditions.pack),
        corrections=options.corrections,
    )[: options.people]
    keys = [person.key for person in people]
    plan = (
        small_slice(keys)
        if options.slice == "small"
        else all_cases(keys, turns=options.turns, renderers=RENDERERS[options.renderers])
    )
    wanted = [
        case
        for case in plan
        if case.turn >= options.first_turn
        and (not options.group or case.group in options.group)
        and (not options.kind or case.kind in options.kind)
        and (not options.ambient or case.ambient in options.ambient)
        and (not options.quality or case.quality in options.quality)
    ]
    if not wanted:
        raise DynamicEvaluationError(
            "no scan matches: --turns must be above --first-turn, and the filters must fit each other"
        )
    missing = [case for case in wanted if case.name not in done]
    with Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        console=Console(stderr=True),
    ) as progress:
        task = progress.add_task(
            f"{len(people)} people", total=len(wanted), completed=len(wanted) - len(missing)
        )
        ends = time.monotonic() + 60 * options.minutes if options.minutes else None
        for rows in measure_checks(missing, people=people, conditions=conditions, jobs=options.jobs):
            append_rows(options.rows, rows)
            progress.advance(task)
            if ends is not None and time.monotonic() > ends:
                break


def _done(path: Path, conditions: Conditions) -> set[str]:
    """Return the names of the cases with a row; refuse rows of another measurement."""
    rows = read_rows(path)
    if others := {row.code for row in rows} - {code_hash()}:
        raise DynamicEvaluationError(
            f"{path.name} holds rows of other code ({', '.join(sorted(others))}); begin a new file"
        )
    if others := {row.conditions for row in rows} - {str(conditions)}:
        raise DynamicEvaluationError(
            f"{path.name} holds rows of other conditions ({'; '.join(sorted(others))}); begin a new file"
        )
    return {row.name for row in rows}


def _report(options: argparse.Namespace) -> None:
    rows = read_rows(options.rows)
    if not rows:
        raise DynamicEvaluationError(f"{options.rows} holds no rows")
    text = write_report(rows, options.out, resamples=options.resamples, seed=options.seed)
    Console(width=_WIDTH).print(text, highlight=False, markup=False, soft_wrap=True)


def _size(text: str) -> tuple[int, int]:
    width, cross, height = text.partition("x")
    if not cross:
        raise argparse.ArgumentTypeError(f"{text!r} is no size such as 240x320")
    return int(width), int(height)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m lab.studies.dynamic",
        description="Measure the flash challenge on simulated persons and attackers.",
        epilog=(
            "examples:\n"
            "  python -m lab.studies.dynamic scan --assets DIR --rows rows.jsonl --turns 10 --jobs 8\n"
            "  python -m lab.studies.dynamic scan --assets DIR --rows all.jsonl --group genuine --minutes 9\n"
            "  python -m lab.studies.dynamic scan --assets DIR --rows tints.jsonl --kind injected-tint\n"
            "  python -m lab.studies.dynamic scan --assets DIR --rows others.jsonl --renderers held-out\n"
            "  python -m lab.studies.dynamic scan --assets DIR --rows checks.jsonl --attempts 3\n"
            "  python -m lab.studies.dynamic report --rows rows.jsonl --out report"
        ),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    stages = parser.add_subparsers(dest="name", required=True)
    scan = stages.add_parser(
        "scan",
        help="simulate, judge and add rows; continues an earlier run",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    scan.add_argument("--assets", type=Path, required=True, help="folder with data/faces and models")
    scan.add_argument("--rows", type=Path, required=True, help="file to add to, lines of JSON")
    scan.add_argument("--pack", help="pack that measures the frames; open:<assets>/models if None")
    scan.add_argument("--portrait-pack", default="embedded", help="pack with the photos' 68 landmarks")
    scan.add_argument(
        "--corrections",
        type=Path,
        default=Path("lab/evaluation/label_corrections.toml"),
        help="file with the known errors of the labels",
    )
    scan.add_argument("--slice", choices=("full", "small"), default="full", help="small is five scans")
    scan.add_argument("--turns", type=int, default=10, help="scans of each person in every cell")
    scan.add_argument(
        "--first-turn", type=int, default=0, help="leave out the turns before this one, from 0; below --turns"
    )
    scan.add_argument(
        "--group",
        type=Group,
        choices=tuple(Group),
        action="append",
        help="only this group, all if None; repeatable",
    )
    scan.add_argument(
        "--kind",
        type=FlashKind,
        choices=tuple(FlashKind),
        action="append",
        help="only this kind, all if None; repeatable",
    )
    scan.add_argument(
        "--ambient",
        type=AmbientPreset,
        choices=tuple(AmbientPreset),
        action="append",
        help="only in this light, any if None; repeatable",
    )
    scan.add_argument(
        "--quality",
        choices=tuple(QUALITIES),
        action="append",
        help="only relighting of this quality, all scans if None; repeatable",
    )
    scan.add_argument("--people", type=int, help="only this number of people; all if None")
    scan.add_argument(
        "--renderers",
        choices=tuple(RENDERERS),
        default="calibrated",
        help="models of light, skin and head: those that the lines were set on, or others",
    )
    scan.add_argument("--jobs", type=int, default=1, help="processes")
    scan.add_argument("--minutes", type=float, help="stop after this time; run to the end if None")
    scan.add_argument("--size", type=_size, default=(240, 320), help="size of the frames, pixels")
    scan.add_argument("--rate", type=float, default=20.0, help="frames a second")
    scan.add_argument("--round-trip", type=float, default=0.05, help="round trip of the network, seconds")
    scan.add_argument("--processing", type=float, default=0.02, help="server time per frame, seconds")
    scan.add_argument("--bits", type=float, default=12.0, help="floor of verified bits")
    scan.add_argument("--blink", action="store_true", help="a policy that accepts a blink")
    scan.add_argument("--depth", action="store_true", help="a policy that accepts depth in any light")
    scan.add_argument("--mouth", action="store_true", help="a policy that demands an open mouth")
    scan.add_argument(
        "--turn", action="store_true", help="a policy that demands a turn of the head to a side"
    )
    scan.add_argument("--no-networks", action="store_true", help="judge without the PAD networks")
    scan.add_argument("--attempts", type=int, default=1, help="the most attempts of a check")
    scan.set_defaults(stage=_scan)
    report = stages.add_parser(
        "report", help="tables of rows", formatter_class=argparse.ArgumentDefaultsHelpFormatter
    )
    report.add_argument("--rows", type=Path, required=True, help="file that scan wrote")
    report.add_argument("--out", type=Path, required=True, help="folder for the report")
    report.add_argument("--resamples", type=int, default=2000, help="draws of persons")
    report.add_argument("--seed", type=int, default=1, help="of the draws")
    report.set_defaults(stage=_report)
    return parser


if __name__ == "__main__":
    raise SystemExit(main())
