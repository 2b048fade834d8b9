import asyncio
import sqlite3
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Connection

from server.storage import schema
from server.storage.engine import database_file, open_engine
from server.storage.errors import SchemaOutdated, StorageUnavailable
from server.storage.schema import current_revision, needed_revision, prepare_database, upgrade
from server.storage.tables import metadata


async def test_the_migrations_make_exactly_the_tables(url: str) -> None:
    await upgrade(url)
    engine = open_engine(url)

    def differences(connection: Connection) -> list[object]:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        return list(compare_metadata(context, metadata))

    async with engine.connect() as connection:
        assert await connection.run_sync(differences) == []
    await engine.dispose()


async def test_the_database_says_its_revision(url: str, tmp_path: Path) -> None:
    engine = open_engine(url)
    assert await current_revision(engine) is None
    await upgrade(url)
    assert await current_revision(engine) == needed_revision()
    await engine.dispose()


async def test_upgrades_at_once_are_one(url: str) -> None:
    await asyncio.gather(*(prepare_database(url) for _ in range(6)))
    engine = open_engine(url)
    assert await current_revision(engine) == needed_revision()
    await engine.dispose()


async def test_a_database_of_a_newer_version_is_refused_untouched(url: str) -> None:
    await upgrade(url)
    file = database_file(url)
    assert file is not None
    with sqlite3.connect(file) as database:
        database.execute("update alembic_version set version_num = '9999'")
    database.close()
    with pytest.raises(SchemaOutdated, match="newer version"):
        await prepare_database(url)


async def test_a_failed_migration_changes_nothing(url: str) -> None:
    file = database_file(url)
    assert file is not None
    file.parent.mkdir()
    with sqlite3.connect(file) as database:
        # The last table that the migration makes is there already.
        database.execute("create table evidence (x integer)")
    database.close()
    with pytest.raises(StorageUnavailable):
        await prepare_database(url)
    with sqlite3.connect(file) as database:
        tables = {name for (name,) in database.execute("select name from sqlite_master where type = 'table'")}
    database.close()
    assert tables == {"evidence"}


async def test_other_databases_are_not_changed_at_the_start(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    # No other database is at hand; a SQLite file stands for one, so that only the decision is tested.
    monkeypatch.setattr(schema, "is_sqlite", lambda _url: False)
    with pytest.raises(SchemaOutdated, match="facegate db upgrade"):
        await prepare_database(url)
    await upgrade(url)
    await prepare_database(url)


async def test_a_file_that_is_no_database_is_unavailable(url: str) -> None:
    file = database_file(url)
    assert file is not None
    file.parent.mkdir()
    file.write_bytes(b"this is not a database, but long enough to be looked at" * 100)
    with pytest.raises(StorageUnavailable):
        await prepare_database(url)
