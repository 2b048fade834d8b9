"""What every suite gets: a running server whose models are timed, devices, material, and how often."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from cli.bench.devices import Devices
from cli.bench.material import BenchMaterial
from cli.errors import BenchFailed
from evaluation.bench import ModelClock, timed_pack
from server.app import FacegateServer
from server.errors import ListenerUnusable, ServerError
from server.settings import Settings
from server.storage.errors import StorageError
from vision.errors import VisionError
from vision.packs import Pack

__all__ = ["Bench", "Effort", "running_server"]

_LOOPBACK: Final = {
    "device": {"port": 0},
    # Every run sends the same frames, which a real check would take for a replay.
    "service": {"port": 0, "local_sandbox": True},
    "admin": {"port": 0},
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Effort:
    """How often, and under which loads.

    Attributes:
        runs: Runs of each load that count; one more run before them warms up.
        scans_at_once: The loads.
        clips: Real clips that are compared with the naive pipeline, at most; 0 for none.
        round_trip_seconds: What the line between devices and server adds to a round trip.
    """

    runs: int
    scans_at_once: tuple[int, ...]
    clips: int = 0
    round_trip_seconds: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Bench:
    """What a suite works with.

    Attributes:
        pack: Name of the pack, as it was asked for.
        server: The server, in this process; nothing else here uses much CPU while a suite measures.
        clock: Adds up what the server's models cost.
        devices: Where scans are made.
        material: What is sent.
        effort: How often.
        say: Tells the user what happens.
    """

    pack: str
    server: FacegateServer
    clock: ModelClock
    devices: Devices
    material: BenchMaterial
    effort: Effort
    say: Callable[[str], None]


@asynccontextmanager
async def running_server(pack: Pack, clock: ModelClock, *, data: Path) -> AsyncIterator[FacegateServer]:
    """Runs a server on free ports of the loopback whose models are timed.

    Args:
        pack: The pack.
        clock: Gets the times of its models.
        data: Folder for its data.

    Raises:
        BenchFailed: It cannot start.
    """
    settings = Settings.model_validate({"data_dir": data, "listeners": _LOOPBACK})
    server = FacegateServer(settings, pack=timed_pack(pack, clock))
    try:
        await server.start()
    except (ListenerUnusable, ServerError, StorageError, VisionError) as error:
        raise BenchFailed(f"the server cannot start: {error}") from error
    try:
        yield server
    finally:
        await server.stop()
