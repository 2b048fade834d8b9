"""The only functions with which these suites decode an image, and the limits of a case."""

import atexit
import functools
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from formats.image_format import ImageFormat
from vision.image import DecodedImage, DecodeLimits, decode_image
from vision.isolation.pool import DecoderPool

LIMITS = DecodeLimits(max_bytes=2_000_000, max_pixels=25_000_000, max_side=10_000)
"""Those of an upload."""


@functools.cache
def decoders() -> DecoderPool:
    """The isolated decoders, started at the first request and closed when the process ends."""
    pool = DecoderPool()
    pool.start()
    atexit.register(pool.close)
    return pool


@functools.cache
def video_decoders() -> DecoderPool:
    """An isolated decoder of videos, started and closed as ``decoders`` are."""
    pool = DecoderPool(still_workers=0, video_workers=1)
    pool.start()
    atexit.register(pool.close)
    return pool


def decode(
    data: bytes, *, upright: bool = True, formats: frozenset[ImageFormat] | None = None
) -> DecodedImage:
    """Decode as an upload is decoded."""
    return decode_image(
        data,
        limits=LIMITS,
        formats=frozenset(ImageFormat) if formats is None else formats,
        honour_exif_orientation=upright,
        still_decoder=decoders(),
    )


@dataclass(slots=True)
class Cost:
    """The cost of a block.

    Attributes:
        seconds: Processor time of this thread.
        bytes: Growth of the process at its peak.
    """

    seconds: float = 0.0
    bytes: int = 0


@contextmanager
def measured() -> Iterator[Cost]:
    """Measure a block in this thread."""
    cost = Cost()
    # 5 resets the peak of the resident set: proc(5), /proc/pid/clear_refs.
    Path("/proc/self/clear_refs").write_text("5")
    before, began = _status("VmRSS"), time.thread_time()
    try:
        yield cost
    finally:
        cost.seconds = time.thread_time() - began
        cost.bytes = max(0, _status("VmHWM") - before)


def _status(field: str) -> int:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(field):
            return int(line.split()[1]) * 1024
    raise AssertionError(f"/proc/self/status has no {field}")
