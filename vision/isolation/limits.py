"""Limits the memory, the time and the number of jobs of the decoders' worker processes."""

from dataclasses import dataclass
from typing import Final

__all__ = ["DecoderLimits"]

_MIB: Final = 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class DecoderLimits:
    """The limits of one decoding job and of one worker process.

    Attributes:
        memory_bytes: Memory that a worker may map in addition to its memory at the start, at least 64 MiB.
        cpu_seconds: CPU time of a job, rounded up to whole seconds by the kernel; 1 or more.
        wall_seconds: Time from sending a job to the last byte of its answer.
        wait_seconds: Time that a job waits for a free worker.
        start_seconds: Time that a worker has to start.
        jobs_per_worker: Jobs after which a worker is replaced, so that the leaks of its libraries are freed.
            1 if jobs belong to different people: otherwise a file that took over its decoder could answer for
            the next one.

    Raises:
        ValueError: A limit that allows nothing.
    """

    memory_bytes: int = 1024 * _MIB
    cpu_seconds: int = 10
    wall_seconds: float = 15.0
    wait_seconds: float = 5.0
    start_seconds: float = 30.0
    jobs_per_worker: int = 500

    def __post_init__(self) -> None:
        if self.memory_bytes < 64 * _MIB or self.cpu_seconds < 1 or self.jobs_per_worker < 1:
            raise ValueError("a worker needs at least 64 MiB, one second of CPU time and one job")
        if min(self.wall_seconds, self.wait_seconds, self.start_seconds) <= 0:
            raise ValueError("times must be greater than 0")
