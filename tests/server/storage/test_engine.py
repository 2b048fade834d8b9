import stat
import sys
from pathlib import Path

import pytest
from sqlalchemy import make_url, text

from server.storage.database import open_database
from server.storage.engine import database_file, is_sqlite, open_postgresql, open_sqlite, reading
from server.storage.errors import StorageUnavailable
from server.storage.repository import CheckRepository
from server.storage.schema import current_revision, upgrade
from tests.server.postgres import PostgresServer
from tests.server.storage.samples import after, new_check


def test_every_connection_has_the_pragmas(sqlite_url: str) -> None:
    engine = open_sqlite(sqlite_url, make=True)
    with engine.connect() as first, reading(engine).connect() as second:
        for connection in (first, second):
            driver = connection.connection.driver_connection
            assert driver is not None
            values = {
                pragma: driver.execute(f"PRAGMA {pragma}").fetchone()[0]
                for pragma in ("journal_mode", "synchronous", "foreign_keys", "secure_delete", "busy_timeout")
            }
            assert values == {
                "journal_mode": "wal",
                "synchronous": 2,
                "foreign_keys": 1,
                "secure_delete": 1,
                "busy_timeout": 10_000,
            }
    engine.dispose()


async def test_the_folder_is_made_for_the_owner_only(sqlite_url: str) -> None:
    database = open_database(sqlite_url, make=True)
    file = database_file(sqlite_url)
    assert file is not None
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700
    await database.close()


def test_a_file_that_does_not_exist_is_made_only_if_that_is_asked(sqlite_url: str) -> None:
    with pytest.raises(StorageUnavailable, match="no database was found"):
        open_database(sqlite_url)
    file = database_file(sqlite_url)
    assert file is not None
    assert not file.parent.exists()


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("not a url", "malformed"),
        ("sqlite://", "needs a file"),
        ("sqlite:///:memory:", "needs a file"),
        ("nosuch+driver://user:hunter2@host/db", "nosuch"),
        ("postgresql://user:hunter2@host/db", r"write postgresql\+asyncpg://"),
        ("postgresql+psycopg://user:hunter2@host/db", r"write postgresql\+asyncpg://"),
        ("sqlite+aiosqlite:///a.db", "write sqlite://"),
    ],
)
def test_an_unusable_url_is_refused_without_its_password(url: str, expected: str) -> None:
    with pytest.raises(StorageUnavailable, match=expected) as caught:
        open_database(url)
    assert "hunter2" not in str(caught.value)


def test_a_folder_that_cannot_be_made_is_reported(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(StorageUnavailable, match="folder"):
        open_database(f"sqlite:///{tmp_path / 'file' / 'x' / 'a.db'}", make=True)


def test_a_driver_that_is_not_installed_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "asyncpg", None)
    with pytest.raises(StorageUnavailable, match="extra postgres"):
        open_database("postgresql+asyncpg://user:hunter2@host/db")


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"password": "wrong"}, "refuses the user or the password"),
        ({"database": "nosuch"}, "no database of that name"),
        ({"host": "/nosuch"}, "cannot be reached"),
        ({"sslmode": "require"}, "ssl=require"),
        ({"ssl": "bogus"}, "ssl=require"),
        ({"max_cached_statement_lifetime": "x"}, "ssl=require"),
    ],
)
async def test_a_failed_connection_comes_with_a_remedy(
    postgres: PostgresServer, changes: dict[str, str], expected: str
) -> None:
    url = postgres.url(**{"database": "postgres"} | changes)
    database = open_database(url)
    for call in (CheckRepository(database).ping(), current_revision(database), upgrade(url)):
        with pytest.raises(StorageUnavailable, match=expected):
            await call
    await database.close()


async def test_postgresql_commits_before_it_answers_whatever_its_default_is(
    postgres: PostgresServer, postgres_url: str
) -> None:
    for default, used in (("off", "on"), ("local", "local"), ("remote_apply", "remote_apply")):
        name = make_url(postgres_url).database
        await postgres.execute(f'ALTER DATABASE "{name}" SET synchronous_commit = {default}')
        await postgres.execute(f'ALTER DATABASE "{name}" SET default_transaction_isolation = serializable')
        engine = open_postgresql(postgres_url)
        async with engine.connect() as connection:
            await connection.rollback()
            for setting, value in (("synchronous_commit", used), ("transaction_isolation", "read committed")):
                assert (await connection.execute(text(f"SHOW {setting}"))).scalar_one() == value
        await engine.dispose()


async def test_a_statement_that_never_ends_is_given_up(
    postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("server.storage.engine.PATIENCE_SECONDS", 0.3)
    await upgrade(postgres_url)
    database, other = open_database(postgres_url), open_postgresql(postgres_url)
    repository = CheckRepository(database)
    check = await repository.create(new_check(), None)
    async with other.begin() as holder:
        await holder.execute(text("LOCK TABLE checks"))
        with pytest.raises(StorageUnavailable, match="too long"):
            await repository.finish(check.check_id, after(1))
    assert await repository.get(check.check_id) == check
    await other.dispose()
    await database.close()


def test_other_databases_have_no_file() -> None:
    assert database_file("postgresql+asyncpg://host/db") is None
    assert not is_sqlite("postgresql+asyncpg://host/db")
