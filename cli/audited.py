"""Loads the settings of commands that read or change a server's data, and reports their errors."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated

import typer

from cli.errors import errors_reported
from server.audit import AuditError
from server.base.errors import ConfigurationError
from server.configuration.loading import load_settings
from server.configuration.settings import Settings
from server.storage.errors import StorageError

ReasonOption = Annotated[
    str, typer.Option("--reason", help="Why, for the audit log; at most 256 bytes, and no personal data.")
]


@contextmanager
def server_settings() -> Iterator[Settings]:
    """Load the settings, and report their errors and those of keys, database and log in the block."""
    with errors_reported(ConfigurationError, StorageError, AuditError):
        yield load_settings().settings
