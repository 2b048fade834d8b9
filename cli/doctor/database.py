"""The database: reachable, at the right revision, durable, and with room for connections."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from sqlalchemy import Connection, text

from cli.doctor.finding import Deployment, Finding, failure, fine, not_examined, warning
from server.configuration.settings import Settings
from server.storage.database import Database, open_database
from server.storage.engine import MOST_CONNECTIONS, is_sqlite
from server.storage.errors import StorageError
from server.storage.schema import current_revision, needed_revision

__all__ = ["NOT_EXAMINED", "examine_database", "existing_database", "names_sqlite"]

NOT_EXAMINED: Final = not_examined("DATABASE_NOT_EXAMINED", "the database cannot be used; see database")


@asynccontextmanager
async def existing_database(settings: Settings) -> AsyncIterator[Database]:
    """Opens the database.

    Raises:
        StorageError: There is none, or it cannot be used.
    """
    database = open_database(settings.database_url)
    try:
        yield database
    finally:
        await database.close()


async def examine_database(deployment: Deployment) -> list[Finding]:
    """Connects, compares the revision, and reads the database's own settings."""
    settings = deployment.settings
    kind = "SQLite" if names_sqlite(settings) else "PostgreSQL"
    try:
        async with existing_database(settings) as database:
            current, needed = await current_revision(database), needed_revision()
            if current != needed:
                return [
                    failure(
                        "MIGRATIONS_MISSING",
                        f"revision {current or 'none'}",
                        expected=f"revision {needed}",
                        remedy="facegate db upgrade",
                    )
                ]
            found = [fine("DATABASE_REACHABLE", f"{kind}, revision {current}")]
            if kind == "PostgreSQL":
                found += await database.read(_postgresql)
            return found
    except StorageError as error:
        return [
            failure(
                "DATABASE_UNREACHABLE",
                str(error),
                expected=f"a {kind} database that answers",
                remedy="correct storage.database_url or its server; the first start of a new deployment, or "
                "facegate db upgrade, makes a SQLite file",
            )
        ]


def names_sqlite(settings: Settings) -> bool:
    """Returns whether the URL names SQLite; false for a malformed one."""
    try:
        return is_sqlite(settings.database_url)
    except StorageError:
        return False


def _postgresql(connection: Connection) -> list[Finding]:
    def shown(name: str) -> str:
        return str(connection.execute(text("SELECT current_setting(:name)"), {"name": name}).scalar_one())

    most = int(shown("max_connections")) - int(shown("superuser_reserved_connections"))
    used = connection.execute(
        text("SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend'")
    )
    free = most - int(used.scalar_one())
    found = [
        fine("CONNECTIONS_FREE", f"{free} of {most}")
        if free >= MOST_CONNECTIONS
        else warning(
            "CONNECTIONS_FEW",
            f"{free} of {most} connections are free",
            expected=f"{MOST_CONNECTIONS}, which one server may open",
            remedy="raise max_connections of the database, or run fewer servers",
        )
    ]
    found += [
        warning(
            "DATABASE_NOT_DURABLE",
            f"{name} is off",
            expected="on: a verdict must be durable before a caller sees it",
            remedy=f"set {name} = on in postgresql.conf",
        )
        for name in ("fsync", "full_page_writes")
        if shown(name) == "off"
    ]
    return found
