"""The checks to run: portraits and scans of the development data, with the correct outcome.

A clip's portrait is a frame of the same clip from well before the scanned window, or of another
person's clip. That is easier than a document photo: it tests whether the main path works on real
faces, and does not measure how well the matcher separates people.
"""

import csv
from collections.abc import Iterator
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
    RIGID_MASK = "rigid mask of the person, simulated scan"


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


def clip_cases(folder: Path) -> list[ClipCase]:
    """Return each live clip with its own portrait and with another person's, and each attack clip.

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


def portrait_frames(clip: Path) -> Iterator[BgrImage]:
    """Yield frames of the clip's beginning that can be a portrait, first choice first."""
    for image, time in _frames(clip, 0.0):
        if time > _SCAN_FROM:
            return
        if time >= _PORTRAIT_AT:
            yield image


def scan_frames(clip: Path) -> Iterator[tuple[BgrImage, float]]:
    """Yield the scanned window of a clip as (image, seconds), scaled down as on a phone."""
    for image, time in _frames(clip, _SCAN_FROM):
        if time > _SCAN_FROM + SCAN_SECONDS:
            return
        scale = _LONGEST_SIDE / max(image.shape[:2])
        small = (
            image if scale >= 1 else cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
        )
        yield small.astype(image.dtype, copy=False), time


def enlarged(image: BgrImage, factor: float) -> BgrImage:
    """Return an enlarged image, for portraits with too small an eye distance."""
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
