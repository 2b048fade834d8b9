"""The errors of the database and the object store.

::

    StorageError
    ├── StorageUnavailable    the database or the object store did not answer correctly
    │   └── RowTaken              another writer inserted the same row, or one that this one needs is missing
    ├── SchemaOutdated        the database is older than this version needs, or too new for it
    ├── CheckNotFound         no check has this identifier
    ├── Conflict              another writer was first: the expected state or epoch is not current
    ├── SessionKeyMismatch    the check is bound to another session key
    ├── SessionKeyUnproven    the check is bound to this session key, but its proof is missing
    ├── TriesExceeded         too many checks of the same subject, portrait or device failed or run
    ├── RequestIdReused       the request_id was used before, with another payload
    ├── OnHold                a hold keeps the check
    ├── HoldNotFound          the check has no hold with this reference
    └── ObjectNotFound        no object under that key

Messages contain no biometric data, no token and no key. Exceptions of SQLAlchemy, Alembic, obstore and the
file system do not leave this folder; they are the ``__cause__`` of one of the above. Exceptions of PostgreSQL
are dropped, because their messages contain values.

Their messages explain an error of the database to the operator, without its values and its text.
"""

import sqlite3
import ssl
from datetime import datetime
from uuid import UUID

from sqlalchemy.exc import DBAPIError, IntegrityError
from sqlalchemy.exc import TimeoutError as NoFreeConnection

from server.domain.terms import CheckState
from server.domain.tries import Standing, TryKind

# Keys are whole SQLSTATEs or their classes (https://www.postgresql.org/docs/current/errcodes-appendix.html).
_POSTGRESQL = {
    "28": "it refuses the user or the password in the database URL",
    "3D000": "its server has no database of that name; create it, or correct the database URL",
    "42501": "the user in the database URL lacks a privilege there; grant it",
    "42P01": "a table is missing; run facegate db upgrade",
    "25006": "it is read-only; point the database URL to the primary",
    "53100": "its disk is full",
    "53300": "it accepts no more connections; raise its max_connections",
    "57014": "it took too long",
    "57P": "it is starting, stopping or was killed",
}
# Keys are beginnings of result code names (https://www.sqlite.org/rescode.html).
_SQLITE = {
    "SQLITE_BUSY": "another process held the file for too long",
    "SQLITE_CANTOPEN": "the file cannot be opened; correct the owner and the permissions of its folder",
    "SQLITE_CORRUPT": "the file is damaged; restore a backup",
    "SQLITE_FULL": "the disk is full",
    "SQLITE_IOERR": "the disk failed, or is full",
    "SQLITE_NOTADB": "the file is no SQLite database; move it away, or correct the database URL",
    "SQLITE_READONLY": "the file cannot be written; correct its owner and its permissions",
}


class StorageError(Exception):
    """The base class of all errors of the database and the object store."""


class StorageUnavailable(StorageError):
    """The database or the object store could not perform an operation; a retry may help."""


class RowTaken(StorageUnavailable):
    """A constraint of the database is violated, usually because another writer inserted the same row."""


class SchemaOutdated(StorageError):
    """The database is older than this version needs, or a newer version shut this one out."""


class CheckNotFound(StorageError):
    """No check has this identifier."""

    def __init__(self, check_id: UUID) -> None:
        super().__init__(f"there is no check {check_id}")


class TriesExceeded(StorageError):
    """Too many checks of the same subject, portrait or device failed, or are running.

    Attributes:
        kind: The kind of the mark that the limit applies to.
        standing: BUSY, LOCKED or BLOCKED.
        until: When a further check may be allowed.
    """

    def __init__(self, kind: TryKind, standing: Standing, until: datetime) -> None:
        super().__init__(f"the {kind.value} is {standing.value}")
        self.kind = kind
        self.standing = standing
        self.until = until


class Conflict(StorageError):
    """Another writer was first: the check is not in an expected state, or its lease epoch has changed."""

    def __init__(self, message: str, *, state: CheckState, lease_epoch: int) -> None:
        super().__init__(f"{message}: the check is {state.value}, its lease epoch is {lease_epoch}")
        self.state = state
        self.lease_epoch = lease_epoch


class SessionKeyMismatch(StorageError):
    """The check is bound to the session key of its first stream, and this stream has another key."""


class SessionKeyUnproven(StorageError):
    """The check was bound to this session key after the caller had read it, so the key must be proved now."""


class RequestIdReused(StorageError):
    """The ``request_id`` was used before with another payload."""

    def __init__(self) -> None:
        super().__init__("this request_id was used before with another payload")


class OnHold(StorageError):
    """The check cannot be erased, because holds keep it."""

    def __init__(self, holds: int) -> None:
        super().__init__(f"{holds} holds keep the check")
        self.holds = holds


class HoldNotFound(StorageError):
    """The check has no hold with this reference."""

    def __init__(self) -> None:
        super().__init__("the check has no hold with this reference")


class ObjectNotFound(StorageError):
    """No object is stored under this key."""

    def __init__(self, key: str) -> None:
        super().__init__(f"there is no object {key}")
        self.key = key


def unavailable(what: str, error: Exception) -> StorageUnavailable:
    """Return the error to raise instead of ``error``; its cause should be ``loggable_error(error)``.

    Args:
        what: The operation that failed, such as ``"the database failed"``.
        error: An exception of SQLAlchemy, of the driver or of the operating system.
    """
    code = _code(error)
    name = f"{type(error).__name__}" if code is None else f"{type(error).__name__} {code}"
    meaning = _meaning(error, code)
    message = f"{what} ({name})" if meaning is None else f"{what}: {meaning} ({name})"
    return (RowTaken if isinstance(error, IntegrityError) else StorageUnavailable)(message)


def loggable_error(error: Exception) -> Exception | None:
    """Return ``error`` if its traceback may be logged, otherwise None.

    PostgreSQL and its driver include values of the statement and of the row in their messages. The operator
    finds these in the log of the database.
    """
    may_hold_values = isinstance(error, DBAPIError) and not isinstance(error.orig, sqlite3.Error)
    return None if may_hold_values else error


def _code(error: Exception) -> str | None:
    # An error of SQLite's own driver, which was called directly, has no SQLAlchemy error around it.
    origin = error.orig if isinstance(error, DBAPIError) else error
    code = getattr(origin, "sqlite_errorname" if isinstance(origin, sqlite3.Error) else "sqlstate", None)
    return code if isinstance(code, str) else None


def _meaning(error: Exception, code: str | None) -> str | None:
    if isinstance(error, TimeoutError):
        return "it took too long"
    if isinstance(error, ssl.SSLCertVerificationError):
        return (
            "the server's certificate is not valid; give its authority in PGSSLROOTCERT, "
            "and in the database URL a host that the certificate names"
        )
    if isinstance(error, OSError):
        return "it cannot be reached; test its server and the database URL"
    if isinstance(error, NoFreeConnection):
        return "all connections to it stayed in use for too long"
    if code is None:
        return None
    meanings = _SQLITE if code.startswith("SQLITE_") else _POSTGRESQL
    return next((meaning for start, meaning in meanings.items() if code.startswith(start)), None)
