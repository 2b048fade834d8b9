"""The setting of a suite: a running server with timed models, devices, material, and loads."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from cli.bench.devices import Devices
from cli.bench.material import BenchMaterial
from cli.errors import BenchFailed
from evaluation.bench import ModelClock, timed_pack
from server.base.errors import ListenerUnusable, ServerError
from server.configuration.settings import EVALUATION_POLICY, Settings
from server.policies import load_policies
from server.running.app import FacegateServer
from server.storage.errors import StorageError
from vision.errors import VisionError
from vision.packs import Pack

__all__ = ["FLASH_POLICY", "Bench", "Effort", "running_server"]

FLASH_POLICY: Final = "bench_flash"
"""A policy with only the flash, because the frames of a tinting phone show neither a blink nor a turn."""

_LOOPBACK: Final = {
    "device": {"port": 0},
    # Every run sends the same frames; outside the sandbox, the scan memory would recognise them.
    "service": {"port": 0, "local_sandbox": True},
    "admin": {"port": 0},
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Effort:
    """The number of runs and the loads.

    Attributes:
        runs: Counted runs of each load, after one warm-up run.
        scans_at_once: The loads, as numbers of parallel scans.
        clips: Most real clips for the comparison with the naive pipeline; 0 for none.
        round_trip_seconds: Additional round-trip time of the simulated network.
    """

    runs: int
    scans_at_once: tuple[int, ...]
    clips: int = 0
    round_trip_seconds: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Bench:
    """The environment in which a suite measures.

    Attributes:
        pack: Name of the pack, as given by the user.
        server: The server, in this process; nothing else here uses much CPU while a suite measures.
        clock: Sums the cost of the server's models.
        devices: Makes the scans.
        material: The material to send.
        effort: Number of runs and loads.
        say: Shows the progress to the user.
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
    """Runs a server with timed models on free loopback ports.

    Args:
        pack: The pack.
        clock: Receives the times of its models.
        data: Folder for its data.

    Raises:
        BenchFailed: The server cannot start.
    """
    settings = Settings.model_validate(
        {
            "data_dir": data,
            "listeners": _LOOPBACK,
            "allow_evaluation_pack": True,
            "policies": {"folder": _policies(data), "default": EVALUATION_POLICY},
        }
    )
    server = FacegateServer(settings, pack=timed_pack(pack, clock))
    try:
        await server.start()
    except (ListenerUnusable, ServerError, StorageError, VisionError) as error:
        raise BenchFailed(f"the server cannot start: {error}") from error
    try:
        yield server
    finally:
        await server.stop()


def _policies(data: Path) -> Path:
    """Writes a policy with only the flash and a match that every pack supports, because cost is measured."""
    folder = data / "policies"
    folder.mkdir(parents=True)
    match = load_policies().get(EVALUATION_POLICY).policy.match.max_fmr
    (folder / f"{FLASH_POLICY}.toml").write_text(
        f'name = "{FLASH_POLICY}"\nversion = 1\ndescription = "For measurements of cost."\nmode = "EXPRESS"\n'
        f"[match]\nmax_fmr = {match!r}\n"
        "[doubt]\nat_start = true\n[doubt.flash]\nblink = false\ndepth = false\n"
        # Doubt cannot demand less than a raised mode.
        "[challenge.raised]\nblink = false\ndepth = false\n",
        encoding="utf-8",
    )
    return folder
