"""The devices of the benchmark, in a separate process, so that the server's CPU time excludes them.

Run as ``python -m cli.bench.device_process``. It reads one job per line from standard input, answers each
with a line on standard output, and ends with its input.
"""

import asyncio
import sys
import time
from functools import cache
from pathlib import Path

import grpc
from facegate.v1 import scan_pb2

from cli.bench.delayed_line import delayed_line
from cli.bench.jobs import DeviceJob, ScanTimes
from cli.bench.material import frame_pictures
from cli.bench.tinted_frames import TintedFrames
from cli.bench.tinted_phone import TintedPhone
from cli.errors import BenchFailed
from facegate_client import (
    ClientError,
    FaceScanner,
    ScanEvents,
    ScanSettings,
    ScanTicket,
    open_channel,
    open_image_folder,
)
from liveness.dynamic.challenge import LEAD_IN, PALETTE

__all__ = ["main", "run_job"]


class _Watch(ScanEvents):
    def __init__(self) -> None:
        self.ended: float | None = None
        self.first: float | None = None
        self.latest = 0.0
        self.seconds: float | None = None
        self.since_last_frame: float | None = None
        self.frames = 0
        self.dropped = 0

    def frame_sent(self, attempt: int, index: int, size: int) -> None:
        self.latest = time.monotonic()
        self.first = self.first or self.latest

    def capture_finished(self, attempt: int, frames: int, dropped: int) -> None:
        self.ended = time.monotonic()
        self.frames, self.dropped = frames, dropped

    @property
    def capture_seconds(self) -> float:
        return 0.0 if self.first is None else self.latest - self.first

    def attempt_finished(self, result: scan_pb2.ScanResult) -> None:
        if self.ended is not None and self.seconds is None:
            now = time.monotonic()
            self.seconds, self.since_last_frame = now - self.ended, now - self.latest


async def run_job(job: DeviceJob) -> tuple[ScanTimes, ...]:
    """Makes all scans of a job in parallel, one attempt each."""
    async with (
        delayed_line(job.target, round_trip_s=job.round_trip_seconds) as target,
        open_channel(target) as channel,
    ):
        return tuple(await asyncio.gather(*(_scan(channel, job, ticket) for ticket in job.tickets)))


async def _scan(channel: grpc.aio.Channel, job: DeviceJob, ticket: tuple[str, str]) -> ScanTimes:
    token, fingerprint = ticket
    watch = _Watch()
    try:
        folder, rate = Path(job.frames), job.frames_per_second
        phone = TintedPhone(_tinted_frames(folder), frames_per_second=rate) if job.flash else None
        scanner = FaceScanner(
            channel=channel,
            ticket=ScanTicket(token=token, challenge_key_sha256=bytes.fromhex(fingerprint)),
            source=open_image_folder(folder, frames_per_second=rate) if phone is None else phone,
            screen=phone,
            events=watch,
            settings=ScanSettings(max_attempts=1),
        )
        await scanner.scan()
    except (BenchFailed, ClientError, ValueError) as error:
        return ScanTimes(error=f"{type(error).__name__}: {error}")
    if watch.seconds is None:
        return ScanTimes(frames=watch.frames, dropped=watch.dropped, error="no result came")
    return ScanTimes(
        frames=watch.frames,
        dropped=watch.dropped,
        capture_seconds=watch.capture_seconds,
        seconds_to_result=watch.seconds,
        seconds_from_last_frame=watch.since_last_frame,
    )


@cache
def _tinted_frames(folder: Path) -> TintedFrames:
    """Encodes the frames of a folder in all colours. Every run of a benchmark sends the same scan."""
    colours = [(colour.red, colour.green, colour.blue) for colour in (LEAD_IN, *PALETTE)]
    return TintedFrames(frame_pictures(folder), colours=colours)


def main() -> None:
    """Serves jobs until the input ends."""
    for line in sys.stdin:
        times = asyncio.run(run_job(DeviceJob.from_line(line)))
        sys.stdout.write(ScanTimes.to_line(times))
        sys.stdout.flush()


if __name__ == "__main__":
    main()
