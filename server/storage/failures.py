"""Explanations of database errors for the operator. They contain no values and no text of the database."""

import sqlite3
import ssl

from sqlalchemy.exc import DBAPIError, IntegrityError
from sqlalchemy.exc import TimeoutError as NoFreeConnection

from server.storage.errors import RowTaken, StorageUnavailable

__all__ = ["loggable_error", "unavailable"]

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
    "SQLITE_IOERR": "the disk failed",
    "SQLITE_NOTADB": "the file is no SQLite database; move it away, or correct the database URL",
    "SQLITE_READONLY": "the file cannot be written; correct its owner and its permissions",
}


def unavailable(what: str, error: Exception) -> StorageUnavailable:
    """Returns the error to raise instead of ``error``; its cause should be ``loggable_error(error)``.

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
    """Returns ``error`` if its traceback may be logged, otherwise None.

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
