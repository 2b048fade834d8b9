"""Reads the presentations of the study: labelled images and clips, live photos, simulated media."""

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

import cv2
import numpy as np

from evaluation.match.photos import path_inside, read_rows
from evaluation.pad import PadSample, SampleKind, read_dataset, without_unusable
from evaluation.pad.dataset import PadLabel
from liveness import FaceExtent
from liveness.express import FrameCues, measure_frame_cues
from liveness.express.cue_summary import summarise_cue
from liveness.express.frame_cues import FRAME_CUES
from research.frame_cues.dots import photographed, printed
from research.liveness_fusion.large_faces import large_faces
from simulator import ScanKind, SceneSettings, builtin_photo_names, builtin_photos, simulate_scan
from vision.face import BgrImage
from vision.packs import FaceDetector

__all__ = ["FACES", "SIMULATED", "Presentation", "Sort", "frames_of_clip", "presentations"]

FACES = "data/faces"
"""Source name of the live photos."""

SIMULATED = "simulated"
"""Source name of the project's simulator, whose genuine scans are its live presentations."""

_PRINTED = "simulated dots"
_FRAMES = 4
"""Number of frames of a clip or a simulated scan, as in a scan's measurement of cues."""

_LONGEST_SIDE = 1280
"""Largest side of a clip's frame, because phones send no larger frames."""

_KINDS = {
    ScanKind.GENUINE: "",
    ScanKind.WAVED_PHOTO: "print",
    ScanKind.STATIC_PHOTO: "print",
    ScanKind.SCREEN_REPLAY: "screen",
}
_SIMULATED_PHOTOS = 5
_DOTTED_PHOTOS = 16
_PITCHES = (2.6, 5.0)
_DOTTED_FACE = 200.0
_LEAST_FACE = 150.0
_GREY = 2.0


@dataclass(frozen=True, slots=True)
class Presentation:
    """One image, clip or simulated scan, with its cues.

    Attributes:
        sample: Its label and its source.
        values: Median of each cue over the frames, by name; cues that were not measured are missing.
    """

    sample: PadSample
    values: dict[str, float]


class Sort(StrEnum):
    """The kinds of presentations."""

    PICTURES = "pictures"
    """Labelled images, live and attacks."""
    CLIPS = "clips"
    """Labelled clips, live and attacks."""
    PHOTOS = "photos"
    """Colour photos of live persons."""
    SCANS = "scans"
    """Simulated scans, genuine and attacks."""
    DOTS = "dots"
    """Photos, plain and printed with dots."""


def presentations(
    assets: Path, detector: FaceDetector, *, sorts: Collection[Sort] = tuple(Sort)
) -> Iterator[Presentation]:
    """Yield the presentations one at a time; those without a face are omitted.

    Args:
        assets: Folder with ``data/pad``, ``data/video`` and ``data/faces``, each with its manifest.
        detector: Finds the faces.
        sorts: The kinds of presentations.

    Raises:
        DatasetError: A data set of attacks cannot be read.
        PhotoListError: The list of photos cannot be read.
        ModelFailed: The detector failed.
    """
    for sort, folder in ((Sort.PICTURES, "data/pad"), (Sort.CLIPS, "data/video")):
        if sort in sorts:
            for sample in without_unusable(read_dataset(assets / folder)):
                yield from _measured(sample, _frames(sample), detector)
    if Sort.PHOTOS in sorts:
        for sample in _live_photos(assets / FACES):
            yield from _measured(sample, _colour(_frames(sample)), detector)
    if Sort.SCANS in sorts:
        yield from _simulated(detector)
    if Sort.DOTS in sorts:
        yield from _dotted(assets, detector)


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


def _simulated(detector: FaceDetector) -> Iterator[Presentation]:
    for seed, name in enumerate(builtin_photo_names()[:_SIMULATED_PHOTOS]):
        photo = builtin_photos(names=(name,))[name]
        for kind, species in _KINDS.items():
            settings = SceneSettings(kind=kind, seed=seed, seconds=0.3)
            frames = [frame.pixels for frame in simulate_scan(photo, settings)]
            chosen = (frames[at] for at in np.linspace(0, len(frames) - 1, _FRAMES).astype(int))
            yield from _measured(_made(SIMULATED, name, species), chosen, detector)


def _dotted(assets: Path, detector: FaceDetector) -> Iterator[Presentation]:
    rng = np.random.default_rng(20261120)
    for name, image, extent in large_faces(assets, detector, count=_DOTTED_PHOTOS, least_width=_LEAST_FACE):
        photo = _framed(image, extent)
        yield from _measured(_made(_PRINTED, name, ""), iter([photographed(photo, rng=rng)]), detector)
        for pitch in _PITCHES:
            roll = float(rng.uniform(-8, 8))
            dots = printed(photo, pitch=pitch, roll=roll, rng=rng)
            yield from _measured(_made(_PRINTED, name, "print"), iter([dots]), detector)


def _framed(image: BgrImage, extent: FaceExtent) -> BgrImage:
    """Return the face, 200 pixels wide, in a frame of 320 x 400."""
    scale = _DOTTED_FACE / extent.width
    to_frame = np.array([[scale, 0, 160 - scale * extent.x], [0, scale, 200 - scale * extent.y]])
    return np.asarray(
        cv2.warpAffine(image, to_frame, (320, 400), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT),
        np.uint8,
    )


def _made(source: str, identity: str, species: str) -> PadSample:
    return PadSample(
        path=Path(source),
        label=PadLabel.ATTACK if species else PadLabel.LIVE,
        species=species,
        source=source,
        identity=identity,
        session=identity,
        usable=True,
        variety=species,
    )
