"""Reads the live presentations: labelled images and clips, and photos."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from evaluation.match.photos import path_inside, read_rows
from evaluation.pad import PadSample, SampleKind, read_dataset, without_unusable
from evaluation.pad.dataset import PadLabel
from liveness.express import FrameCues, measure_frame_cues
from liveness.express.cues import summarise_cue
from liveness.express.frame_cues import FRAME_CUES
from vision.face import BgrImage
from vision.packs import FaceDetector

__all__ = ["FACES", "Presentation", "frames_of_clip", "live_presentations"]

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
        sample: Its label and its source.
        values: Median of each cue over the frames, by name; cues that were not measured are missing.
    """

    sample: PadSample
    values: dict[str, float]


def live_presentations(assets: Path, detector: FaceDetector) -> Iterator[Presentation]:
    """Yield the presentations one at a time; those without a face are omitted.

    Args:
        assets: Folder with ``data/pad``, ``data/video`` and ``data/faces``, each with its manifest.
        detector: Finds the faces.

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
        path: The clip.
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
