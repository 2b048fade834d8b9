"""Measures the time and memory of comparing many generated templates, as ``facegate evaluate match`` does.

Not a test: it takes minutes, and its figures depend on the machine. Every person has two templates of 512
numbers. The command detects and embeds photos before; that is not part of this. The exit status is 1 if
it took more than 4 GiB.

    python -m tests.evaluation.match.scale --templates 100000
"""

import argparse
import os
import time
from pathlib import Path

import numpy as np

from evaluation.match import Bootstrap, LabelledTemplate, compare_all
from evaluation.match.duplicates import suspected_duplicates
from evaluation.match.evaluation import evaluate_sets

_DIMENSION = 512
_NOISE = 0.8
"""The length of the difference of a template to the mean of its person, which has length 1."""
_RESAMPLES = 2_000
MOST_BYTES = 4 * 2**30
"""The memory that the comparison of 100,000 templates may take, bytes."""


def _peak_bytes(status: str) -> int:
    """The peak memory of a process; ``getrusage`` gives that of a parent to the processes that it starts."""
    line = next(line for line in status.splitlines() if line.startswith("VmHWM:"))
    return int(line.split()[1]) * 1024


def _templates(count: int) -> list[LabelledTemplate]:
    rng = np.random.default_rng(1)
    persons = rng.standard_normal((count // 2, _DIMENSION), dtype=np.float32)
    persons /= np.linalg.norm(persons, axis=1, keepdims=True)
    made = []
    for photo in range(count // 2 * 2):
        noise = rng.standard_normal(_DIMENSION, dtype=np.float32) * np.float32(_NOISE / _DIMENSION**0.5)
        template = persons[photo // 2] + noise
        template /= np.linalg.norm(template)
        made.append(LabelledTemplate(embedding=template, identity=str(photo // 2), apart=False, photo=photo))
    return made


def main(count: int, *, most: int = MOST_BYTES) -> int:
    """Compare that many generated templates; return 1 if it took more than ``most`` bytes."""
    templates = _templates(count)
    began, cpu = time.monotonic(), time.process_time()
    comparisons = compare_all(templates)
    main = evaluate_sets(comparisons, Bootstrap(resamples=_RESAMPLES, confidence=0.95, seed=1))[0]
    suspected = suspected_duplicates(main.comparisons)
    peak = _peak_bytes(Path("/proc/self/status").read_text())
    print(
        f"{len(templates):,} templates, {main.comparisons.impostors.comparisons:,} impostor comparisons, "
        f"{len(suspected)} suspected duplicates: {time.monotonic() - began:.0f} s, "
        f"{time.process_time() - cpu:.0f} s of CPU time, at most {peak / 2**30:.1f} GiB; "
        f"load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores"
    )
    if peak > most:
        print(f"more than the {most / 2**30:.1f} GiB that are allowed")
        return 1
    return 0


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--templates", type=int, default=100_000)
    raise SystemExit(main(parser.parse_args().templates))
