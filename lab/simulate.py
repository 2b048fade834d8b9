"""The simulator behind ``verify --simulate``, ``verify --test-device`` and ``attest test-platform``.

The module implements ``cli.lab.Simulator``; the demo and tests use it, too.
"""

import asyncio
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.padding import Padding
from rich.text import Text

from cli.errors import CommandError
from cli.shown import say
from facegate_client import FlashScreen, FrameSource
from lab.simulator import FlashKind, ScanKind
from lab.simulator.devices import (
    KINDS,
    REVOCATION_FILE,
    SETTINGS_FILE,
    DeviceKind,
    StoredPlatform,
    TestDevice,
    open_stored_device,
    write_platform_files,
)
from lab.simulator.devices.client import PlayedSource, scanner_parts
from lab.simulator.errors import SimulatorError
from lab.simulator.phone import needs_screen, open_simulated, open_simulated_phone
from server.device.revocation import write_revocation_files


def print_kinds() -> None:
    """Print the kinds of ``--simulate`` and ``--test-device``."""
    console = Console(highlight=False)
    for title, kinds in (("", tuple(ScanKind)), (" in front of a screen that flashes", tuple(FlashKind))):
        console.print(Text(f"Kinds of --simulate{title}:\n", "bold"))
        console.print(Padding(Text(", ".join(kinds), "cyan"), (0, 0, 1, 1)))
    console.print(Text("Kinds of --test-device:\n", "bold"))
    for kind, device in KINDS.items():
        console.print(Text(f" {kind}", "cyan") + Text(f"  {device.description}", "default"))


async def open_phone(kind: str, photo: Path, *, flashes: bool) -> tuple[FrameSource, FlashScreen | None]:
    """Open a simulated scan of the person of a photo, and the screen in front of it.

    Args:
        kind: A kind of ``--simulate``.
        flashes: Whether the phone has a screen even if its kind needs none.

    Raises:
        SourceError: There is no such kind, or the photo shows no face that can be simulated.
    """
    # A server recognises frames that are repeated.
    seed = secrets.randbelow(2**31)
    if flashes or needs_screen(kind):
        phone = await asyncio.to_thread(open_simulated_phone, kind, photo, seed=seed)
        return phone, phone
    return await asyncio.to_thread(open_simulated, kind, photo, seed=seed), None


class PlayedDevice:
    """A device of a stored platform, with what the reference client takes of it."""

    def __init__(self, device: TestDevice) -> None:
        """Play the device."""
        self.device = device

    def played(self, source: FrameSource) -> FrameSource:
        """Return the source with the frames changed as the device does."""
        return PlayedSource(source, self.device.habit)

    def scanner_parts(self) -> dict[str, Any]:
        """Return its claims, keys and evidence, as arguments of ``FaceScanner``; new for each scan."""
        return scanner_parts(self.device)


@contextmanager
def opened_device(path: Path) -> Iterator[PlayedDevice]:
    """Open a device, named as FOLDER/KIND, of a stored platform, and store its state after the scan."""
    with _reported():
        device, stored = open_stored_device(path)
    try:
        yield PlayedDevice(device)
    finally:
        with _reported():
            stored.save(device)


def write_platform(folder: Path, *, now: datetime) -> StoredPlatform:
    """Create a test platform, or renew the validity of the one in the folder from now on.

    Its files are those of ``lab.simulator.devices``, and the list of revoked keys that a server reads.
    """
    with _reported():
        stored = write_platform_files(folder, now=now)
        write_revocation_files(folder / REVOCATION_FILE, stored.platform.revocation_list(), fetched_at=now)
    return stored


def make_test_platform(folder: Path) -> None:
    """Write a test platform, and print how to use it."""
    stored = write_platform(folder, now=datetime.now(UTC))
    say(
        f"A test platform is in {stored.folder}. Keep {stored.folder / 'platform.json'} secret: "
        "it can sign evidence of any device.\n"
        f"Serve:  facegate serve --config {stored.folder / SETTINGS_FILE}\n"
        f"Scan:   facegate verify --test-device {stored.folder / DeviceKind.ANDROID} --accept-sandbox ..."
    )


@contextmanager
def _reported() -> Iterator[None]:
    try:
        yield
    except SimulatorError as error:
        raise CommandError(str(error)) from error
    except OSError as error:
        raise CommandError(f"{error.filename} cannot be written: {error.strerror}") from error
