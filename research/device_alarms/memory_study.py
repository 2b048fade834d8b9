"""Measures which copies of a scan the scan memory doubts, and how often it doubts honest second scans."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from typing import Final

import cv2
import numpy as np

from device_integrity import DeviceFinding
from device_integrity.stream import (
    RecalledScan,
    ScanMotion,
    check_similarity,
    frame_layout,
    picture_hash,
    scan_motion,
)
from research.device_alarms.material import Pixels, SentScan, encoded
from simulator import ScanKind, SceneSettings, builtin_photo_names, builtin_photos, simulate_scan
from vision.image import DecodeLimits, decode_jpeg_blocks

__all__ = ["COPIES", "MemoryCounts", "daily_scans", "study_memory"]

_LIMITS: Final = DecodeLimits(max_bytes=2**20, max_pixels=2**21, max_side=2**11)
_QUALITY: Final = 84
_NOISE: Final = 3.0
_COPIED: Final = 2
_DAYS: Final = 12
_DAILY_RATE: Final = 10.0


def _smaller(image: Pixels) -> Pixels:
    small = cv2.resize(image, None, fx=0.97, fy=0.97, interpolation=cv2.INTER_AREA)
    noise = np.random.default_rng(small.size).normal(0, _NOISE, (*small.shape[:2], 1))
    return np.asarray(np.clip(small + noise, 0, 255), np.uint8)


def _cut(image: Pixels, share: float, *, corner: bool = False) -> Pixels:
    """Cut off a share of both sides: evenly, or at the right and below."""
    height, width = image.shape[:2]
    down, across = (0, 0) if corner else (int(height * share / 2), int(width * share / 2))
    return image[down : down + int(height * (1 - share)), across : across + int(width * (1 - share))]


COPIES: Final[Mapping[str, Callable[[Pixels], Pixels]]] = {
    "quality 84": lambda image: image,
    "mirrored": lambda image: image[:, ::-1],
    "97 % of the size, with noise": _smaller,
    "without a margin of 5 %": lambda image: _cut(image, 0.1),
    "without 10 % at the right and below": lambda image: _cut(image, 0.1, corner=True),
    "without a margin of 10 %": lambda image: _cut(image, 0.2),
    "mirrored, without a margin of 3 %, 97 %, with noise": lambda image: _smaller(_cut(image[:, ::-1], 0.06)),
}
"""Alterations of a recording before it is sent again; each is encoded with quality 84."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MemoryCounts:
    """Whether each pair of scans is doubted.

    Attributes:
        second_scans: Scans of the same clip: the same person and place, mostly seconds apart.
        strangers: Scans of different clips.
        copies: Copies and their originals, by alteration. Copies begin with the fourth frame, so that other
            frames of them are measured.
        same_pictures: The number of pairs of scans that have a picture in common (``picture_hash``).
    """

    second_scans: tuple[bool, ...]
    strangers: tuple[bool, ...]
    copies: Mapping[str, tuple[bool, ...]]
    same_pictures: int


def study_memory(
    scans: Sequence[SentScan], *, copies: Mapping[str, Callable[[Pixels], Pixels]] = COPIES
) -> MemoryCounts:
    """Compare each scan with all others, and the first two scans of each clip with altered copies."""
    motions = [_motion(scan) for scan in scans]
    shown = [{picture_hash(blocks) for blocks in _blocks(scan)} - {b""} for scan in scans]
    pairs: dict[bool, list[bool]] = {True: [], False: []}
    same = 0
    for one, other in combinations(range(len(scans)), 2):
        same += bool(shown[one] & shown[other])
        pairs[scans[one].source == scans[other].source].append(_doubts(motions[one], motions[other]))
    sources = [scan.source for scan in scans]
    copied = [at for at, source in enumerate(sources) if sources[:at].count(source) < _COPIED]
    return MemoryCounts(
        second_scans=tuple(pairs[True]),
        strangers=tuple(pairs[False]),
        copies={
            name: tuple(_doubts(_motion(_altered(scans[at], change)), motions[at]) for at in copied)
            for name, change in copies.items()
        },
        same_pictures=same,
    )


def daily_scans() -> Iterator[SentScan]:
    """Simulate people who scan in the same place on twelve days, each time with other movements and noise."""
    for name in builtin_photo_names():
        photo = builtin_photos(names=(name,))[name]
        for day in range(_DAYS):
            settings = SceneSettings(
                kind=ScanKind.GENUINE,
                seed=day,
                frames_per_second=_DAILY_RATE,
                width=240,
                height=320,
                face_width=0.5,
            )
            frames = list(simulate_scan(photo, settings))
            yield SentScan(
                source=name,
                species="simulated",
                jpegs=tuple(encoded(frame.pixels) for frame in frames),
                times_us=tuple(round(frame.capture_time * 1e6) for frame in frames),
            )


def _blocks(scan: SentScan) -> Iterator[Pixels]:
    return (decode_jpeg_blocks(jpeg, limits=_LIMITS) for jpeg in scan.jpegs)


def _motion(scan: SentScan) -> ScanMotion | None:
    return scan_motion(list(zip(scan.times_us, map(frame_layout, _blocks(scan)), strict=True)))


def _doubts(motion: ScanMotion | None, earlier: ScanMotion | None) -> bool:
    known = () if earlier is None else (earlier,)
    check = check_similarity(motion, [RecalledScan(check_id="earlier", motions=known)])
    return check.outcome is DeviceFinding.FAIL


def _altered(scan: SentScan, change: Callable[[Pixels], Pixels]) -> SentScan:
    jpegs = tuple(encoded(np.ascontiguousarray(change(image)), quality=_QUALITY) for image in scan.pixels())
    return replace(scan, jpegs=jpegs[3:], times_us=scan.times_us[3:])
