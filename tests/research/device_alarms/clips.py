"""A clip made for the test."""

from pathlib import Path

import cv2
import numpy as np

from research.device_alarms.material import SentScan, encoded


def made_clip(path: Path, count: int) -> Path:
    """A clip of moving noise at 15 frames a second, 128 x 96."""
    rng = np.random.default_rng(0)
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), 15.0, (128, 96))
    for _ in range(count):
        writer.write(rng.integers(60, 200, (96, 128, 3)).astype(np.uint8))
    writer.release()
    return path


def made_scan(count: int = 32) -> SentScan:
    """A scan of a gradient that shifts, with noise."""
    rng = np.random.default_rng(1)
    ramp = np.linspace(60, 180, 160)[None, :, None]
    jpegs = []
    for at in range(count):
        luma = np.repeat(np.repeat(np.roll(ramp, 3 * at, axis=1), 120, 0), 3, 2)
        jpegs.append(encoded(np.clip(luma + rng.normal(0, 2, luma.shape), 0, 255).astype(np.uint8)))
    return SentScan(
        source="made",
        species="live",
        jpegs=tuple(jpegs),
        times_us=tuple(round(at * 62_500) for at in range(count)),
    )
