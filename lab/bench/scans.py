"""Scans under each load: the CPU time of a frame over that of its models, and the time to a result."""

import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from multiprocessing.pool import Pool
from pathlib import Path
from typing import Final

from cli.errors import CommandError
from facegate_client import ClientError, Orchestrator, open_channel, ticket_of
from lab.bench.devices import DeviceJob, ScanTimes, make_scans
from lab.bench.phone import RecordedScan
from lab.evaluation.bench import Measurement, ModelClock, ModelUse, timed_pack
from server.base.errors import ListenerUnusable, ServerError
from server.configuration.settings import EVALUATION_POLICY, Settings
from server.policies import load_policies
from server.running.app import FacegateServer
from server.storage.errors import StorageError
from vision.errors import VisionError
from vision.packs import Pack

_FLASH_POLICY: Final = "bench_flash"
"""A policy with only the flash, because the frames of a tinting phone show neither a blink nor a turn."""
_LOOPBACK: Final = {
    "device": {"port": 0},
    # Every run sends the same frames; outside the sandbox, the scan memory would recognise them.
    "service": {"port": 0, "local_sandbox": True},
    "admin": {"port": 0},
}
_MS: Final = 1000.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Bench:
    """What a suite measures with.

    Attributes:
        pack: Name of the pack, as given by the user.
        server: The server, in this process; nothing else here uses much CPU while a suite measures.
        clock: Sums the cost of the server's models.
        runs: Counted runs of each load, after one warm-up run.
        scans_at_once: The loads, as numbers of parallel scans.
        clips: Most real clips for the comparison with the naive pipeline; 0 for none.
    """

    pack: str
    server: FacegateServer
    clock: ModelClock
    devices: Pool
    material: RecordedScan
    runs: int
    scans_at_once: tuple[int, ...]
    clips: int
    say: Callable[[str], None]


@asynccontextmanager
async def running_server(pack: Pack, clock: ModelClock, *, data: Path) -> AsyncIterator[FacegateServer]:
    """Run a server with timed models on free loopback ports."""
    # Only the flash, and a match that every pack supports, because cost is measured.
    match = load_policies().get(EVALUATION_POLICY).policy.match.max_fmr
    folder = data / "policies"
    folder.mkdir(parents=True)
    (folder / f"{_FLASH_POLICY}.toml").write_text(
        f'name = "{_FLASH_POLICY}"\nversion = 1\ndescription = "For measurements."\nmode = "EXPRESS"\n'
        f"[match]\nmax_fmr = {match!r}\n"
        "[doubt]\nat_start = true\n[doubt.flash]\nblink = false\ndepth = false\n"
        # Doubt cannot demand less than a raised mode.
        "[challenge.raised]\nblink = false\ndepth = false\n",
        encoding="utf-8",
    )
    settings = Settings.model_validate(
        {
            "data_dir": data,
            "listeners": _LOOPBACK,
            "allow_evaluation_pack": True,
            "policies": {"folder": folder, "default": EVALUATION_POLICY},
        }
    )
    server = FacegateServer(settings, pack=timed_pack(pack, clock))
    try:
        await server.start()
    except (ListenerUnusable, ServerError, StorageError, VisionError) as error:
        raise CommandError(f"the server cannot start: {error}") from error
    try:
        yield server
    finally:
        await server.stop()


@dataclass(frozen=True, slots=True, kw_only=True)
class ScanRun:
    """One run: some scans in parallel."""

    scans: tuple[ScanTimes, ...]
    server_seconds: float
    models: ModelUse


async def measure_scans(bench: Bench) -> tuple[Measurement, ...]:
    """Measure EXPRESS scans under each load."""
    return await _measure(bench, flash=False)


async def measure_flash_scans(bench: Bench) -> tuple[Measurement, ...]:
    """Measure DYNAMIC scans under each load, with phones that tint their frames; raise likewise."""
    return await _measure(bench, flash=True)


async def _measure(bench: Bench, *, flash: bool) -> tuple[Measurement, ...]:
    bench.say(f"{bench.pack}: warming up")
    await _run(bench, at_once=1, flash=flash)
    measurements: list[Measurement] = []
    for at_once in bench.scans_at_once:
        runs = []
        for number in range(1, bench.runs + 1):
            bench.say(f"{bench.pack}: {_load(at_once, flash=flash)}, run {number} of {bench.runs}")
            runs.append(await _run(bench, at_once=at_once, flash=flash))
        measurements += scan_measurements(bench.pack, at_once=at_once, runs=runs, flash=flash)
    return tuple(measurements)


def scan_measurements(
    pack: str, *, at_once: int, runs: Sequence[ScanRun], flash: bool = False
) -> tuple[Measurement, ...]:
    """Return the measurements of the runs under one load."""
    load = _load(at_once, flash=flash)

    def figure(name: str, unit: str, meaning: str, values: list[float]) -> Measurement:
        return Measurement(pack=pack, name=name, load=load, unit=unit, meaning=meaning, values=tuple(values))

    unit = [run.models.one_frame_seconds for run in runs]
    after_end = [
        (scan.seconds_to_result, one_frame)
        for run, one_frame in zip(runs, unit, strict=True)
        for scan in run.scans
        if scan.seconds_to_result is not None
    ]
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
            [seconds / one_frame for seconds, one_frame in after_end],
        ),
        figure(
            "AttemptEnd to ScanResult",
            "ms",
            "From AttemptEnd, in milliseconds.",
            [_MS * seconds for seconds, _ in after_end],
        ),
        figure(
            "every model once",
            "ms",
            "CPU time of one call of each model of the pack: the unit of a model frame.",
            [_MS * one_frame for one_frame in unit],
        ),
        figure(
            "server CPU a frame",
            "ms",
            "CPU time of the server's process divided by the number of frames.",
            [_MS * run.server_seconds / max(1, sum(scan.frames for scan in run.scans)) for run in runs],
        ),
        figure(
            "scans a core and second",
            "scans",
            "Scans for each second of CPU time of the server's process.",
            [len(run.scans) / run.server_seconds for run in runs],
        ),
        figure(
            "refused at first",
            "%",
            "Devices that were refused at `limits.max_scans`, and retried after the stated time.",
            [100 * sum(scan.refused > 0 for scan in run.scans) / len(run.scans) for run in runs],
        ),
        figure(
            "images without credit",
            "%",
            "Images that the device captured while it had no credit, with which the server limits the rate.",
            [
                100
                * sum(scan.dropped for scan in run.scans)
                / max(1, sum(scan.frames + scan.dropped for scan in run.scans))
                for run in runs
            ],
        ),
    )


async def _run(bench: Bench, *, at_once: int, flash: bool) -> ScanRun:
    tickets = []
    try:
        async with open_channel(bench.server.service_target) as channel:
            orchestrator = Orchestrator(channel=channel)
            for _ in range(at_once):
                ticket = ticket_of(
                    await orchestrator.upload_trusted_image(
                        bench.material.portrait, policy=_FLASH_POLICY if flash else ""
                    )
                )
                tickets.append((ticket.token, ticket.challenge_key_sha256.hex()))
    except ClientError as error:
        raise CommandError(f"no check could be created: {error}") from error
    job = DeviceJob(
        target=bench.server.device_target,
        frames=str(bench.material.frames),
        frames_per_second=bench.material.frames_per_second,
        tickets=tuple(tickets),
        flash=flash,
    )
    bench.clock.read_and_reset()
    began = time.process_time()
    scans = await make_scans(bench.devices, job)
    spent = time.process_time() - began
    for scan in scans:
        if scan.error:
            raise CommandError(f"a scan got no result: {scan.error}")
    return ScanRun(scans=scans, server_seconds=spent, models=bench.clock.read_and_reset())


def _load(at_once: int, *, flash: bool) -> str:
    kind = "DYNAMIC " if flash else ""
    return f"1 {kind}scan" if at_once == 1 else f"{at_once} {kind}scans at once"
