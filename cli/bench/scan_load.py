"""The suites of scans: the CPU time of a frame over that of its models, and the time to a result."""

import time
from dataclasses import dataclass
from typing import Final

from cli.bench.jobs import DeviceJob, ScanTimes
from cli.bench.setting import FLASH_POLICY, Bench
from cli.errors import ScanNotMeasured
from evaluation.bench import HostTime, Measurement, ModelUse
from facegate_client import ClientError, Orchestrator, open_channel, ticket_of

__all__ = ["ScanRun", "measure_flash_scans", "measure_scans", "scan_measurements"]

_MS: Final = 1000.0


@dataclass(frozen=True, slots=True, kw_only=True)
class ScanRun:
    """One run: some scans in parallel.

    Attributes:
        scans: The devices' measurements, one per scan.
        server_seconds: CPU seconds of the server's process in this time.
        models: Cost of the models in this time.
        stolen_share: Share of the cores' time that the host of a virtual machine gave to others in this
            time, 0..1; None if the system does not report it.
    """

    scans: tuple[ScanTimes, ...]
    server_seconds: float
    models: ModelUse
    stolen_share: float | None = None

    @property
    def frames(self) -> int:
        """Frames of all scans, at least 1."""
        return max(1, sum(scan.frames for scan in self.scans))

    @property
    def dropped_share(self) -> float:
        """The share of captured images without credit, 0..1."""
        dropped = sum(scan.dropped for scan in self.scans)
        return dropped / (self.frames + dropped)

    @property
    def seconds_to_result(self) -> tuple[float, ...]:
        """Seconds from AttemptEnd to ScanResult, of each scan with a result."""
        return tuple(scan.seconds_to_result for scan in self.scans if scan.seconds_to_result is not None)

    @property
    def seconds_from_last_frame(self) -> tuple[float, ...]:
        """Seconds from the last frame to ScanResult, of each scan with a result."""
        return tuple(
            scan.seconds_from_last_frame for scan in self.scans if scan.seconds_from_last_frame is not None
        )


async def measure_scans(bench: Bench) -> tuple[Measurement, ...]:
    """Measures EXPRESS scans under each load.

    Raises:
        ScanNotMeasured: A scan ended without a result.
        DeviceProcessFailed: The devices cannot be used.
        NothingMeasured: No model ran.
    """
    return await _measure(bench, flash=False)


async def measure_flash_scans(bench: Bench) -> tuple[Measurement, ...]:
    """Measures DYNAMIC scans under each load, with phones that tint their frames.

    Raises:
        ScanNotMeasured: As for ``measure_scans``.
        DeviceProcessFailed: Likewise.
        NothingMeasured: Likewise.
    """
    return await _measure(bench, flash=True)


async def _measure(bench: Bench, *, flash: bool) -> tuple[Measurement, ...]:
    bench.say(f"{bench.pack}: warming up")
    await _run(bench, at_once=1, flash=flash)
    measurements: list[Measurement] = []
    for at_once in bench.effort.scans_at_once:
        runs = []
        for number in range(1, bench.effort.runs + 1):
            bench.say(f"{bench.pack}: {_load(at_once, flash=flash)}, run {number} of {bench.effort.runs}")
            runs.append(await _run(bench, at_once=at_once, flash=flash))
        measurements += scan_measurements(bench.pack, at_once=at_once, runs=tuple(runs), flash=flash)
    return tuple(measurements)


def scan_measurements(
    pack: str, *, at_once: int, runs: tuple[ScanRun, ...], flash: bool = False
) -> tuple[Measurement, ...]:
    """Returns the measurements of the runs under one load.

    Args:
        pack: Name of the pack.
        at_once: Number of parallel scans.
        runs: The runs, at least one.
        flash: Whether the scans were DYNAMIC.

    Raises:
        NothingMeasured: There are no runs, or no model ran.
    """
    load = _load(at_once, flash=flash)

    def figure(name: str, unit: str, meaning: str, values: list[float]) -> Measurement:
        return Measurement(pack=pack, name=name, load=load, unit=unit, meaning=meaning, values=tuple(values))

    unit = [run.models.one_frame_seconds for run in runs]
    stolen = [100 * run.stolen_share for run in runs if run.stolen_share is not None]
    return (
        figure(
            "CPU a frame / its model time",
            "",
            "CPU time of the server's process for a scan, divided by the CPU time of the pack's models in "
            "it; 1 would be a server without any cost of its own.",
            [run.server_seconds / run.models.total_seconds for run in runs],
        ),
        figure(
            "AttemptEnd to ScanResult",
            "model frames",
            "Wall time at the device, in units of the CPU time of every model of the pack for one frame in "
            "the same run; one value per scan.",
            [
                seconds / one_frame
                for run, one_frame in zip(runs, unit, strict=True)
                for seconds in run.seconds_to_result
            ],
        ),
        figure(
            "last frame to ScanResult",
            "model frames",
            "The same from the time at which the device sent its last frame: the server processes it and "
            "requests the end, the device signs it, and the server judges.",
            [
                seconds / one_frame
                for run, one_frame in zip(runs, unit, strict=True)
                for seconds in run.seconds_from_last_frame
            ],
        ),
        figure(
            "AttemptEnd to ScanResult",
            "ms",
            "From AttemptEnd, in milliseconds.",
            [_MS * seconds for run in runs for seconds in run.seconds_to_result],
        ),
        figure(
            "every model once",
            "ms",
            "CPU time of one call of each model of the pack: the unit of a model frame.",
            [_MS * one_frame for one_frame in unit],
        ),
        figure(
            "model CPU a frame",
            "ms",
            "CPU time of all calls of models divided by the number of all frames; no model runs on "
            "each frame.",
            [_MS * run.models.total_seconds / run.frames for run in runs],
        ),
        figure(
            "server CPU a frame",
            "ms",
            "CPU time of the server's process divided by the number of frames.",
            [_MS * run.server_seconds / run.frames for run in runs],
        ),
        figure(
            "images without credit",
            "%",
            "Images that the device captured while it had no credit, with which the server limits the rate.",
            [100 * run.dropped_share for run in runs],
        ),
        *(
            [
                figure(
                    "taken by the host",
                    "%",
                    "Share of the cores' time that the host of this virtual machine gave to others; it "
                    "increases wall times.",
                    stolen,
                )
            ]
            if stolen
            else []
        ),
    )


async def _run(bench: Bench, *, at_once: int, flash: bool) -> ScanRun:
    job = DeviceJob(
        target=bench.server.device_target,
        frames=str(bench.material.frames),
        frames_per_second=bench.material.frames_per_second,
        tickets=await _tickets(bench, at_once, flash=flash),
        flash=flash,
        round_trip_seconds=bench.effort.round_trip_seconds,
    )
    bench.clock.read_and_reset()
    host, began = HostTime.now(), time.process_time()
    scans = await bench.devices.scan(job)
    spent, after = time.process_time() - began, HostTime.now()
    run = ScanRun(
        scans=scans,
        server_seconds=spent,
        models=bench.clock.read_and_reset(),
        stolen_share=None if host is None or after is None else after.stolen_since(host),
    )
    for scan in scans:
        if scan.error:
            raise ScanNotMeasured(f"a scan got no result: {scan.error}")
    return run


async def _tickets(bench: Bench, count: int, *, flash: bool) -> tuple[tuple[str, str], ...]:
    tickets = []
    policy = FLASH_POLICY if flash else ""
    try:
        async with open_channel(bench.server.service_target) as channel:
            orchestrator = Orchestrator(channel=channel)
            for _ in range(count):
                ticket = ticket_of(
                    await orchestrator.upload_trusted_image(bench.material.portrait, policy=policy)
                )
                tickets.append((ticket.token, ticket.challenge_key_sha256.hex()))
    except ClientError as error:
        raise ScanNotMeasured(f"no check could be created: {error}") from error
    return tuple(tickets)


def _load(at_once: int, *, flash: bool) -> str:
    kind = "DYNAMIC " if flash else ""
    return f"1 {kind}scan" if at_once == 1 else f"{at_once} {kind}scans at once"
