"""The devices of the benchmark, in a separate process, so that the server's CPU time excludes them."""

import asyncio
import multiprocessing
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from multiprocessing.pool import Pool
from pathlib import Path
from typing import Final

import grpc
from facegate.v1 import scan_pb2

from cli.errors import CommandError
from facegate_client import (
    ClientError,
    FaceScanner,
    ScanEvents,
    ScanSettings,
    ScanTicket,
    open_channel,
    open_image_folder,
)
from lab.bench.phone import decoded
from lab.simulator.tinted_phone import TintedFrames, TintedPhone
from liveness.dynamic.challenge import LEAD_IN, PALETTE

_JOB_SECONDS: Final = 120.0


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceJob:
    """Scans to make in parallel.

    Attributes:
        target: ``host:port`` of the device listener, on loopback.
        frames: Folder with the frames, JPEG files in the order of their names.
        tickets: For each scan, the token and the hex fingerprint of the challenge key.
        flash: Whether the devices have screens that can flash.
    """

    target: str
    frames: str
    frames_per_second: float
    tickets: tuple[tuple[str, str], ...]
    flash: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ScanTimes:
    """A device's measurements of one scan.

    Attributes:
        dropped: Images dropped because the server gave no credit in time.
        capture_seconds: From the handover of the first frame to the transport to that of the last one.
        seconds_to_result: From the handover of AttemptEnd to the transport to ScanResult; None without a
            result.
        refused: How often the server refused it, because it had no place, before it was served.
        error: Why no result came; empty if one came.
    """

    frames: int = 0
    dropped: int = 0
    capture_seconds: float = 0.0
    seconds_to_result: float | None = None
    refused: int = 0
    error: str = ""


@contextmanager
def open_devices() -> Iterator[Pool]:
    """Start the process with the devices, and stop it at the end."""
    with multiprocessing.get_context("spawn").Pool(1) as devices:
        yield devices


async def make_scans(devices: Pool, job: DeviceJob) -> tuple[ScanTimes, ...]:
    """Make the scans of a job in the process with the devices."""
    try:
        return await asyncio.to_thread(devices.apply_async(run_job, (job,)).get, _JOB_SECONDS)
    except multiprocessing.TimeoutError as error:
        raise CommandError(f"the device process did not answer within {_JOB_SECONDS:g} seconds") from error


def run_job(job: DeviceJob) -> tuple[ScanTimes, ...]:
    """Make all scans of a job in parallel, one attempt each."""
    return asyncio.run(_run(job))


class _Watch(ScanEvents):
    def __init__(self) -> None:
        self.first: float | None = None
        self.latest = 0.0
        self.ended: float | None = None
        self.result: float | None = None
        self.frames = 0
        self.dropped = 0
        self.refused = 0

    def connection_lost(self, reconnect: int, wait_s: float, cause: str) -> None:
        self.refused += 1

    def frame_sent(self, attempt: int, index: int, size: int) -> None:
        self.latest = time.monotonic()
        self.first = self.first or self.latest

    def capture_finished(self, attempt: int, frames: int, dropped: int) -> None:
        self.ended = time.monotonic()
        self.frames, self.dropped = frames, dropped

    def attempt_finished(self, result: scan_pb2.ScanResult) -> None:
        self.result = self.result or time.monotonic()


async def _run(job: DeviceJob) -> tuple[ScanTimes, ...]:
    async with open_channel(job.target) as channel:
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
    except (ClientError, ValueError) as error:
        return ScanTimes(error=f"{type(error).__name__}: {error}")
    if watch.ended is None or watch.result is None:
        return ScanTimes(frames=watch.frames, dropped=watch.dropped, error="no result came")
    return ScanTimes(
        frames=watch.frames,
        dropped=watch.dropped,
        capture_seconds=0.0 if watch.first is None else watch.latest - watch.first,
        seconds_to_result=watch.result - watch.ended,
        refused=watch.refused,
    )


@cache
def _tinted_frames(folder: Path) -> TintedFrames:
    """Encode the frames of a folder in all colours. Every run of a benchmark sends the same scan."""
    colours = [(colour.red, colour.green, colour.blue) for colour in (LEAD_IN, *PALETTE)]
    return TintedFrames([decoded(file.read_bytes()) for file in sorted(folder.iterdir())], colours=colours)
