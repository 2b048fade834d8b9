"""Pools with a worker that misbehaves on request."""

import select
import sys
from pathlib import Path

from formats.image_format import ImageFormat, ImageHeader
from vision.isolation.pool import DecoderPool
from vision.isolation.workers import DecoderLimits

WIDTH, HEIGHT = 5, 3
HEADER = ImageHeader(ImageFormat.JP2, WIDTH, HEIGHT, 1, 8)
MIB = 1024 * 1024
QUICK = DecoderLimits(
    memory_bytes=256 * MIB, cpu_seconds=1, wall_seconds=600.0, wait_seconds=300.0, start_seconds=300.0
)
"""A decoder yields the processor: on a busy machine, a second of CPU time may take it minutes."""


def hostile_command(kind: str, *, limits: DecoderLimits, most_bytes: int) -> tuple[str, ...]:
    """The command of a worker that does what its job requests."""
    program = str(Path(__file__).with_name("hostile_worker.py"))
    return (
        sys.executable,
        "-I",
        program,
        kind,
        str(limits.memory_bytes),
        str(limits.cpu_seconds),
        str(most_bytes),
    )


def wait_for_more(pool: DecoderPool, kind: str) -> None:
    """Wait until the worker has sent more than it was asked for, unless it was given up for that already."""
    workers = pool._workers[kind]
    with workers._changed:
        for worker in workers._idle:
            assert not worker.jobs_done or select.select([worker._answers], [], [], 60)[0]
