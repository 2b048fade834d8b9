"""Isolated decoders for the tests of this package, started once and ended with the process."""

import atexit
import functools

from vision.isolation.pool import DecoderPool


@functools.cache
def decoders() -> DecoderPool:
    """Workers for images and for videos."""
    pool = DecoderPool(still_workers=1, video_workers=1)
    pool.start()
    atexit.register(pool.close)
    return pool
