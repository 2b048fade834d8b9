"""The checks to run: portraits and scans of the development data, with the correct outcome.

A clip's portrait is a frame of the same clip from well before the scanned window, or of another
person's clip. That is easier than a document photo: it tests whether the main path works on real
faces, and does not measure how well the matcher separates people.
"""

import csv
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

import cv2

from vision.face import BgrImage

SCAN_SECONDS = 6.0
"""Longest part of a clip that a scan uses."""

_PORTRAIT_AT = 0.3
_SCAN_FROM = 1.0
_LONGEST_SIDE = 640


class CaseKind(StrEnum):
    """The kind of a case."""

    GENUINE_CLIP = "genuine clip"
    IMPOSTOR_CLIP = "impostor clip"
    ATTACK_CLIP = "attack clip"
    GENUINE_PHOTO = "genuine photo, simulated scan"
    IMPOSTOR_PHOTO = "impostor photo, simulated scan"


@dataclass(frozen=True, slots=True)
class ClipCase:
    """A check with a recorded clip as its scan.

    Attributes:
        portrait: Clip with the portrait.
        scan: Clip that is scanned.
        attack: The manifest's attack type; empty for a live clip.
    """

    kind: CaseKind
    portrait: Path
    scan: Path
    attack: str


@dataclass(frozen=True, slots=True)
class PhotoCase:
    """A check with a scan that the simulator makes from a photo.

    Attributes:
        scan: Photo for the simulated scan.
    """

    kind: CaseKind
    portrait: Path
    scan: Path


def clip_cases(folder: Path) -> list[ClipCase]:
    """Returns each live clip with its own portrait and with another person's, and each attack clip.

    Args:
        folder: Folder with ``manifest.csv``, ``live`` and ``spoof``.
    """
    with (folder / "manifest.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    live = sorted(folder / row["file"] for row in rows if row["label"] == "live")
    cases = [ClipCase(CaseKind.GENUINE_CLIP, clip, clip, "") for clip in live]
    cases += [
        ClipCase(CaseKind.IMPOSTOR_CLIP, other, clip, "")
        for clip, other in zip(live, [*live[3:], *live[:3]], strict=True)
    ]
    cases += [
        ClipCase(CaseKind.ATTACK_CLIP, folder / row["file"], folder / row["file"], row["attack_type"])
        for row in rows
        if row["label"] == "spoof"
    ]
    return cases


def photo_cases(folder: Path, *, least_face_width: int, people: int) -> list[PhotoCase]:
    """Returns genuine and impostor pairs of photos with faces large enough for a portrait.

    Args:
        folder: Folder with ``manifest.csv``.
        least_face_width: Least width of the detected face in pixels.
        people: Number of identities, in alphabetical order.
    """
    with (folder / "manifest.csv").open(newline="") as file:
        rows = [
            row
            for row in csv.DictReader(file)
            if row["usable"] == "1" and row["identity"] and float(row["face_w_px"] or 0) >= least_face_width
        ]
    photos: dict[str, list[Path]] = {}
    for row in sorted(rows, key=lambda row: row["file"]):
        photos.setdefault(row["identity"], []).append(folder / row["file"])
    pairs = [files[:2] for _, files in sorted(photos.items()) if len(files) > 1][:people]
    cases = [PhotoCase(CaseKind.GENUINE_PHOTO, first, second) for first, second in pairs]
    cases += [
        PhotoCase(CaseKind.IMPOSTOR_PHOTO, pair[0], other[1])
        for pair, other in zip(pairs, [*pairs[1:], *pairs[:1]], strict=True)
    ]
    return cases


def portrait_frames(clip: Path) -> Iterator[BgrImage]:
    """Yields frames of the clip's beginning that can be a portrait, first choice first."""
    for image, time in _frames(clip, 0.0):
        if time > _SCAN_FROM:
            return
        if time >= _PORTRAIT_AT:
            yield image


def scan_frames(clip: Path) -> Iterator[tuple[BgrImage, float]]:
    """Yields the scanned window of a clip as (image, seconds), scaled down as on a phone."""
    for image, time in _frames(clip, _SCAN_FROM):
        if time > _SCAN_FROM + SCAN_SECONDS:
            return
        scale = _LONGEST_SIDE / max(image.shape[:2])
        small = (
            image if scale >= 1 else cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
        )
        yield small.astype(image.dtype, copy=False), time


def enlarged(image: BgrImage, factor: float) -> BgrImage:
    """Returns an enlarged image, for portraits with too small an eye distance."""
    return _resized(image, factor, cv2.INTER_CUBIC)


def _frames(clip: Path, start: float) -> Iterator[tuple[BgrImage, float]]:
    capture = cv2.VideoCapture(str(clip))
    rate = capture.get(cv2.CAP_PROP_FPS) or 25.0
    try:
        index = 0
        while True:
            found, image = capture.read()
            if not found:
                return
            time = index / rate
            index += 1
            if time >= start:
                yield image.astype("uint8", copy=False), time
    finally:
        capture.release()


def _resized(image: BgrImage, factor: float, interpolation: int) -> BgrImage:
    resized = cv2.resize(image, None, fx=factor, fy=factor, interpolation=interpolation)
    return resized.astype(image.dtype, copy=False)


def kinds(cases: Sequence[ClipCase | PhotoCase]) -> list[CaseKind]:
    """Returns the kinds of the cases, in the enum's order."""
    present = {case.kind for case in cases}
    return [kind for kind in CaseKind if kind in present]
