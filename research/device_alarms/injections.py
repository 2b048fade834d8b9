"""Simulates injections of a recorded scan. They show what a test can detect, and give no error rate."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from research.device_alarms.material import SentScan, encoded

__all__ = ["INJECTIONS"]

_SHARE: Final = 0.4
_HARD_QUALITY: Final = 60

Pixels = NDArray[np.uint8]


def _looped(scan: SentScan) -> SentScan:
    """Return the scan of a file in a loop, with unchanged bytes."""
    length = max(8, int(_SHARE * len(scan.jpegs)))
    return replace(scan, jpegs=tuple(scan.jpegs[at % length] for at in range(len(scan.jpegs))))


def _looped_anew(scan: SentScan) -> SentScan:
    """Return the scan of a clip in a loop through a virtual camera: scaled and encoded anew."""
    length = max(8, int(_SHARE * len(scan.jpegs)))
    shown = scan.pixels()[:length]
    height, width = shown[0].shape[:2]
    jpegs = []
    for at in range(len(scan.jpegs)):
        # A slight change in each repetition, as from a player's filters.
        lighter = cv2.convertScaleAbs(shown[at % length], alpha=1.0 + 0.02 * (at // length))
        jpegs.append(encoded(np.asarray(cv2.resize(lighter, (width - 8, height - 8)), np.uint8), quality=80))
    return replace(scan, jpegs=tuple(jpegs))


def _compressed_before(scan: SentScan) -> SentScan:
    """Return frames that were strongly compressed as JPEG, and encoded anew at the same size."""
    again = []
    for image in scan.pixels():
        first = encoded(image, quality=_HARD_QUALITY)
        decoded = cv2.imdecode(np.frombuffer(first, np.uint8), cv2.IMREAD_COLOR)
        again.append(encoded(np.asarray(decoded, np.uint8)))
    return replace(scan, jpegs=tuple(again))


def _denoised(scan: SentScan) -> SentScan:
    """Return a generated or denoised video, smooth in time, with little of a camera's noise."""
    smooth: NDArray[np.float32] | None = None
    jpegs = []
    for image in scan.pixels():
        blurred = cv2.bilateralFilter(image, 7, 30, 5).astype(np.float32)
        smooth = blurred if smooth is None else np.asarray(0.7 * smooth + 0.3 * blurred, np.float32)
        jpegs.append(encoded(np.asarray(np.rint(smooth), np.uint8)))
    return replace(scan, jpegs=tuple(jpegs))


def _photo(scan: SentScan) -> SentScan:
    """Return one photo in rendered motion, without noise of its own."""
    image = scan.pixels()[0]
    height, width = image.shape[:2]
    jpegs = []
    for at in range(len(scan.jpegs)):
        angle = 2.0 * np.sin(at / 6)
        turn = cv2.getRotationMatrix2D((width / 2, height / 2), angle, 1.05 + 0.02 * np.sin(at / 9))
        moved = cv2.warpAffine(image, turn, (width, height), borderMode=cv2.BORDER_REFLECT)
        jpegs.append(encoded(np.asarray(moved, np.uint8)))
    return replace(scan, jpegs=tuple(jpegs))


def _in_a_window(scan: SentScan) -> SentScan:
    """Return the clip in a player's window, on a desktop of a fixed colour and pattern."""
    jpegs = []
    for image in scan.pixels():
        height, width = image.shape[:2]
        across = np.linspace(60, 180, width, dtype=np.float32)
        desktop = np.repeat(np.repeat(across[None, :, None], height, 0), 3, 2).astype(np.uint8)
        inner = cv2.resize(image, (int(0.7 * width), int(0.7 * height)), interpolation=cv2.INTER_AREA)
        top, left = int(0.15 * height) // 16 * 16, int(0.15 * width) // 16 * 16
        desktop[top : top + inner.shape[0], left : left + inner.shape[1]] = inner
        jpegs.append(encoded(desktop))
    return replace(scan, jpegs=tuple(jpegs))


INJECTIONS: Final[Mapping[str, Callable[[SentScan], SentScan]]] = {
    "looped file": _looped,
    "looped, encoded anew": _looped_anew,
    "compressed before": _compressed_before,
    "denoised": _denoised,
    "moved photo": _photo,
    "player's window": _in_a_window,
}
"""The injections by name."""
