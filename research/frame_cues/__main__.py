"""Measures the single-frame cues, source by source.

::

    python -m research.frame_cues ASSETS [--pack insightface:DIR] [--json FILE] [--only SORT ...]

Measures every cue on the labelled images and clips, the colour photos of live persons and the simulated
media, as a scan does: the median of up to four frames. Prints, for each cue, its area under the curve (AUC)
by source and species with bounds from draws of persons or sittings, the share of attacks beyond its line,
and the share of live presentations of each source beyond it. Sources are never mixed, because they differ in
camera and place, not in life. ``--json`` writes the values.
"""

import argparse
import json
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
from evaluation.pad import Bootstrap
from evaluation.pad.errors import DatasetError
from liveness.express import ExpressSettings
from liveness.express.frame_cues import FRAME_CUES
from liveness.express.settings import CueLine
from research.frame_cues.presentations import FACES, SIMULATED, Presentation, Sort, presentations
from research.frame_cues.separation import Separation, live_levels, separations, suggested_line
from research.frame_cues.timing import milliseconds
from vision.errors import VisionError
from vision.packs import load_pack

__all__ = ["main"]

_BOOTSTRAP = Bootstrap(resamples=1000, confidence=0.95, seed=1)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; return 0, or 2 with one line on stderr if it could not measure."""
    options = _parser().parse_args(arguments)
    # One thread, as in a scan, in which whole frames are processed in parallel.
    cv2.setNumThreads(1)
    try:
        pack = load_pack(options.pack or f"insightface:{options.assets / 'models'}")
        measured = list(
            track(
                presentations(options.assets, pack.detector, sorts=options.only),
                description="presentations",
                console=Console(stderr=True),
            )
        )
    except (DatasetError, PhotoListError, VisionError, OSError) as error:
        sys.stderr.write(f"could not measure: {error}\n")
        return 2
    if options.json is not None:
        options.json.write_text(json.dumps([_row(each) for each in measured], indent=1), encoding="utf-8")
    console = Console(width=130)
    settings = ExpressSettings()
    for cue in FRAME_CUES:
        _print(console, cue, getattr(settings, cue), measured)
    _print_timing(console)
    return 0


def _row(each: Presentation) -> dict[str, object]:
    sample = each.sample
    return {
        "file": sample.path.name,
        "source": sample.source,
        "species": sample.species,
        "group": sample.group,
        "values": each.values,
    }


def _print(console: Console, cue: str, lines: CueLine, measured: Sequence[Presentation]) -> None:
    attacks_above = lines.line > lines.live
    real = [each for each in measured if each.sample.live and not each.sample.source.startswith(SIMULATED)]
    sources = sorted({each.sample.source for each in real})
    values = [
        np.array([each.values[cue] for each in real if each.sample.source == name and cue in each.values])
        for name in sources
    ]
    filled = [each for each in values if each.size]
    fitted = suggested_line(filled, higher_is_attack=attacks_above) if filled else lines
    side = "above" if attacks_above else "below"
    table = Table(
        "source",
        "species",
        "live / attacks / not measured",
        "AUC",
        f"attacks {side} the line",
        title=f"{cue}: line {lines.line:g} (fitted here: {fitted.line:.3g}), "
        f"live {lines.live:g} (fitted here: {fitted.live:.3g})",
    )
    for each in separations(measured, cue, lines, bootstrap=_BOOTSTRAP):
        table.add_row(
            each.source,
            each.species,
            f"{each.live} / {each.attacks} / {each.missing}",
            _auc(each),
            _share(each.caught),
        )
    table.add_section()
    for level in live_levels(measured, cue, lines):
        table.add_row(
            level.source, "live", f"{level.live}", f"median {level.median:.2f}", _share(level.wronged)
        )
    console.print(table)


def _auc(each: Separation) -> str:
    if each.bounds is None:
        return f"{each.auc:.2f}"
    return f"{each.auc:.2f} ({each.bounds.lower:.2f} to {each.bounds.upper:.2f})"


def _share(found: Proportion | None) -> str:
    if found is None:
        return "-"
    return f"{found.hits} of {found.trials}, {found.rate:.0%} ({found.lower:.0%} to {found.upper:.0%})"


def _print_timing(console: Console) -> None:
    table = Table(
        "cue", "ms", title="CPU time on one thread, a frame of 640 x 480 with a face 200 pixels wide"
    )
    for name, spent in milliseconds().items():
        table.add_row(name, f"{spent:.2f}")
    console.print(table)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m research.frame_cues", description="Measure the single-frame cues of recapture."
    )
    parser.add_argument("assets", type=Path, help=f"folder with data/pad, data/video, {FACES} and models")
    parser.add_argument("--pack", help='its detector, as "insightface:<folder>"; of the assets if not given')
    parser.add_argument("--json", type=Path, help="where to write the values")
    parser.add_argument(
        "--only", nargs="+", type=Sort, choices=tuple(Sort), default=tuple(Sort), help="what to measure"
    )
    return parser


if __name__ == "__main__":
    raise SystemExit(main())
