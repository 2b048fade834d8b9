"""Measures the memory of a server's process after many scans.

Not a test: its figures depend on the machine. Figures are the memory of the process alone, without the files
that it maps, and the whole resident memory; both twelve seconds after the last scan, when the server has
given back what it freed.

    python -m tests.server.process.memory --pack open:/srv/models --scans 128"""

import argparse
import asyncio
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from facegate_client import Orchestrator, open_channel, ticket_of
from lab.bench.devices import DeviceJob, make_scans, open_devices
from lab.bench.phone import RecordedScan, make_material
from server.configuration.settings import EVALUATION_POLICY
from tests.server.process.server_process import DataFolder, ServerProcess

_SETTLED_SECONDS = 12.0
"""The server gives freed memory back every ten seconds."""


@dataclass(frozen=True, slots=True)
class Memory:
    """The memory of a process, MiB: its own, and with the files that it maps."""

    own: int
    resident: int


def memory_of(pid: int) -> Memory:
    """Return the memory of a process now."""
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()[1:]
    kib = {name: int(value.split()[0]) for name, _, value in (line.partition(":") for line in lines)}
    return Memory(own=kib["Anonymous"] >> 10, resident=kib["Rss"] >> 10)


@contextmanager
def scan_material() -> Iterator[RecordedScan]:
    """Yield a genuine scan that is rendered once."""
    with tempfile.TemporaryDirectory() as folder:
        yield make_material(Path(folder), seconds=6.0, frames_per_second=15.0)


async def memory_after(server: ServerProcess, material: RecordedScan, *, scans: int, at_once: int) -> Memory:
    """Make scans in batches; return the memory of the server once it has settled."""
    with open_devices() as devices:
        for _ in range(0, scans, at_once):
            async with open_channel(server.service_target) as channel:
                orchestrator = Orchestrator(channel=channel)
                tickets = [
                    ticket_of(await orchestrator.upload_trusted_image(material.portrait))
                    for _ in range(at_once)
                ]
            job = DeviceJob(
                target=server.device_target,
                frames=str(material.frames),
                frames_per_second=material.frames_per_second,
                tickets=tuple((one.token, one.challenge_key_sha256.hex()) for one in tickets),
            )
            for scan in await make_scans(devices, job):
                if scan.error:
                    raise AssertionError(scan.error)
    await asyncio.sleep(_SETTLED_SECONDS)
    return memory_of(server.process.pid)


async def _measure(*, pack: str, scans: int, at_once: int) -> None:
    with tempfile.TemporaryDirectory() as folder, scan_material() as material:
        data = DataFolder(
            Path(folder),
            pack=pack,
            policies={"folder": str(Path(folder) / "policies"), "default": EVALUATION_POLICY},
            limits={"max_scans": at_once},
            log={"level": "error"},
        )
        async with data.serving() as server:
            print(f"{'before':>8}  {memory_of(server.process.pid)}", flush=True)
            done = 0
            while done < scans:
                some = min(4 * at_once, scans - done)
                memory = await memory_after(server, material, scans=some, at_once=at_once)
                done += some
                print(f"{done:>8}  {memory}", flush=True)


if __name__ == "__main__":
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    options.add_argument("--pack", default="embedded")
    options.add_argument("--scans", type=int, default=128)
    options.add_argument("--at-once", type=int, default=8)
    given = options.parse_args()
    asyncio.run(_measure(pack=given.pack, scans=given.scans, at_once=given.at_once))
