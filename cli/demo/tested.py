"""The test platform of the demo, and the policies of a server that believes it."""

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from cli.demo.errors import OutputUnusable
from cli.test_devices.platform_files import write_platform
from cli.test_devices.settings_text import settings_text
from server.policies import load_policies
from simulator.devices import TestPlatform

__all__ = ["POLICY", "Tested", "open_tested"]

POLICY: Final = "standard"
"""Of the checks that ask for no evidence."""

_FOR_TESTS: Final = "for_tests = true\n"


@dataclass(frozen=True, slots=True, kw_only=True)
class Tested:
    """A platform, and the settings with which a server believes it."""

    platform: TestPlatform
    settings: str


def open_tested(folder: Path) -> Tested:
    """Draws a test platform into a folder.

    A server with test roots takes only policies that are marked for tests, so the shipped one is copied with
    that mark, and is otherwise the same.

    Raises:
        PlatformUnusable: The folder cannot be written.
        OutputUnusable: The policy cannot be written.
    """
    stored = write_platform(folder, now=datetime.now(UTC))
    shipped = load_policies(None).get(POLICY).source.decode()
    copy = stored.folder / "policies" / f"{POLICY}.toml"
    try:
        # Before everything else: behind a table it would be the table's.
        copy.write_text(_FOR_TESTS + shipped, encoding="utf-8")
    except OSError as error:
        raise OutputUnusable(f"{copy} cannot be written: {error.strerror}") from error
    return Tested(platform=stored.platform, settings=settings_text(stored.platform, folder.resolve()))
