"""The source of `facegate verify --simulate`: a simulated person or attacker, made from one photo.

Needs the `embedded` extra, for its landmarks.
"""

from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path

from facegate_client import FrameSource, Pixels, SourceError, generated_source
from formats.image_format import ImageFormat
from matcher import TrustedImageRefused
from matcher.records import Representations, open_trusted_image
from simulator import (
    FlashKind,
    FlashScanSettings,
    Photo,
    ScanKind,
    SceneSettings,
    SimulatorError,
    photo_from_image,
    simulate_scan,
)
from simulator.phone.knobs import apply_changes
from simulator.phone.phone import SimulatedPhone
from vision import packs
from vision.errors import VisionError
from vision.face import BgrImage, DetectedFace
from vision.image import DecodeLimits, decode_image
from vision.isolation.pool import DecoderPool

__all__ = ["flash_settings", "needs_screen", "open_simulated", "open_simulated_phone", "scan_settings"]

_PHOTO_BYTES = 20_000_000
_SECONDS = 8.0
_FLASH_SECONDS = 60.0
"""Enough for several attempts; frames are made only on demand."""


def needs_screen(kind: str) -> bool:
    """Returns whether a kind concerns the screen's light, and so needs a phone with a screen."""
    return kind not in set(ScanKind) and kind in set(FlashKind)


def scan_settings(kind: ScanKind, *, seed: int) -> SceneSettings:
    """Returns the default settings of a simulated scan without a flash."""
    return SceneSettings(kind=kind, seed=seed, seconds=_SECONDS)


def flash_settings(kind: FlashKind, *, seed: int) -> FlashScanSettings:
    """Returns the default settings of a simulated scan with a flash."""
    return FlashScanSettings(kind=kind, seed=seed, seconds=_FLASH_SECONDS)


def open_simulated(kind: str, photo: Path, *, seed: int, knobs: Sequence[str] = ()) -> FrameSource:
    """Simulates a person or an attacker in front of a camera.

    Args:
        kind: A `simulator.ScanKind`, such as ``genuine`` or ``waved-photo``.
        photo: A photo with one large face, or a facial record with such a photo.
        seed: Seed of the differences between scans.
        knobs: ``NAME=VALUE`` each.

    Raises:
        SourceError: There is no such kind or knob, or no head can be made from the photo.
    """
    _check(kind, [known.value for known in ScanKind])
    settings = apply_changes(scan_settings(ScanKind(kind), seed=seed), knobs)
    person = _person(photo)

    def frames() -> Iterator[tuple[Pixels, float]]:
        for frame in simulate_scan(person, settings):
            yield frame.pixels, frame.capture_time

    return generated_source(frames(), label=f"simulated {kind}", frames_per_second=settings.frames_per_second)


def open_simulated_phone(kind: str, photo: Path, *, seed: int, knobs: Sequence[str] = ()) -> SimulatedPhone:
    """Simulates a person or an attacker in front of a phone with a screen that can flash.

    Args:
        kind: A `simulator.FlashKind`, such as ``genuine`` or ``injected-tint``.
        photo: As for ``open_simulated``.
        seed: Seed of the differences between scans.
        knobs: ``NAME=VALUE`` each.

    Raises:
        SourceError: As for ``open_simulated``.
    """
    _check(kind, [known.value for known in FlashKind])
    settings = apply_changes(flash_settings(FlashKind(kind), seed=seed), knobs)
    return SimulatedPhone.in_hand(_person(photo), settings, find_faces=_find_faces)


def _find_faces(picture: BgrImage) -> tuple[DetectedFace, ...]:
    """Detects the person's face on the screen."""
    return tuple(_embedded().detector.detect(picture))


@cache
def _embedded() -> packs.Pack:
    return packs.load_pack("embedded")


def _check(kind: str, known: Sequence[str]) -> None:
    if kind not in known:
        raise SourceError(f"{kind!r} cannot be simulated; known: {', '.join(known)}")


def _person(photo: Path) -> Photo:
    try:
        content = open_trusted_image(
            photo.read_bytes(), representations=Representations.FIRST, max_bytes=_PHOTO_BYTES
        )
        with DecoderPool() as decoder:
            decoded = decode_image(
                content.image,
                limits=DecodeLimits(max_bytes=_PHOTO_BYTES, max_pixels=50_000_000, max_side=12_000),
                formats=frozenset(ImageFormat),
                honour_exif_orientation=True,
                still_decoder=decoder,
            )
        pack = _embedded()
        if pack.landmarker is None:
            raise SourceError("the embedded pack has no landmarks, which a simulated head needs")
        return photo_from_image(decoded.pixels, detector=pack.detector, landmarker=pack.landmarker)
    except OSError as error:
        raise SourceError(f"the photo {photo} cannot be read: {error.strerror}") from error
    except (VisionError, SimulatorError, TrustedImageRefused) as error:
        raise SourceError(f"no person can be simulated from {photo}: {error}") from error
