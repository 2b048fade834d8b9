"""Sets the lines of the single-frame cues, the ``CueLine``s in ``liveness/express/settings.py``.

::

    python -m lab.studies.frame_cues ASSETS [--pack insightface:DIR]

Measures every cue on the labelled live images and clips and on colour photos of persons, as a scan does: the
median of up to four frames. Prints, for each cue, the line beyond which at most one in twenty of any source's
live presentations lie, beside the shipped one, and for each source the median and the share beyond the
shipped line. Sources are never mixed, because they differ in camera and place, not in life.
"""

import argparse
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import track
from rich.table import Table

from lab.evaluation import Proportion
from lab.evaluation.binomial import proportion
from lab.evaluation.match import PhotoListError
from lab.evaluation.match.photos import path_inside, read_rows
from lab.evaluation.pad import PadSample, SampleKind, read_dataset, without_unusable
from lab.evaluation.pad.dataset import DatasetError, PadLabel
from liveness.express import ExpressSettings, FrameCues, measure_frame_cues
from liveness.express.cues import score_of_cue, summarise_cue
from liveness.express.frame_cues import FRAME_CUES
from liveness.express.settings import CueLine
from vision.errors import VisionError
from vision.face import BgrImage
from vision.packs import FaceDetector, load_pack

FACES = "data/faces"
"""Source name of the live photos."""

_FRAMES = 4
"""Number of frames of a clip, as in a scan's measurement of cues."""

_LONGEST_SIDE = 1280
"""Largest side of a clip's frame, because phones send no larger frames."""

_GREY = 2.0


@dataclass(frozen=True, slots=True)
class Presentation:
    """One image or clip of a living person, with its cues.

    Attributes:
        values: Median of each cue over the frames, by name; cues that were not measured are missing.
    """

    sample: PadSample
    values: dict[str, float]


def live_presentations(assets: Path, detector: FaceDetector) -> Iterator[Presentation]:
    """Yield the presentations one at a time; those without a face are omitted.

    Args:
        assets: Folder with ``data/pad``, ``data/video`` and ``data/faces``, each with its manifest.

    Raises:
        DatasetError: Labelled images or clips cannot be read.
        PhotoListError: The list of photos cannot be read.
        ModelFailed: The detector failed.
    """
    for folder in ("data/pad", "data/video"):
        for sample in without_unusable(read_dataset(assets / folder)):
            if sample.live:
                yield from _measured(sample, _frames(sample), detector)
    for sample in _live_photos(assets / FACES):
        yield from _measured(sample, _colour(_frames(sample)), detector)


def frames_of_clip(path: Path, *, count: int) -> Iterator[BgrImage]:
    """Yield frames at even distances over a clip; none if it cannot be decoded.

    Args:
        count: Largest number of frames.
    """
    capture = cv2.VideoCapture(str(path))
    length = int(capture.get(cv2.CAP_PROP_FRAME_COUNT))
    wanted = set(np.linspace(0, max(0, min(length, 450) - 1), count + 2).astype(int)[1:-1].tolist())
    for at in range(max(wanted) + 1):
        if not capture.grab():
            break
        if at in wanted:
            ok, image = capture.retrieve()
            if ok:
                yield np.asarray(image, np.uint8)
    capture.release()


def _measured(
    sample: PadSample, frames: Iterator[BgrImage], detector: FaceDetector
) -> Iterator[Presentation]:
    cues: list[FrameCues] = []
    for index, image in enumerate(frames):
        faces = detector.detect(image)
        if faces:
            cues.append(measure_frame_cues(image, faces[0], frame_index=index))
    if cues:
        found = {name: summarise_cue(cues, name) for name in FRAME_CUES}
        yield Presentation(
            sample=sample,
            values={name: summary.value for name, summary in found.items() if summary is not None},
        )


def _frames(sample: PadSample) -> Iterator[BgrImage]:
    if sample.kind is SampleKind.CLIP:
        for frame in frames_of_clip(sample.path, count=_FRAMES):
            yield _shortened(frame)
        return
    image = cv2.imread(str(sample.path), cv2.IMREAD_COLOR)
    if image is not None:
        yield np.asarray(image, np.uint8)


def _shortened(image: BgrImage) -> BgrImage:
    shrink = _LONGEST_SIDE / max(image.shape)
    if shrink >= 1:
        return image
    size = round(image.shape[1] * shrink), round(image.shape[0] * shrink)
    return np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), np.uint8)


def _live_photos(folder: Path) -> list[PadSample]:
    """Read photos of one person each, from many cameras and often edited for the web."""
    _, rows = read_rows(folder / "manifest.csv", needed=("file", "label", "identity", "usable"))
    return [
        PadSample(
            path=path_inside(folder, row["file"], where=row["file"]),
            label=PadLabel.LIVE,
            species="",
            source=FACES,
            identity=row["identity"],
            session=row["identity"] or row["file"],
            usable=True,
        )
        for row in rows
        if row["label"] == "bona_fide" and row["usable"] == "1"
    ]


def _colour(frames: Iterator[BgrImage]) -> Iterator[BgrImage]:
    for frame in frames:
        if float(cv2.mean(cv2.absdiff(frame[..., 0], frame[..., 2]))[0]) >= _GREY:
            yield frame


_CONFIDENCE = 0.95
_FEWEST_FOR_LINE = 20
"""Least number of live presentations of a source that sets a line by itself."""

_WRONGED = 0.05


@dataclass(frozen=True, slots=True)
class SourceLevel:
    """One cue on the live presentations of one source.

    Attributes:
        live: Number of presentations in which it was measured.
        wronged: Share beyond the line, and its bounds for independent trials.
    """

    source: str
    live: int
    median: float
    wronged: Proportion | None


def live_levels(measured: Sequence[Presentation], cue: str, lines: CueLine) -> list[SourceLevel]:
    """Measure the cue on each source's live presentations, the source with most of them first.

    A source without a live presentation that has the cue is left out.

    Args:
        lines: The cue's line, beyond which a presentation counts as wronged.
    """
    with_cue = [each for each in measured if cue in each.values]
    found = []
    for source in sorted({each.sample.source for each in with_cue}):
        here = [each for each in with_cue if each.sample.source == source]
        found.append(
            SourceLevel(
                source=source,
                live=len(here),
                median=float(np.median([each.values[cue] for each in here])),
                wronged=_beyond([score_of_cue(each.values[cue], lines) for each in here]),
            )
        )
    return sorted(found, key=lambda level: -level.live)


def suggested_line(groups: Sequence[NDArray[np.float64]], *, higher_is_attack: bool) -> CueLine:
    """Return a line beyond which lie at most 1 in 20 of the live presentations of each group.

    Its ``live`` is the median of the groups' medians.

    Args:
        groups: Values of live presentations, by source. Groups of fewer than twenty are combined, and left
            out if they are fewer than twenty even together.
        higher_is_attack: Whether attacks are above the line.

    Raises:
        ValueError: No group has twenty values, not even the combined one.
    """
    large = [group for group in groups if group.size >= _FEWEST_FOR_LINE]
    small = [group for group in groups if group.size < _FEWEST_FOR_LINE]
    if small and sum(group.size for group in small) >= _FEWEST_FOR_LINE:
        large.append(np.concatenate(small))
    if not large:
        raise ValueError("no group of live presentations is large enough to set a line")
    if higher_is_attack:
        line = max(float(np.quantile(group, 1 - _WRONGED)) for group in large)
    else:
        line = min(float(np.quantile(group, _WRONGED)) for group in large)
    return CueLine(line=line, live=float(np.median([np.median(group) for group in large])))


def _beyond(scores: Sequence[float]) -> Proportion | None:
    return proportion(sum(score < 0.5 for score in scores), len(scores), confidence=_CONFIDENCE)


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
        prog="python -m lab.studies.frame_cues", description="Set the lines of the single-frame cues."
    )
    parser.add_argument("assets", type=Path, help=f"folder with data/pad, data/video, {FACES} and models")
    parser.add_argument("--pack", help='its detector, as "insightface:<folder>"; of the assets if not given')
    return parser


if __name__ == "__main__":
    raise SystemExit(main())
