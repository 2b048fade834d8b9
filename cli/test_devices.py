"""Test platforms in folders: the files of ``simulator.devices``, and the list that a server reads too."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

from cli.errors import CommandError
from server.device.revocation import write_revocation_files
from simulator.devices import (
    REVOCATION_FILE,
    StoredPlatform,
    TestDevice,
    open_stored_device,
    write_platform_files,
)
from simulator.errors import SimulatorError


@contextmanager
def _reported() -> Iterator[None]:
    try:
        yield
    except SimulatorError as error:
        raise CommandError(str(error)) from error
    except OSError as error:
        raise CommandError(f"{error.filename} cannot be written: {error.strerror}") from error


def write_platform(folder: Path, *, now: datetime) -> StoredPlatform:
    """Create a test platform, or renew the validity of the one in the folder from now on."""
    with _reported():
        stored = write_platform_files(folder, now=now)
        write_revocation_files(folder / REVOCATION_FILE, stored.platform.revocation_list(), fetched_at=now)
    return stored


@contextmanager
def opened_device(path: Path) -> Iterator[TestDevice]:
    """Open a device, named as FOLDER/KIND, of a stored platform, and store its state after the scan."""
    with _reported():
        device, stored = open_stored_device(path)
    try:
        yield device
    finally:
        with _reported():
            stored.save(device)
