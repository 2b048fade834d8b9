"""The revocation list of Android's attestation certificates: a file that the operator keeps up to date.

A record beside the list states when the list was fetched, because the time of a file changes when it is
copied, restored or touched. ``facegate attest revocation`` writes both files.
"""

import json
from datetime import datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import Final

import structlog

from device_integrity import ReferenceDataMalformed
from device_integrity.android import MAX_LIST_BYTES, RevocationList, parse_revocation_list
from formats.private_files import READABLE, write_atomically
from server.base.private_files import PrivateFileError, read_trusted_file

_MAX_RECORD_BYTES: Final = 4096
_log = structlog.get_logger(__name__)


def record_path(list_path: Path) -> Path:
    """Return the path of a list's record: the list's path with ``.fetched`` appended."""
    return list_path.with_name(list_path.name + ".fetched")


def write_revocation_files(path: Path, data: bytes, *, fetched_at: datetime) -> None:
    """Write a list and the record of its download, each atomically.

    Args:
        data: The bytes of the list, as fetched.
        fetched_at: When it was fetched, with a time zone.

    Raises:
        ReferenceDataMalformed: The bytes are not a list.
        OSError: A file cannot be written.
    """
    parse_revocation_list(data, fetched_at=fetched_at)
    record = {"sha256": sha256(data).hexdigest(), "fetched_at": fetched_at.isoformat()}
    # The server refuses a file that others may write.
    write_atomically(path, data, mode=READABLE, over=True)
    write_atomically(record_path(path), json.dumps(record).encode() + b"\n", mode=READABLE, over=True)


def read_revocation_files(path: Path) -> RevocationList:
    """Read a list, dated by the record beside it.

    Raises:
        ReferenceDataMalformed: The bytes are not a list, there is no record, or it belongs to another list.
        OSError: A file cannot be read.
    """
    try:
        data = read_trusted_file(path, max_bytes=MAX_LIST_BYTES)
    except PrivateFileError as error:
        raise ReferenceDataMalformed(str(error)) from error
    digest, fetched_at = _read_record(record_path(path))
    if digest != sha256(data).hexdigest():
        raise ReferenceDataMalformed(
            f"{record_path(path)} is the record of another list; fetch the list again with "
            "`facegate attest revocation`"
        )
    return parse_revocation_list(data, fetched_at=fetched_at)


class RevocationFile:
    """Holds the list as last read. Only ``refresh`` reads the files again."""

    def __init__(self, path: Path | None, *, max_age: timedelta = timedelta(days=2)) -> None:
        """Initialise the list without reading it; without a path there is never a list.

        Args:
            max_age: The age from which the list is too old to pass its test.
        """
        self._path = path
        self.max_age = max_age
        """The age from which the list is too old to pass its test."""
        self._state: tuple[int, ...] | None = None
        self.current: RevocationList | None = None
        """The list; ``None`` as long as none could be read."""
        self._warned: datetime | None = None

    def age(self, now: datetime) -> timedelta | None:
        """Return the age of the list; ``None`` without a list."""
        return None if self.current is None else now - self.current.fetched_at

    def refresh(self, now: datetime) -> bool:
        """Read the files if they changed, and warn if the list is getting old.

        If the files cannot be used, that is logged and the older list stays.

        Returns:
            Whether the current list is the one in the files; True without a path.
        """
        if self._path is None:
            return True
        usable = True
        try:
            state = (*_state(self._path), *_state(record_path(self._path)))
            if state != self._state:
                self.current = read_revocation_files(self._path)
                self._state, self._warned = state, None
                _log.info(
                    "revocation_list_read",
                    entries=len(self.current.entries),
                    fetched_at=self.current.fetched_at.isoformat(),
                )
        except (OSError, ReferenceDataMalformed) as error:
            usable = False
            _log.error("revocation_list_unreadable", path=str(self._path), why=str(error))
        self._warn(now)
        return usable

    def _warn(self, now: datetime) -> None:
        """Warn from half of the maximum age on, once for each further tenth of it."""
        age = self.age(now)
        if age is None or age < self.max_age / 2:
            return
        if self._warned is None or now - self._warned >= self.max_age / 10:
            self._warned = now
            _log.warning(
                "revocation_list_old",
                age_hours=round(age.total_seconds() / 3600, 1),
                max_age_hours=round(self.max_age.total_seconds() / 3600, 1),
                usable=age <= self.max_age,
            )


def _read_record(path: Path) -> tuple[str, datetime]:
    """Return SHA-256 of the list, lower-case hexadecimal, and when it was fetched."""
    try:
        document = json.loads(read_trusted_file(path, max_bytes=_MAX_RECORD_BYTES))
        digest, fetched_at = str(document["sha256"]), datetime.fromisoformat(document["fetched_at"])
        if fetched_at.tzinfo is None:
            raise ValueError("a time without a time zone")
    except PrivateFileError as error:
        raise ReferenceDataMalformed(str(error)) from error
    except FileNotFoundError as error:
        raise ReferenceDataMalformed(
            f"{path} is missing, so it is unknown when the list was fetched; fetch the list with "
            "`facegate attest revocation`, which writes both files"
        ) from error
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise ReferenceDataMalformed(f"{path} is not a download record") from error
    return digest, fetched_at


def _state(path: Path) -> tuple[int, int, int]:
    status = path.stat() if path.exists() else None
    return (0, 0, 0) if status is None else (status.st_mtime_ns, status.st_size, status.st_ino)
