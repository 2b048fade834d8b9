"""The TLS keys that devices may see: those of the device listener and of the operator's proxies.

A key counts before its first use and after its last, because certificates are not renewed on all machines at
the same moment. The next key counts as soon as it is listed. A key that was removed from the list, or that
the listener does not use any more, counts for another day.
"""

import re
from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Final

import structlog

from server.base.errors import ConfigurationError
from server.base.private_files import WatchedFile, read_trusted_file

_MAX_FILE_BYTES: Final = 64 * 1024
_SHA256: Final = re.compile(r"[0-9a-fA-F]{64}")
_KEPT: Final = timedelta(days=1)

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class ServerKeys:
    """The TLS keys that devices may see.

    Attributes:
        keys: SHA-256 of each SubjectPublicKeyInfo, 32 bytes; empty without TLS.
        complete: Whether the operator states that there are no other keys.
    """

    keys: frozenset[bytes]
    complete: bool = False


class ServerKeyList:
    """Holds the keys as last read. Only ``refresh`` reads the file again."""

    def __init__(
        self,
        *,
        listed: Collection[bytes],
        file: Path | None,
        shown: Callable[[], bytes | None],
        complete: bool,
        monotonic: Callable[[], float],
    ) -> None:
        """Read the file, which may block briefly.

        Args:
            listed: The keys of the settings.
            file: A file with further keys, one in each line.
            shown: Returns SHA-256 of the key that the device listener uses now; ``None`` without TLS.
            complete: Whether the operator states that there are no other keys.

        Raises:
            ConfigurationError: The file cannot be read, or the list should be complete and is empty.
        """
        self._file = None if file is None else WatchedFile(file, _read_list)
        self._shown = shown
        self._always = frozenset(listed)
        self._complete = complete
        self._monotonic = monotonic
        self._last_listed: dict[bytes, float] = {}
        self.current = self._counted()
        """The keys that count."""
        if complete and not self.current.keys:
            raise ConfigurationError(
                'device_integrity: server_keys = "complete" needs a key: give the device listener a TLS '
                "certificate, or list those of your proxies in server_keys_file or proxy_spki_sha256"
            )

    def refresh(self) -> None:
        """Read the file again if it changed. If it cannot be read, that is logged and the keys stay."""
        if self._file is not None:
            try:
                if self._file.refresh():
                    _log.info("server_keys_read", path=str(self._file.path), keys=len(self._file.content))
            except ConfigurationError as error:
                _log.error("server_keys_unreadable", path=str(self._file.path), why=str(error))
        self.current = self._counted()

    def _counted(self) -> ServerKeys:
        now = self._monotonic()
        listed = frozenset() if self._file is None else self._file.content
        shown = self._shown()
        self._last_listed |= dict.fromkeys(listed if shown is None else listed | {shown}, now)
        oldest = now - _KEPT.total_seconds()
        self._last_listed = {key: time for key, time in self._last_listed.items() if time >= oldest}
        return ServerKeys(self._always | self._last_listed.keys(), complete=self._complete)


def _read_list(path: Path) -> frozenset[bytes]:
    """Read one SHA-256 in hex digits from each line; other words and text after ``#`` are comments."""
    try:
        text = read_trusted_file(path, max_bytes=_MAX_FILE_BYTES).decode("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"{path}: cannot be read: {error}") from error
    if len(text) > _MAX_FILE_BYTES:
        raise ConfigurationError(f"{path}: has more than {_MAX_FILE_BYTES} bytes")
    found = set()
    for number, line in enumerate(text.splitlines(), start=1):
        words = line.partition("#")[0].split()
        if not words:
            continue
        if not _SHA256.fullmatch(words[0]):
            raise ConfigurationError(f"{path}: line {number} does not begin with a SHA-256 in 64 hex digits")
        found.add(bytes.fromhex(words[0]))
    return frozenset(found)
