"""Common options of the commands of the audit log, and the errors that their reading may end with."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from cli.checks.connection import Connection
from cli.error_reporting import errors_reported
from cli.errors import CommandError
from server.audit import AuditError
from server.base.errors import ConfigurationError
from server.base.key_validity import PublishedKey
from server.configuration.loading import mask_url
from server.configuration.settings import Settings
from server.keyring.key_files import KeyFiles
from server.keyring.keys import read_audit_keys
from server.storage.errors import StorageError

__all__ = [
    "RemoteOption",
    "SinceOption",
    "TenantOption",
    "database_name",
    "in_utc",
    "log_errors",
    "own_audit_keys",
    "remote_connection",
]

RemoteOption = Annotated[
    str | None,
    typer.Option(
        "--service", help="host:port of a server to ask instead. It shows the log of your tenant only."
    ),
]

TenantOption = Annotated[
    str | None,
    typer.Option(help="Tenant of the entries; `_server` for those of the installation. By default all."),
]
SinceOption = Annotated[
    datetime | None,
    typer.Option(
        formats=["%Y-%m-%d", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%dT%H:%M:%S%z"],
        help="Entries of this time or later; UTC unless it has an offset.",
    ),
]


def in_utc(time: datetime | None) -> datetime | None:
    """Returns the time of an option with its time zone, which is UTC if it has none."""
    return time if time is None or time.tzinfo is not None else time.replace(tzinfo=UTC)


@contextmanager
def log_errors(*, remote: bool = True) -> Iterator[None]:
    """Reports the errors of settings, database and log.

    Args:
        remote: Whether the command has ``--service``, to which the error about a missing database points.
    """
    words = (lambda text: f"{text}{_elsewhere(text)}") if remote else str
    with errors_reported(ConfigurationError, StorageError, AuditError, words=words):
        yield


def remote_connection(
    service: str | None,
    *,
    tenant: str | None,
    api_key_file: Path | None,
    ca: Path | None,
    cert: Path | None,
    key: Path | None,
) -> Connection | None:
    """Returns the connection to a server; ``None`` if the local database is to be read."""
    if service is None:
        return None
    if tenant is not None:
        raise CommandError("a server shows the log of the tenant of your credential: leave out --tenant")
    return Connection(service=service, api_key_file=api_key_file, ca=ca, cert=cert, key=key)


def own_audit_keys(files: KeyFiles) -> tuple[PublishedKey, ...]:
    """Returns the audit keys of a key folder.

    Raises:
        CommandError: It has none.
        KeysUnusable: It cannot be read.
    """
    keys = read_audit_keys(files)
    if not keys:
        raise CommandError(f"{files.folder}: there is no audit key; name the key folder of the server")
    return keys


def database_name(settings: Settings) -> str:
    """Returns the database for people, without its password."""
    return mask_url(settings.database_url)


def _elsewhere(text: str) -> str:
    missing = text.startswith("no database was found")
    return "; to ask a server, name its service listener: --service host:port" if missing else ""
