import asyncio

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Connection, inspect, text

from server.storage.database import open_database
from server.storage.engine import database_file
from server.storage.errors import SchemaOutdated, StorageUnavailable
from server.storage.schema import current_revision, expect_usable, needed_revision, prepare_database, upgrade
from server.storage.tables import metadata


async def test_the_migrations_make_exactly_the_tables(url: str) -> None:
    await upgrade(url)
    database = open_database(url)

    def differences(connection: Connection) -> list[object]:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        return list(compare_metadata(context, metadata))

    assert await database.read(differences) == []
    await database.close()


async def test_the_database_reports_its_revision(url: str) -> None:
    database = open_database(url, make=True)
    assert await current_revision(database) is None
    await upgrade(url)
    assert await current_revision(database) == needed_revision()
    await database.close()


async def test_upgrades_at_once_are_one(url: str) -> None:
    await asyncio.gather(*(upgrade(url) for _ in range(6)))
    database = open_database(url)
    assert await current_revision(database) == needed_revision()
    await database.close()


async def test_a_database_of_a_newer_version_is_refused_untouched(url: str) -> None:
    await upgrade(url)
    await _execute(url, "update alembic_version set version_num = '9999'")
    await _execute(url, "update schema_floor set revision = '9999'")
    for refused in (upgrade, prepare_database):
        with pytest.raises(SchemaOutdated, match="newer version"):
            await refused(url)


async def test_a_database_that_a_newer_version_only_expanded_is_used_as_it_is(url: str) -> None:
    await upgrade(url)
    await _execute(url, "update alembic_version set version_num = '9999'")
    await prepare_database(url)
    with pytest.raises(SchemaOutdated, match="newer version"):
        await upgrade(url)
    database = open_database(url, expect=expect_usable)
    assert await current_revision(database) == "9999"
    await _execute(url, "update schema_floor set revision = '9999'")
    for transaction in (database.read, database.write):
        with pytest.raises(SchemaOutdated, match="newer version"):
            await transaction(lambda _: None)
    await database.close()


async def test_a_failed_migration_changes_nothing(url: str) -> None:
    # The last table of the migration exists already.
    await _execute(url, "create table evidence (x integer)")
    with pytest.raises(StorageUnavailable):
        await upgrade(url)
    assert await _tables(url) == {"evidence"}


async def test_a_started_server_does_not_change_a_database_that_others_may_use(postgres_url: str) -> None:
    with pytest.raises(SchemaOutdated, match="facegate db upgrade"):
        await prepare_database(postgres_url)
    assert await _tables(postgres_url) == set()
    await upgrade(postgres_url)
    await prepare_database(postgres_url)


async def test_a_started_server_upgrades_its_own_file(sqlite_url: str) -> None:
    await prepare_database(sqlite_url)
    assert await _tables(sqlite_url) == {*metadata.tables, "alembic_version"}


async def _execute(url: str, statement: str) -> None:
    database = open_database(url, make=True)
    await database.write(lambda connection: connection.execute(text(statement)))
    await database.close()


async def _tables(url: str) -> set[str]:
    database = open_database(url)
    names = await database.read(lambda connection: inspect(connection).get_table_names())
    await database.close()
    return set(names)


async def test_a_file_that_is_no_database_is_unavailable(sqlite_url: str) -> None:
    file = database_file(sqlite_url)
    assert file is not None
    file.parent.mkdir()
    file.write_bytes(b"this is not a database, but long enough to be looked at" * 100)
    with pytest.raises(StorageUnavailable):
        await prepare_database(sqlite_url)
