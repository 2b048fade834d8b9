"""Helps commands that change a server to record the change in the audit log."""

import getpass
import os
import platform
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated

import typer

from server.audit import Actor
from server.storage.database import Database, open_database
from server.storage.engine import database_file
from server.storage.schema import expect_revision, prepare_database

__all__ = ["ReasonOption", "audited_database", "shell_actor"]

ReasonOption = Annotated[
    str, typer.Option("--reason", help="Why, for the audit log; at most 256 bytes, and no personal data.")
]


def shell_actor() -> Actor:
    """Returns the user of the shell; with sudo, the user who called it."""
    try:
        user = getpass.getuser()
    except (OSError, KeyError):
        # A user without a name, as in many containers.
        user = f"uid {os.getuid()}"
    caller = os.environ.get("SUDO_USER", "")
    name = f"{caller} as {user}" if caller and caller != user else user
    return Actor(name=_shown(name), role="shell", address=_shown(platform.node()))


@asynccontextmanager
async def audited_database(url: str, *, make: bool = False) -> AsyncIterator[Database]:
    """Opens the database of the audit log.

    Args:
        url: The URL of the database.
        make: Whether a SQLite file that does not exist is made.

    Raises:
        SchemaOutdated: The database is too old for this version, or too new.
        StorageUnavailable: It does not answer.
    """
    file = database_file(url)
    if make and file is not None and not file.exists():
        await prepare_database(url)
    database = open_database(url)
    try:
        await expect_revision(database)
        yield database
    finally:
        await database.close()


def _shown(text: str) -> str:
    return "".join(character if character.isprintable() else "?" for character in text)[:64]
