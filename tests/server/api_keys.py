"""API keys of the callers of test servers."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from server.access.api_keys import new_api_key
from tests.server.live import LiveServer
from tests.server.private_files import private


def bearer(key: str) -> tuple[tuple[str, str]]:
    """The metadata of a call with this API key or access token."""
    return (("authorization", f"Bearer {key}"),)


@dataclass(frozen=True, slots=True)
class Keyed:
    """A server whose callers have API keys."""

    live: LiveServer
    keys: dict[str, str]

    def metadata(self, caller: str) -> tuple[tuple[str, str]]:
        """The credentials of a caller."""
        return bearer(self.keys[caller])


def write_keys(folder: Path, callers: Mapping[str, str]) -> tuple[dict[str, Any], dict[str, str]]:
    """Write a file of API keys.

    Args:
        folder: For the file.
        callers: The fields of each caller's entry, besides its name and key, in TOML.

    Returns:
        The listeners of a server that reads the file, and each caller's key.
    """
    keys, entries = {}, []
    for name, fields in callers.items():
        keys[name], digest = new_api_key()
        entries.append(f'[[key]]\nname = "{name}"\nsha256 = "{digest}"\n{fields}\n')
    folder.mkdir(parents=True, exist_ok=True)
    file = private(folder / "keys.toml", "".join(entries))
    return reading_keys(file), keys


def reading_keys(file: Path) -> dict[str, Any]:
    """The listeners of a server that reads this file of API keys."""
    return {"device": {"port": 0}, "service": {"port": 0, "api_keys_file": file}, "admin": {"port": 0}}
