"""The test platform of the demo, its two callers, and the settings of a server that trusts both."""

import json
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from cli.errors import OutputUnusable
from cli.test_devices import settings_text, write_platform
from facegate_client import ApiKey
from server.access.api_keys import new_api_key
from server.configuration.settings import EVALUATION_POLICY
from simulator.devices import TestPlatform

__all__ = [
    "DOUBT_POLICY",
    "FLASH_ALONE_POLICY",
    "FLASH_POLICY",
    "POLICY",
    "TRIAL_POLICY",
    "DemoCaller",
    "Tested",
    "open_tested",
    "write_doubt_policy",
]

POLICY: Final = "standard"
"""Policy of the checks in EXPRESS without evidence."""
TRIAL_POLICY: Final = EVALUATION_POLICY
"""The same for packs for evaluation, which cannot meet the match of others; DYNAMIC raises its mode."""
FLASH_POLICY: Final = "dynamic"
"""Policy of the checks in DYNAMIC without evidence. It demands a blink and the head's depth."""
DOUBT_POLICY: Final = "doubt"
"""Policy of the check whose doubt leads to the flash, with the match of the others."""
FLASH_ALONE_POLICY: Final = "adaptive"
"""The same for packs that cannot measure a blink. It demands only the flash."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DemoCaller:
    """A caller of the demo's server.

    Attributes:
        key: Its API key.
        key_file: A file with it.
    """

    key: ApiKey = field(repr=False)
    key_file: Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Tested:
    """A platform and two callers, and the settings with which a server trusts them.

    Attributes:
        platform: Makes test devices.
        sandbox: The sandbox caller, which makes nearly every check. Its checks accept test devices.
        real: A caller that is not a sandbox caller.
        settings: TOML.
    """

    platform: TestPlatform
    sandbox: DemoCaller
    real: DemoCaller
    settings: str


def open_tested(folder: Path, *, page: str | None = None) -> Tested:
    """Creates a test platform and two callers in a folder.

    Args:
        folder: The folder; it is created if needed.
        page: Origin of a page on this machine that may scan; None for none.

    Raises:
        PlatformUnusable: The folder cannot be written.
        OutputUnusable: A file of a caller cannot be written.
    """
    stored = write_platform(folder, now=datetime.now(UTC))
    keys = folder.resolve() / "api_keys.toml"
    sandbox, sandbox_entry = _caller(folder, "sandbox", sandbox=True)
    real, real_entry = _caller(folder, "real", sandbox=False)
    _write(keys, sandbox_entry + real_entry)
    return Tested(
        platform=stored.platform,
        sandbox=sandbox,
        real=real,
        # JSON strings are TOML strings.
        settings=f"listeners.service.api_keys_file = {json.dumps(str(keys))}\n"
        + settings_text(stored.platform, folder.resolve(), page=page),
    )


def write_doubt_policy(folder: Path, *, max_fmr: float) -> None:
    """Writes the policy ``DOUBT_POLICY``.

    Args:
        folder: The folder of ``open_tested``.
        max_fmr: The bound on the false match rate.

    Raises:
        OutputUnusable: It cannot be written.
    """
    path = folder / "policies" / f"{DOUBT_POLICY}.toml"
    text = f'''\
name = "{DOUBT_POLICY}"
version = 1
description = "For the demonstration: doubt leads to the flash."
mode = "EXPRESS"

[match]
max_fmr = {max_fmr!r}

[doubt]
order = ["flash"]
'''
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise OutputUnusable(f"{path} cannot be written: {error.strerror}") from error


def _caller(folder: Path, name: str, *, sandbox: bool) -> tuple[DemoCaller, str]:
    key, digest = new_api_key()
    file = folder.resolve() / f"{name}_key.txt"
    _write(file, key + "\n")
    entry = (
        f'[[key]]\nname = "{name}"\nsha256 = "{digest}"\nroles = ["orchestrator"]\n'
        f"sandbox = {str(sandbox).lower()}\n"
    )
    return DemoCaller(key=ApiKey(key), key_file=file), entry


def _write(path: Path, text: str) -> None:
    try:
        path.touch(mode=0o600)
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise OutputUnusable(f"{path} cannot be written: {error.strerror}") from error
