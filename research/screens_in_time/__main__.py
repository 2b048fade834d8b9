"""Compares screens with live clips by what a display adds over time.

::

    python -m research.screens_in_time <assets> --pack open:<assets>/models [--stored] [--drawn]

Measures five cues on stretches of 3 seconds of each live clip and each screen of ``data/video`` and
``data/video_more``, and prints for each cue the area under the curve over clips, an exact permutation test
over sources, and the screens that are found by a line that was set on the other sources. ``--stored`` leaves
out the JPEG encoding of a phone. ``--drawn`` puts the live clips, with the traces of a display drawn around
the face, in place of the screens: a test of the cues.
"""

import argparse
import csv
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import cv2
import numpy as np
from rich.console import Console
from rich.progress import track
from rich.table import Table

from evaluation.binomial import proportion
from research.liveness_fairness.compare import holm
from research.screens_in_time.cues import CUES, time_cues
from research.screens_in_time.separation import Clip, separation
from research.screens_in_time.stretches import draw_traces, read_stretches, watch_stretch
from vision.errors import VisionError
from vision.packs import Pack, load_pack

__all__ = ["main"]

_DEEPFAKE = "deepfake"
_STRETCHES = 2


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; return 0, or 2 with one line on stderr if it could not measure."""
    options = _parser().parse_args(arguments)
    cv2.setNumThreads(1)
    try:
        pack = load_pack(options.pack)
        listed = list(_listed(options.assets))
        clips = [
            clip
            for path, row in track(listed, description="clips", console=Console(stderr=True))
            for clip in _measured(path, row, pack, sent=not options.stored, drawn=options.drawn)
        ]
    except (VisionError, OSError, KeyError) as error:
        sys.stderr.write(f"could not measure: {error}\n")
        return 2
    Console(width=150).print(_table(clips, attacks="drawn screens" if options.drawn else "screens"))
    return 0


def _listed(assets: Path) -> Iterator[tuple[Path, dict[str, str]]]:
    for folder in (assets / "data/video", assets / "data/video_more"):
        if (folder / "manifest.csv").exists():
            with (folder / "manifest.csv").open(encoding="utf-8", newline="") as stream:
                for row in csv.DictReader(stream):
                    if row["attack_type"] != _DEEPFAKE:
                        yield folder / row["file"], row


def _measured(path: Path, row: Mapping[str, str], pack: Pack, *, sent: bool, drawn: bool) -> Iterator[Clip]:
    live = row["label"] == "live"
    if drawn and not live:
        return
    stretches = [watch_stretch(stretch, pack) for stretch in read_stretches(path, most=_STRETCHES, sent=sent)]
    seen = [frames for frames in stretches if frames]
    yield Clip(path.name, row["source_repo"], live, _medians([time_cues(frames) for frames in seen]))
    if drawn:
        changed = [time_cues(draw_traces(frames, seed=number)) for number, frames in enumerate(seen)]
        yield Clip(path.name, row["source_repo"], False, _medians(changed))


def _medians(found: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """Return each cue's median over the stretches in which it was measured."""
    values = {cue: [one[cue] for one in found if cue in one] for cue in CUES}
    return {cue: float(np.median(each)) for cue, each in values.items() if each}


def _table(clips: Sequence[Clip], *, attacks: str) -> Table:
    live = sum(clip.live for clip in clips)
    table = Table(
        "cue",
        "live, screens",
        "AUC (above 0.5: higher on screens)",
        "p",
        "adjusted p",
        "higher on the screen, of sources with both",
        "left out: screens found",
        "live beyond the line",
        title=f"{live} live clips, {len(clips) - live} {attacks}",
    )
    rows = [(cue, found) for cue in CUES if (found := separation(clips, cue)) is not None]
    for (cue, found), adjusted in zip(rows, holm([found.p for _, found in rows]), strict=True):
        table.add_row(
            cue,
            f"{found.live}, {found.screens}",
            f"{found.auc:.2f}",
            f"{found.p:.3f}",
            f"{adjusted:.3f}",
            f"{found.pairs[1]} of {found.pairs[0]}",
            _bounded(found.found, found.screens),
            _bounded(found.alarms, found.live),
        )
    return table


def _bounded(hits: int, trials: int) -> str:
    share = proportion(hits, trials, confidence=0.95)
    return "-" if share is None else f"{hits} of {trials} [{share.lower:.0%}, {share.upper:.0%}]"


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m research.screens_in_time", description="Compare screens with live clips over time."
    )
    parser.add_argument("assets", type=Path, help="folder with data/video and models")
    parser.add_argument("--pack", required=True, help='the models, as "open:<folder>"')
    parser.add_argument("--stored", action="store_true", help="measure frames without the encoding as JPEG")
    parser.add_argument("--drawn", action="store_true", help="put drawn screens in place of recorded ones")
    return parser


if __name__ == "__main__":
    sys.exit(main())
