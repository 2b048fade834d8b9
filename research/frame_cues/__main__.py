"""Sets the lines of the single-frame cues, the ``CueLine``s in ``liveness/express/settings.py``.

::

    python -m research.frame_cues ASSETS [--pack insightface:DIR]

Measures every cue on the labelled live images and clips and on colour photos of persons, as a scan does: the
median of up to four frames. Prints, for each cue, the line beyond which at most one in twenty of any source's
live presentations lie, beside the shipped one, and for each source the median and the share beyond the
shipped line. Sources are never mixed, because they differ in camera and place, not in life.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
from rich.console import Console
from rich.progress import track
from rich.table import Table

from evaluation import Proportion
from evaluation.match import PhotoListError
from evaluation.pad.errors import DatasetError
from liveness.express import ExpressSettings
from liveness.express.frame_cues import FRAME_CUES
from liveness.express.settings import CueLine
from research.frame_cues.lines import live_levels, suggested_line
from research.frame_cues.presentations import FACES, Presentation, live_presentations
from vision.errors import VisionError
from vision.packs import load_pack

__all__ = ["main"]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; return 0, or 2 with one line on stderr if it could not measure."""
    options = _parser().parse_args(arguments)
    # One thread, as in a scan, in which whole frames are processed in parallel.
    cv2.setNumThreads(1)
    try:
        pack = load_pack(options.pack or f"insightface:{options.assets / 'models'}")
        measured = list(
            track(
                live_presentations(options.assets, pack.detector),
                description="presentations",
                console=Console(stderr=True),
            )
        )
    except (DatasetError, PhotoListError, VisionError, OSError) as error:
        sys.stderr.write(f"could not measure: {error}\n")
        return 2
    console = Console(width=130)
    settings = ExpressSettings()
    for cue in FRAME_CUES:
        console.print(_table(cue, getattr(settings, cue), measured))
    return 0


def _table(cue: str, lines: CueLine, measured: Sequence[Presentation]) -> Table:
    attacks_above = lines.line > lines.live
    values = [
        np.array([each.values[cue] for each in measured if each.sample.source == name and cue in each.values])
        for name in sorted({each.sample.source for each in measured})
    ]
    filled = [each for each in values if each.size]
    fitted = suggested_line(filled, higher_is_attack=attacks_above) if filled else lines
    table = Table(
        "source",
        "live",
        "median",
        f"{'above' if attacks_above else 'below'} the line",
        title=f"{cue}: line {lines.line:g} (fitted here: {fitted.line:.3g}), "
        f"live {lines.live:g} (fitted here: {fitted.live:.3g})",
    )
    for level in live_levels(measured, cue, lines):
        table.add_row(level.source, f"{level.live}", f"{level.median:.2f}", _share(level.wronged))
    return table


def _share(found: Proportion | None) -> str:
    if found is None:
        return "-"
    return f"{found.hits} of {found.trials}, {found.rate:.0%} ({found.lower:.0%} to {found.upper:.0%})"


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m research.frame_cues", description="Set the lines of the single-frame cues."
    )
    parser.add_argument("assets", type=Path, help=f"folder with data/pad, data/video, {FACES} and models")
    parser.add_argument("--pack", help='its detector, as "insightface:<folder>"; of the assets if not given')
    return parser


if __name__ == "__main__":
    raise SystemExit(main())
