"""The revocation list of Android's attestation certificates: a file that the operator keeps fresh."""

import os
from datetime import UTC, datetime
from pathlib import Path

import structlog

from device_integrity.android import RevocationList, parse_revocation_list
from device_integrity.android.revocation import MAX_LIST_BYTES
from device_integrity.errors import ReferenceDataMalformed

__all__ = ["RevocationFile"]

_log = structlog.get_logger(__name__)


class RevocationFile:
    """Holds the list as it was last read. ``refresh`` reads the file again; calls never do."""

    def __init__(self, path: Path | None) -> None:
        """Reads nothing yet; without a path there never is a list."""
        self._path = path
        self._seen: tuple[int, int, int] | None = None
        self._current: RevocationList | None = None

    @property
    def current(self) -> RevocationList | None:
        """The list, dated by its file; ``None`` while none was readable."""
        return self._current

    def refresh(self) -> None:
        """Reads the file if it changed. One that cannot be read is logged, and the older list grows stale."""
        if self._path is None:
            return
        try:
            with self._path.open("rb") as file:
                # Of what was opened, not of what may lie there by now.
                status = os.fstat(file.fileno())
                seen = (status.st_mtime_ns, status.st_size, status.st_ino)
                if seen == self._seen:
                    return
                data = file.read(MAX_LIST_BYTES + 1)
            fetched = datetime.fromtimestamp(status.st_mtime, UTC)
            self._current = parse_revocation_list(data, fetched_at=fetched)
        except (OSError, ReferenceDataMalformed) as error:
            _log.error("revocation_list_unreadable", path=str(self._path), why=str(error))
            return
        self._seen = seen
        _log.info("revocation_list_read", entries=len(self._current.entries), fetched_at=fetched.isoformat())
