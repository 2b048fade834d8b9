"""Measures what a display adds to scans over time.

::

    python -m research.screens_in_time.measure <assets> --pack open:<assets>/models --out SCANS

Measures every cue on the scans of each live clip and each screen of ``data/video`` and ``data/video_more``.
Then draws each trace of ``drawn.TRACES`` at each strength into the first 2 seconds of one live clip of each
of ten repositories, and measures the cues that should see it.
"""

import argparse
import csv
import sys
from collections.abc import Iterator, Mapping, Sequence
from itertools import chain
from pathlib import Path

import cv2
from rich.console import Console
from rich.progress import track

from research.liveness_fusion.measure import source_of
from research.screens_in_time.cues import time_cues
from research.screens_in_time.drawn import TRACES, as_stored, draw_trace
from research.screens_in_time.scans import UNDRAWN, Scan, write_scans
from research.screens_in_time.stretches import read_stretches, repainted, watch_stretch
from vision.errors import VisionError
from vision.packs import Pack, load_pack

__all__ = ["main"]

_DEEPFAKE = "deepfake"
_DRAWN_CLIPS = 10
_DRAWN_FRAMES = 64
_Listed = tuple[Path, dict[str, str]]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; return 0, or 2 with one line on stderr if it could not measure."""
    options = _parser().parse_args(arguments)
    cv2.setNumThreads(1)
    try:
        pack = load_pack(options.pack)
        listed = list(_listed(options.assets))
        write_scans(options.out, chain(_recorded(listed, pack), _drawn(listed, pack)))
    except (VisionError, OSError, KeyError) as error:
        sys.stderr.write(f"could not measure: {error}\n")
        return 2
    return 0


def _listed(assets: Path) -> Iterator[_Listed]:
    for folder in (assets / "data/video", assets / "data/video_more"):
        if (folder / "manifest.csv").exists():
            with (folder / "manifest.csv").open(encoding="utf-8", newline="") as stream:
                for row in csv.DictReader(stream):
                    if row["attack_type"] != _DEEPFAKE:
                        yield folder / row["file"], row


def _recorded(listed: Sequence[_Listed], pack: Pack) -> Iterator[Scan]:
    for path, row in track(listed, description="clips", console=Console(stderr=True)):
        for number, stretch in enumerate(read_stretches(path)):
            frames = watch_stretch(stretch, pack)
            if frames:
                yield _scan(row, number, time_cues(frames), live=row["label"] == "live")


def _drawn(listed: Sequence[_Listed], pack: Pack) -> Iterator[Scan]:
    firsts = {row["source_repo"]: (path, row) for path, row in reversed(listed) if row["label"] == "live"}
    chosen = [one for one in listed if one in firsts.values()][:_DRAWN_CLIPS]
    for path, row in track(chosen, description="drawn", console=Console(stderr=True)):
        stretch = next(read_stretches(path), [])[:_DRAWN_FRAMES]
        frames = watch_stretch(stretch, pack)
        if not frames:
            continue
        images = [stretch[frame.number][1] for frame in frames]
        again = repainted(frames, as_stored(images))
        yield _scan(row, 0, time_cues(frames), live=True, trace=UNDRAWN)
        yield _scan(row, 0, time_cues(again), live=True, trace=UNDRAWN, stored=True)
        for name, trace in TRACES.items():
            for strength, stored in [(each, False) for each in trace.strengths] + [
                (trace.strengths[-1], True)
            ]:
                shown = draw_trace(name, strength, frames, images, stored=stored)
                cues = time_cues(shown, trace.cues)
                yield _scan(row, 0, cues, live=False, trace=name, strength=strength, stored=stored)


def _scan(
    row: Mapping[str, str],
    number: int,
    cues: Mapping[str, float],
    *,
    live: bool,
    trace: str = "",
    strength: float = 0.0,
    stored: bool = False,
) -> Scan:
    return Scan(row["file"], number, source_of(row), live, trace, strength, stored, cues)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m research.screens_in_time.measure", description="Measure screens over time."
    )
    parser.add_argument("assets", type=Path, help="folder with data/video and models")
    parser.add_argument("--pack", required=True, help='the models, as "open:<folder>"')
    parser.add_argument("--out", type=Path, required=True, help="file for the scans")
    return parser


if __name__ == "__main__":
    sys.exit(main())
