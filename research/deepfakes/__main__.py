"""Compares deepfake files with live clips by marks of a swapped face.

::

    python -m research.deepfakes <assets> --pack open:<assets>/models [--sent]

Measures marks of a swapped face that need no trained weights, on one stretch of 3 seconds of each live clip
and each deepfake file of ``data/video`` and ``data/video_more``: differences between the face's inside and
the skin around it, disagreement of the eyes' highlights, and flicker of identity, landmarks and pixels.
Prints for each mark the area under the curve over clips with an exact test, the deepfakes that are found by a
line that was set on the other sources, and the values of sources that have both. ``--sent`` measures frames
of 640 pixels encoded as JPEG, as a server receives them, and not those that the file stores. ``--drawn`` puts
the live clips, with half of the detail within the face, in place of the deepfakes: a test of the marks.
"""

import argparse
import csv
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import track
from rich.table import Table
from scipy.stats import mannwhitneyu

from evaluation.binomial import proportion
from evaluation.pad.metrics import area_under_curve
from evaluation.sent import as_sent
from research.deepfakes.flicker import SeenFace, time_marks
from research.deepfakes.frame_marks import eye_highlights, frame_marks
from research.deepfakes.regions import drawn_swap, regions_of
from research.liveness_fairness.compare import holm
from vision.errors import VisionError
from vision.face import BgrImage
from vision.packs import Pack, load_pack
from vision.pose import estimate_pose

__all__ = ["main"]

_DEEPFAKE = "deepfake"
_FRAMES = 48
_RATE = 16.0
_EACH = 3
"""Every third frame gives the marks of single frames and a template."""


@dataclass(frozen=True, slots=True)
class _Clip:
    """One measured clip: its file, its source, whether it is live, and its marks."""

    name: str
    source: str
    live: bool
    marks: Mapping[str, float]


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
            for clip in _measured(path, row, pack, sent=options.sent, drawn=options.drawn)
        ]
    except (VisionError, OSError, KeyError) as error:
        sys.stderr.write(f"could not measure: {error}\n")
        return 2
    console = Console(width=150)
    console.print(_separation(clips, attacks="drawn swaps" if options.drawn else "deepfake files"))
    if not options.drawn:
        console.print(_pairs(clips))
    return 0


def _measured(path: Path, row: Mapping[str, str], pack: Pack, *, sent: bool, drawn: bool) -> Iterator[_Clip]:
    live = row["label"] == "live"
    if live or not drawn:
        yield _Clip(path.name, row["source_repo"], live, _marks(path, pack, sent=sent, drawn=False))
    if live and drawn:
        yield _Clip(path.name, row["source_repo"], False, _marks(path, pack, sent=sent, drawn=True))


def _listed(assets: Path) -> Iterator[tuple[Path, dict[str, str]]]:
    for folder in (assets / "data/video", assets / "data/video_more"):
        if (folder / "manifest.csv").exists():
            with (folder / "manifest.csv").open(encoding="utf-8", newline="") as stream:
                for row in csv.DictReader(stream):
                    if row["label"] == "live" or row["attack_type"] == _DEEPFAKE:
                        yield folder / row["file"], row


def _frames(path: Path, *, sent: bool) -> Iterator[BgrImage]:
    """Yield frames of one stretch, about ``_RATE`` a second."""
    capture = cv2.VideoCapture(str(path))
    native = capture.get(cv2.CAP_PROP_FPS)
    step = max(1, round((native if 5 <= native <= 100 else 30.0) / _RATE))
    for at in range(step * _FRAMES):
        ok, image = capture.read()
        if not ok:
            break
        if at % step == 0:
            yield as_sent(np.asarray(image, np.uint8)) if sent else np.asarray(image, np.uint8)
    capture.release()


def _marks(path: Path, pack: Pack, *, sent: bool, drawn: bool) -> dict[str, float]:
    """Return the marks of a deepfake in a clip, by name: medians over its frames, and marks over time.

    A mark that could not be measured is missing. With ``sent``, frames are compressed as a device does; with
    ``drawn``, a face swap is drawn into each frame.
    """
    faces: list[SeenFace] = []
    found: dict[str, list[float]] = {}
    for number, frame in enumerate(_frames(path, sent=sent)):
        image = frame
        detected = pack.detector.detect(image)
        landmarks = pack.landmarker.locate(image, detected[0]) if detected and pack.landmarker else None
        pose = None if landmarks is None else estimate_pose(landmarks, (image.shape[1], image.shape[0]))
        if landmarks is None or pose is None:
            continue
        if drawn:
            image = drawn_swap(image, landmarks.points)
        chosen = number % _EACH == 0
        template = pack.embedder.embed(image, detected[0]) if chosen else None
        faces.append(SeenFace(number, image, landmarks.points, pose, template))
        regions = regions_of(image, landmarks.points) if chosen else None
        marks = {} if regions is None else frame_marks(image, regions)
        if chosen:
            marks |= eye_highlights(image, landmarks.points)
        for name, value in marks.items():
            found.setdefault(name, []).append(value)
    return {name: float(np.median(values)) for name, values in found.items()} | time_marks(faces)


def _separation(clips: Sequence[_Clip], *, attacks: str) -> Table:
    live = sum(clip.live for clip in clips)
    fakes = len(clips) - live
    table = Table(
        "mark",
        "live, deepfakes",
        "AUC (above 0.5: higher in deepfakes)",
        "p",
        "adjusted p",
        "beyond all live",
        "left out: deepfakes found",
        "live beyond the line",
        title=f"{live} live clips, {fakes} {attacks}",
    )
    rows = []
    for name in _names(clips):
        values = {is_live: _values(clips, name, live=is_live) for is_live in (True, False)}
        if values[True].size and values[False].size:
            test = mannwhitneyu(values[False], values[True], method="exact")
            rows.append((name, values, area_under_curve(values[False], values[True]), float(test.pvalue)))
    for (name, values, auc, p), adjusted in zip(rows, holm([row[3] for row in rows]), strict=True):
        sign = 1 if auc > 0.5 else -1
        beyond = int((sign * values[False] > (sign * values[True]).max()).sum())
        caught, alarms = _left_out(clips, name)
        table.add_row(
            name,
            f"{values[True].size}, {values[False].size}",
            f"{auc:.2f}",
            f"{p:.3f}",
            f"{adjusted:.3f}",
            str(beyond),
            caught,
            alarms,
        )
    return table


def _names(clips: Sequence[_Clip]) -> list[str]:
    return list(dict.fromkeys(name for clip in clips for name in clip.marks))


def _values(clips: Sequence[_Clip], name: str, *, live: bool) -> NDArray[np.float64]:
    return np.array([clip.marks[name] for clip in clips if clip.live is live and name in clip.marks])


def _left_out(clips: Sequence[_Clip], name: str) -> tuple[str, str]:
    """Judge each source by the line and the direction that separate the other sources best."""
    caught, alarms, fakes, live = 0, 0, 0, 0
    measured = [clip for clip in clips if name in clip.marks]
    for source in {clip.source for clip in measured}:
        others = [clip for clip in measured if clip.source != source]
        real, fake = (_values(others, name, live=is_live) for is_live in (True, False))
        if not real.size or not fake.size:
            continue
        sign, line = max(
            ((sign, line) for sign in (1, -1) for line in np.concatenate([real, fake])),
            key=lambda each: float(
                (each[0] * fake >= each[0] * each[1]).mean() - (each[0] * real >= each[0] * each[1]).mean()
            ),
        )
        for clip in measured:
            if clip.source == source:
                beyond = sign * clip.marks[name] >= sign * line
                fakes, live = fakes + (not clip.live), live + clip.live
                caught, alarms = caught + (beyond and not clip.live), alarms + (beyond and clip.live)
    return _bounded(caught, fakes), _bounded(alarms, live)


def _bounded(hits: int, trials: int) -> str:
    share = proportion(hits, trials, confidence=0.95)
    return "-" if share is None else f"{hits} of {trials} [{share.lower:.0%}, {share.upper:.0%}]"


def _pairs(clips: Sequence[_Clip]) -> Table:
    """Show each deepfake file's values, with the live clip of its source and the range of all live clips."""
    fakes = [clip for clip in clips if not clip.live]
    sources = {clip.source for clip in fakes}
    shown = sorted(
        (clip for clip in clips if clip.source in sources), key=lambda clip: (clip.source, not clip.live)
    )
    table = Table("mark", *(clip.name for clip in shown), "live: 5, 50, 95 %", title="by source")
    for name in _names(clips):
        live = _values(clips, name, live=True)
        spread = " ".join(f"{value:.3f}" for value in np.percentile(live, [5, 50, 95])) if live.size else "-"
        cells = [f"{clip.marks[name]:.3f}" if name in clip.marks else "-" for clip in shown]
        table.add_row(name, *cells, spread)
    return table


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m research.deepfakes", description="Compare deepfake files with live clips."
    )
    parser.add_argument("assets", type=Path, help="folder with data/video and models")
    parser.add_argument("--pack", required=True, help='the models, as "open:<folder>"')
    parser.add_argument("--drawn", action="store_true", help="measure drawn swaps in place of the deepfakes")
    parser.add_argument("--sent", action="store_true", help="measure frames as a server receives them")
    return parser


if __name__ == "__main__":
    sys.exit(main())
