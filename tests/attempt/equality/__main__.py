"""Writes the results of an attempt for every frame of many scans, and compares two such files.

Run it before and after a change that must not change a judgement::

    python -m tests.attempt.equality scan --assets shared --out before.jsonl
    python -m tests.attempt.equality compare before.jsonl after.jsonl
"""

import argparse
import sys
from itertools import chain, islice
from pathlib import Path

from tests.attempt.equality.drive import Driver
from tests.attempt.equality.rows import differences
from tests.attempt.equality.scans import challenge_scans, clip_scans, simulated_scans
from vision.packs import load_pack

_MOST_SHOWN = 50


def _scan(asked: argparse.Namespace) -> int:
    driver = Driver(load_pack(f"open:{asked.assets / 'models'}"))
    scans = chain(
        clip_scans(asked.assets, seconds=asked.seconds, most=asked.windows),
        islice(simulated_scans(), asked.simulated),
        challenge_scans(load_pack("embedded"), flashes=asked.flashes, movements=asked.movements),
    )
    with asked.out.open("w", encoding="utf-8") as file:
        for number, scan in enumerate(scans):
            if number % asked.parts == asked.part:
                file.writelines(f"{line}\n" for line in driver.drive(scan))
                file.flush()
    return 0


def _compare(asked: argparse.Namespace) -> int:
    before, after = (path.read_text(encoding="utf-8").splitlines() for path in (asked.before, asked.after))
    found = differences(before, after)
    print(f"{len(before)} and {len(after)} lines, {len(found)} differences")
    for one in found[:_MOST_SHOWN]:
        print(one)
    return 1 if found else 0


def main() -> int:
    """Run the subcommand of the command line."""
    parser = argparse.ArgumentParser(prog="python -m tests.attempt.equality")
    commands = parser.add_subparsers(required=True)
    scan = commands.add_parser("scan")
    scan.add_argument("--assets", type=Path, required=True)
    scan.add_argument("--out", type=Path, required=True)
    scan.add_argument("--windows", type=int, default=3, help="of each clip")
    scan.add_argument("--seconds", type=float, default=5.0, help="of each window")
    scan.add_argument("--simulated", type=int, default=60)
    scan.add_argument("--flashes", type=int, default=60)
    scan.add_argument("--movements", type=int, default=18)
    scan.add_argument("--part", type=int, default=0)
    scan.add_argument("--parts", type=int, default=1)
    scan.set_defaults(run=_scan)
    compare = commands.add_parser("compare")
    compare.add_argument("before", type=Path)
    compare.add_argument("after", type=Path)
    compare.set_defaults(run=_compare)
    asked = parser.parse_args()
    return int(asked.run(asked))


if __name__ == "__main__":
    sys.exit(main())
