"""What the distribution ``facegate-lab`` adds: whole commands, and the simulator behind options of others.

It offers them as entry points, so that nothing here imports it, and a server without it lacks nothing.
"""

from contextlib import AbstractContextManager
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Protocol, cast

from cli.errors import CommandError
from formats.extras import missing_lab

if TYPE_CHECKING:
    from facegate_client import FlashScreen, FrameSource

_GROUP: Final = "facegate.lab"
_SIMULATOR: Final = "simulator"


class SimulatedDevice(Protocol):
    """The device of ``--test-device``."""

    def played(self, source: "FrameSource") -> "FrameSource":
        """Return the source with the frames changed as the device does."""

    def scanner_parts(self) -> dict[str, Any]:
        """Return its claims, keys and evidence, as arguments of ``FaceScanner``; new for each scan."""


class Simulator(Protocol):
    """The simulator of people, phones and test devices: the module ``lab.simulate``."""

    def print_kinds(self) -> None:
        """Print the kinds of ``--simulate`` and ``--test-device``."""

    async def open_phone(
        self, kind: str, photo: Path, *, flashes: bool
    ) -> "tuple[FrameSource, FlashScreen | None]":
        """Open a simulated scan of the person of a photo, and the screen in front of it.

        Args:
            flashes: Whether the phone has a screen whatever its kind.
        """

    def opened_device(self, path: Path) -> AbstractContextManager[SimulatedDevice]:
        """Open a device, named as FOLDER/KIND, of a stored platform, and store its state after the scan."""

    def make_test_platform(self, folder: Path) -> None:
        """Write a test platform, and print how to use it."""


def simulator(asked: str) -> Simulator:
    """Return the simulator for the option or command that asks for it.

    Raises:
        CommandError: ``facegate-lab`` is not installed, or cannot be loaded.
    """
    return cast("Simulator", lab_part(_SIMULATOR, asked))


def lab_installed() -> bool:
    """Return whether ``facegate-lab`` is there, without loading it."""
    return bool(metadata.entry_points(group=_GROUP, name=_SIMULATOR))


def lab_part(name: str, asked: str) -> Any:
    """Load an entry point of ``facegate-lab``.

    Args:
        asked: The command or the option that needs it, for errors.

    Raises:
        CommandError: ``facegate-lab`` is not installed, or cannot be loaded.
    """
    found = tuple(metadata.entry_points(group=_GROUP, name=name))
    if not found:
        raise CommandError(missing_lab(asked))
    try:
        return found[0].load()
    except Exception as error:
        raise CommandError(
            f"{asked} cannot be loaded from facegate-lab ({type(error).__name__}: {error}): install "
            "facegate-lab again, in the version of facegate"
        ) from error
