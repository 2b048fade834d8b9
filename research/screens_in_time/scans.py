"""Measured scans, in a file between measuring and comparing."""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Final

import numpy as np

from research.screens_in_time.cues import CUES

__all__ = ["UNDRAWN", "Scan", "ScansUnusable", "of_clips", "read_scans", "write_scans"]

UNDRAWN: Final = "nothing"
"""The trace of a scan that is compared with drawn ones."""


class ScansUnusable(ValueError):
    """The file does not contain the scans of ``measure``."""


@dataclass(frozen=True, slots=True)
class Scan:
    """One measured scan.

    Attributes:
        clip: File of its clip, from the folder of its manifest.
        number: Its number in the clip.
        source: Its source; scans of one source share a camera and often a person.
        live: Whether it shows a living person; otherwise a screen.
        trace: The trace that was drawn into it, or ``UNDRAWN``; empty for a recorded scan.
        strength: The strength of that trace.
        stored: Whether the scan was encoded as video once more.
        cues: The measured cues by name.
    """

    clip: str
    number: int
    source: str
    live: bool
    trace: str
    strength: float
    stored: bool
    cues: Mapping[str, float]


def write_scans(path: Path, scans: Iterable[Scan]) -> None:
    """Write ``scans`` as lines of JSON, each as it comes."""
    with path.open("w", encoding="utf-8", buffering=1) as stream:
        stream.writelines(f"{json.dumps(asdict(scan))}\n" for scan in scans)


def read_scans(path: Path) -> list[Scan]:
    """Read the scans of a file from ``write_scans``.

    Raises:
        ScansUnusable: A line is not such a scan.
        OSError: The file cannot be read.
    """
    found = []
    for number, line in enumerate(path.read_text("utf-8").splitlines(), start=1):
        try:
            found.append(Scan(**json.loads(line)))
        except (ValueError, TypeError) as error:
            raise ScansUnusable(f"line {number} is not a measured scan: {error}") from error
    return found


def of_clips(scans: Sequence[Scan]) -> Iterator[Scan]:
    """Yield one scan for each clip, with the median of each cue over its scans.

    A clip and the same clip with a trace drawn into it are two.
    """
    for clip, trace in dict.fromkeys((scan.clip, scan.trace) for scan in scans):
        own = [scan for scan in scans if (scan.clip, scan.trace) == (clip, trace)]
        values = {cue: [scan.cues[cue] for scan in own if cue in scan.cues] for cue in CUES}
        medians = {cue: float(np.median(each)) for cue, each in values.items() if each}
        yield replace(own[0], number=0, cues=medians)
