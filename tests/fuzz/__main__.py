"""Runs one case again, or many new ones: ``python -m tests.fuzz --help``."""

import argparse
import sys

from tests.fuzz.engine import case_bytes
from tests.fuzz.runner import CaseFailed, run_cases
from tests.fuzz.targets import TARGETS


def _run() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("--target", required=True, choices=sorted(TARGETS))
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--case", type=int, help="the only case to run; its bytes are printed as hex")
    parser.add_argument("--count", type=int, default=1000, help="how many cases to run from the first on")
    chosen = parser.parse_args()
    first, count = (0, chosen.count) if chosen.case is None else (chosen.case, 1)
    if chosen.case is not None:
        seeds = tuple(TARGETS[chosen.target].seeds())
        sys.stdout.write(case_bytes(chosen.target, chosen.seed, first, seeds).hex() + "\n")
    try:
        run_cases(TARGETS[chosen.target], seed=chosen.seed, first=first, count=count)
    except CaseFailed as failed:
        # With the traceback of the failure.
        raise failed from failed.__cause__
    return 0


if __name__ == "__main__":
    sys.exit(_run())
