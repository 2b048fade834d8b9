"""Prints the study's table: ``python -m research.face_actions ASSETS PACK CLIPS``.

The line of each action is the largest excursion of a rigid mask made from a clip of ``data/video``; nothing
was set on ``data/video_more``. CLIPS is how many clips of each are measured, spread over the names.
``NOTES.md`` has the figures.
"""

import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from research.face_actions.actions import Action, Verdict, excursion, judge
from research.face_actions.scans import ActionScan, Shown, scans_of
from vision.packs import load_pack

__all__ = ["main"]

_SET_ON, _COUNTED_ON = "video", "video_more"


def main(assets: Path, pack_name: str, clips: int) -> None:
    """Print the excursions of each scan, then the table."""
    pack = load_pack(pack_name)
    scans: dict[str, list[ActionScan]] = {}
    for part in (_SET_ON, _COUNTED_ON):
        scans[part] = []
        for clip in _spread(sorted((assets / "data" / part / "live").iterdir()), clips):
            for scan in scans_of(clip, pack):
                scans[part].append(scan)
                values = (excursion(scan.values[action]) for action in Action)
                shown = " ".join("-" if each is None else f"{each:.2f}" for each in values)
                print(f"{part} {scan.clip} {scan.shown}: {shown}", flush=True)
    for action in Action:
        line = max(_excursions(scans[_SET_ON], Shown.MASK, action))
        print(f"\n{action}: line {line:.2f} cm")
        for part, found in scans.items():
            for shown in Shown:
                print(f"  {part}, {shown}: {_row(found, shown, action, line)}")


def _spread(files: Sequence[Path], count: int) -> list[Path]:
    return [files[at] for at in np.unique(np.linspace(0, len(files) - 1, min(count, len(files))).astype(int))]


def _excursions(scans: Sequence[ActionScan], shown: Shown, action: Action) -> list[float]:
    found = (excursion(scan.values[action]) for scan in scans if scan.shown is shown)
    return [each for each in found if each is not None]


def _row(scans: Sequence[ActionScan], shown: Shown, action: Action, line: float) -> str:
    verdicts = [judge(scan.values[action], line) for scan in scans if scan.shown is shown]
    counts = ", ".join(f"{verdicts.count(verdict)} {verdict}" for verdict in Verdict)
    found = _excursions(scans, shown, action)
    if not found:
        return counts
    return f"{counts}; median {np.median(found):.2f} cm, {min(found):.2f} to {max(found):.2f}"


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]))
