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

__all__ = ["FLASH_ALONE_POLICY", "FLASH_POLICY", "POLICY", "Tested", "open_tested"]

POLICY: Final = "standard"
"""Of the checks in EXPRESS that ask for no evidence."""
FLASH_POLICY: Final = "dynamic"
"""Of the checks in DYNAMIC that ask for no evidence: it takes a blink and a head's depth."""
FLASH_ALONE_POLICY: Final = "adaptive"
"""The same where the pack sees no blink: it begins with the flash and takes nothing besides."""

_FOR_TESTS: Final = "for_tests = true\n"


@dataclass(frozen=True, slots=True, kw_only=True)
class Tested:
    """A platform, and the settings with which a server believes it."""

    platform: TestPlatform
    settings: str


def open_tested(folder: Path) -> Tested:
    """Draws a test platform into a folder.

    A server with test roots takes only policies that are marked for tests, so shipped ones are copied with
    that mark, and are otherwise the same.

    Raises:
        PlatformUnusable: The folder cannot be written.
        OutputUnusable: A policy cannot be written.
    """
    stored = write_platform(folder, now=datetime.now(UTC))
    shipped = load_policies(None)
    for name in (POLICY, FLASH_POLICY, FLASH_ALONE_POLICY):
        copy = stored.folder / "policies" / f"{name}.toml"
        try:
            # Before everything else: behind a table it would be the table's.
            copy.write_text(_FOR_TESTS + shipped.get(name).source.decode(), encoding="utf-8")
        except OSError as error:
            raise OutputUnusable(f"{copy} cannot be written: {error.strerror}") from error
    return Tested(platform=stored.platform, settings=settings_text(stored.platform, folder.resolve()))
