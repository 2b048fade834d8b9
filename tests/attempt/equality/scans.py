"""The scans that are driven: recorded clips, and simulated persons and attackers in both modes."""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from enum import StrEnum
from itertools import islice
from pathlib import Path
from typing import Final

import numpy as np

from research.dynamic.cases import all_cases, claimed_late
from research.dynamic.cases import settings_of as flash_settings
from research.dynamic.drive import USUAL_WIDTH, VirtualPhone
from research.movement import Approacher
from research.movement import Case as MovementCase
from research.movement import settings_of as movement_settings
from research.scan_match.clips import ClipError, SentFrame, read_recording
from simulator import (
    AppGuide,
    FlashScanSettings,
    Geometry,
    Photo,
    ScanKind,
    SceneSettings,
    ScreenLight,
    SimulatedExposure,
    SimulatedFrame,
    simulate_flash_scan,
    simulate_scan,
)
from simulator.photo import builtin_photo_names, builtin_photos
from vision.face import BgrImage
from vision.image import encode_jpeg
from vision.packs import Pack

__all__ = ["ONE_WAY", "Asked", "Coded", "Recorded", "challenge_scans", "clip_scans", "simulated_scans"]

ONE_WAY: Final = 0.025
"""Seconds between phone and server."""
_QUALITY: Final = 88
_FOLDERS: Final = ("video", "video_more")
_FLASH_SECONDS: Final = 20.0
_SMALLEST_SIDE: Final = 200
_SEEDS: Final = 5
_PERSON: Final = "0a1b2c3d4e5f"
_TURNED: Final = 90


class Asked(StrEnum):
    """The challenge of a scan."""

    NOTHING = "NOTHING"
    FLASH = "FLASH"
    MOVEMENT = "MOVEMENT"


@dataclass(frozen=True, slots=True, eq=False)
class Coded:
    """A frame as it is sent.

    Attributes:
        time: Seconds of the device's clock.
        jpeg: The image.
        width: Of the image.
        height: Of the image.
        rotation_degrees: Clockwise rotation that makes it upright, as its header states.
        exposure: The camera's exposure metadata of it.
    """

    time: float
    jpeg: bytes
    width: int
    height: int
    rotation_degrees: int = 0
    exposure: SimulatedExposure | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Recorded:
    """One scan.

    Attributes:
        name: Distinct.
        asked: The challenge of the scan.
        frames: As they are sent; those of a simulated phone are rendered on demand.
        portrait: The portrait with which it is compared.
        phone: The simulated phone that receives actions; ``None`` for a recording.
        seed: The seed of the challenge.
    """

    name: str
    asked: Asked
    frames: Iterator[Coded] = field(repr=False)
    portrait: BgrImage
    phone: VirtualPhone | None = None
    seed: int = 0


def clip_scans(assets: Path, *, seconds: float, most: int) -> Iterator[Recorded]:
    """Windows of every clip, the second of them rotated as a phone's camera delivers it.

    Args:
        assets: Holds the folders of clips.
        seconds: Length of a window.
        most: Maximum number of windows of a clip.
    """
    for folder in _FOLDERS:
        for path in sorted((assets / "data" / folder).glob("*/*")):
            try:
                recording = read_recording(path, seconds=seconds, most=most)
            except ClipError:
                continue
            if min(recording.scans[0][0].pixels().shape[:2]) < _SMALLEST_SIDE:
                continue
            for number, sent in enumerate(recording.scans):
                portrait = (recording.portraits or sent)[0].pixels()
                turns = _TURNED if number == 1 else 0
                # A third scan is rotated and its header does not state it: no upright face is detected.
                says = 0 if number == 2 and len(sent) % 3 == 0 else turns
                turned = turns or (_TURNED if number == 2 and len(sent) % 3 == 0 else 0)
                yield Recorded(
                    f"clip/{path.parent.name}/{path.stem}/{seconds:g}/{number}",
                    Asked.NOTHING,
                    (_turned(frame, turned, says=says) for frame in sent),
                    portrait,
                )


def simulated_scans() -> Iterator[Recorded]:
    """Simulated persons and attackers without a challenge."""
    for name in builtin_photo_names():
        photo = builtin_photos(names=(name,))[name]
        for kind in ScanKind:
            for seed in range(_SEEDS):
                settings = SceneSettings(kind=kind, seed=seed, seconds=5.0, frames_per_second=12.0 + 3 * seed)
                yield Recorded(
                    f"simulated/{kind}/{name}/{seed}",
                    Asked.NOTHING,
                    (_coded(frame) for frame in simulate_scan(photo, settings)),
                    photo.pixels,
                )


def challenge_scans(pack: Pack, *, flashes: int, movements: int) -> Iterator[Recorded]:
    """Simulated scans of a phone that shows colours or ovals.

    Args:
        pack: Finds the landmarks of the photos.
        flashes: Number of scans that show colours.
        movements: Number of scans that show ovals.
    """
    photos = builtin_photos(detector=pack.detector, landmarker=pack.landmarker)
    for case in islice(all_cases(list(photos), turns=1), flashes):
        settings = flash_settings(case, width=240, height=320, rate=15.0)
        settings = replace(settings, seconds=_FLASH_SECONDS)
        phone = _phone(photos[case.person], settings, claimed_late=claimed_late(case, settings))
        seed = int.from_bytes(hashlib.sha256(case.name.encode()).digest()[:4], "big")
        yield Recorded(
            f"flash/{case.name}",
            Asked.FLASH,
            _sent_by(phone),
            photos[case.person].pixels,
            phone,
            seed,
        )
    drawn = ((approacher, geometry) for geometry in Geometry for approacher in Approacher)
    for attempt, (approacher, geometry) in enumerate(islice(drawn, movements)):
        movement = MovementCase(approacher, _PERSON, geometry, attempt)
        settings = movement_settings(movement)
        photo = photos[list(photos)[attempt % len(photos)]]
        phone = _phone(photo, settings, claimed_late=0.0)
        yield Recorded(
            f"movement/{approacher.name}/{geometry}/{attempt}",
            Asked.MOVEMENT,
            _sent_by(phone),
            photo.pixels,
            phone,
            movement.seed,
        )


def _phone(photo: Photo, settings: FlashScanSettings, *, claimed_late: float) -> VirtualPhone:
    light, guide = ScreenLight(settings.phone, seed=settings.seed), AppGuide(seed=settings.seed)
    return VirtualPhone(
        light=light,
        frames=_filmed(photo, settings, light, guide),
        one_way=ONE_WAY,
        person=guide,
        face_width=settings.face_width or USUAL_WIDTH,
        claimed_late=claimed_late,
    )


def _filmed(
    photo: Photo, settings: FlashScanSettings, light: ScreenLight, guide: AppGuide
) -> Iterator[SimulatedFrame]:
    """The scene is prepared when its first frame is requested."""
    yield from simulate_flash_scan(photo, settings, light, guide)


def _sent_by(phone: VirtualPhone) -> Iterator[Coded]:
    return (_coded(frame) for frame in phone.frames if phone.sends(frame.capture_time))


def _coded(frame: SimulatedFrame) -> Coded:
    height, width = frame.pixels.shape[:2]
    return Coded(
        frame.capture_time,
        encode_jpeg(frame.pixels, quality=_QUALITY),
        width,
        height,
        exposure=frame.exposure,
    )


def _turned(frame: SentFrame, degrees: int, *, says: int) -> Coded:
    """A recorded frame from a camera that is rotated by that angle in the opposite direction."""
    pixels = np.rot90(frame.pixels(), degrees // 90)
    height, width = pixels.shape[:2]
    jpeg = frame.jpeg if not degrees else encode_jpeg(np.ascontiguousarray(pixels), quality=_QUALITY)
    return Coded(frame.time, jpeg, width, height, rotation_degrees=says)
