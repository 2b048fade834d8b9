"""The revocation list of Android's attestation certificates: a file that the operator keeps fresh.

Beside the list lies the record of its download, which says when it was fetched: the time of a file changes
when the file is copied, restored or touched. ``facegate attest revocation`` writes both.
"""

import json
import os
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import Final

import structlog

from device_integrity.android import RevocationList, parse_revocation_list
from device_integrity.android.revocation import MAX_LIST_BYTES
from device_integrity.errors import ReferenceDataMalformed
from server.private_files import PrivateFileError, read_trusted_file

__all__ = [
    "DownloadRecord",
    "RevocationFile",
    "read_revocation_files",
    "record_path",
    "write_revocation_files",
]

_MAX_RECORD_BYTES: Final = 4096
_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class DownloadRecord:
    """When a list was fetched.

    Attributes:
        sha256: Of the list's bytes, lower-case hexadecimal.
        fetched_at: When, with a time zone.
    """

    sha256: str
    fetched_at: datetime


def record_path(list_path: Path) -> Path:
    """Where the record of a list lies: beside it, with ``.fetched`` behind its name."""
    return list_path.with_name(list_path.name + ".fetched")


def write_revocation_files(path: Path, data: bytes, *, fetched_at: datetime) -> None:
    """Writes a list and the record of its download, each whole or not at all.

    Args:
        path: The list.
        data: Its bytes, as they were fetched.
        fetched_at: When, with a time zone.

    Raises:
        ReferenceDataMalformed: The bytes are not a list.
        OSError: A file cannot be written.
    """
    parse_revocation_list(data, fetched_at=fetched_at)
    record = {"sha256": sha256(data).hexdigest(), "fetched_at": fetched_at.isoformat()}
    _replace(path, data)
    _replace(record_path(path), json.dumps(record).encode() + b"\n")


def read_revocation_files(path: Path) -> RevocationList:
    """A list, dated by the record beside it.

    Raises:
        ReferenceDataMalformed: The bytes are no list, there is no record, or it is of another list.
        OSError: A file cannot be read.
    """
    try:
        data = read_trusted_file(path, max_bytes=MAX_LIST_BYTES)
    except PrivateFileError as error:
        raise ReferenceDataMalformed(str(error)) from error
    record = _read_record(record_path(path))
    if record.sha256 != sha256(data).hexdigest():
        raise ReferenceDataMalformed(
            f"{record_path(path)} is the record of another list; fetch the list again with "
            "`facegate attest revocation`"
        )
    return parse_revocation_list(data, fetched_at=record.fetched_at)


class RevocationFile:
    """Holds the list as it was last read. ``refresh`` reads the files again; calls never do."""

    def __init__(self, path: Path | None, *, max_age: timedelta = timedelta(days=2)) -> None:
        """Reads nothing yet; without a path there never is a list.

        Args:
            path: The list.
            max_age: From which age on it no longer passes.
        """
        self._path = path
        self._max_age = max_age
        self._seen: tuple[int, ...] | None = None
        self._current: RevocationList | None = None
        self._warned: datetime | None = None

    @property
    def max_age(self) -> timedelta:
        """From which age on the list no longer passes."""
        return self._max_age

    @property
    def current(self) -> RevocationList | None:
        """The list; ``None`` while none was readable."""
        return self._current

    def age(self, now: datetime) -> timedelta | None:
        """How old the list is; ``None`` without one."""
        return None if self._current is None else now - self._current.fetched_at

    def refresh(self, now: datetime) -> bool:
        """Reads the files if they changed, and warns of a list that grows old.

        Files that cannot be used are logged, and the older list stays.

        Args:
            now: The present time, with a time zone.

        Returns:
            Whether the list in force is what the files say; True without a path.
        """
        if self._path is None:
            return True
        usable = True
        try:
            seen = (*_state(self._path), *_state(record_path(self._path)))
            if seen != self._seen:
                self._current = read_revocation_files(self._path)
                self._seen, self._warned = seen, None
                _log.info(
                    "revocation_list_read",
                    entries=len(self._current.entries),
                    fetched_at=self._current.fetched_at.isoformat(),
                )
        except (OSError, ReferenceDataMalformed) as error:
            usable = False
            _log.error("revocation_list_unreadable", path=str(self._path), why=str(error))
        self._warn(now)
        return usable

    def _warn(self, now: datetime) -> None:
        """Warns from half of the allowed age on, once for each further tenth of it."""
        age = self.age(now)
        if age is None or age < self._max_age / 2:
            return
        if self._warned is None or now - self._warned >= self._max_age / 10:
            self._warned = now
            _log.warning(
                "revocation_list_old",
                age_hours=round(age.total_seconds() / 3600, 1),
                max_age_hours=round(self._max_age.total_seconds() / 3600, 1),
                usable=age <= self._max_age,
            )


def _read_record(path: Path) -> DownloadRecord:
    try:
        document = json.loads(read_trusted_file(path, max_bytes=_MAX_RECORD_BYTES))
        record = DownloadRecord(
            sha256=str(document["sha256"]), fetched_at=datetime.fromisoformat(document["fetched_at"])
        )
        if record.fetched_at.tzinfo is None:
            raise ValueError("a time without a time zone")
    except PrivateFileError as error:
        raise ReferenceDataMalformed(str(error)) from error
    except FileNotFoundError as error:
        raise ReferenceDataMalformed(
            f"{path} is missing, so it is unknown when the list was fetched; fetch the list with "
            "`facegate attest revocation`, or state the time with `--fetched-at`"
        ) from error
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise ReferenceDataMalformed(f"{path} is not a download record") from error
    return record


def _state(path: Path) -> tuple[int, int, int]:
    status = path.stat() if path.exists() else None
    return (0, 0, 0) if status is None else (status.st_mtime_ns, status.st_size, status.st_ino)


def _replace(path: Path, data: bytes) -> None:
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    try:
        with temporary.open("wb") as file:
            # The server refuses a file that others may write, which the caller's umask may allow.
            os.fchmod(file.fileno(), os.fstat(file.fileno()).st_mode & 0o644)
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
