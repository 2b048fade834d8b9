import errno
import sqlite3
import ssl
import traceback
from pathlib import Path

import pytest
from sqlalchemy import make_url
from sqlalchemy.exc import ArgumentError

from server.storage.database import open_database
from server.storage.errors import StorageUnavailable, unavailable
from server.storage.repository import CheckRepository
from server.storage.schema import upgrade
from tests.server.postgres import PostgresServer
from tests.server.storage.samples import after, decision, entry, new_check


async def _failure(url: str) -> str:
    """Returns the error message for a check that cannot be created."""
    database = open_database(url)
    with pytest.raises(StorageUnavailable) as caught:
        await CheckRepository(database).create(new_check(), None)
    await database.close()
    return str(caught.value)


async def test_a_postgresql_without_tables_is_to_be_upgraded(postgres_url: str) -> None:
    assert "run facegate db upgrade" in await _failure(postgres_url)


async def test_a_postgresql_that_only_reads_is_no_primary(
    postgres: PostgresServer, postgres_url: str
) -> None:
    await upgrade(postgres_url)
    name = make_url(postgres_url).database
    await postgres.execute(f'ALTER DATABASE "{name}" SET default_transaction_read_only = on')
    assert "point the database URL to the primary" in await _failure(postgres_url)


async def test_a_user_without_rights_is_to_be_granted_them(
    postgres: PostgresServer, postgres_url: str
) -> None:
    await upgrade(postgres_url)
    await postgres.execute("CREATE ROLE nobodys LOGIN PASSWORD 'hunter2'")
    theirs = make_url(postgres_url).set(username="nobodys", password="hunter2")
    message = await _failure(theirs.render_as_string(hide_password=False))
    assert "lacks a privilege there; grant it" in message
    assert "hunter2" not in message


async def test_a_postgresql_that_takes_no_more_connections_is_reported(
    postgres: PostgresServer, postgres_url: str
) -> None:
    await upgrade(postgres_url)
    await postgres.execute("CREATE ROLE alone LOGIN PASSWORD 'x' CONNECTION LIMIT 0")
    theirs = make_url(postgres_url).set(username="alone", password="x")
    assert "no more connections" in await _failure(theirs.render_as_string(hide_password=False))


async def test_a_server_that_died_is_named_and_found_again_once_it_is_back(
    postgres: PostgresServer, postgres_url: str
) -> None:
    await upgrade(postgres_url)
    database = open_database(postgres_url)
    repository = CheckRepository(database)
    first = await repository.create(new_check(), None)
    postgres.kill()
    with pytest.raises(StorageUnavailable, match="test its server"):
        await repository.ping()
    postgres.start()
    assert await repository.get(first.check_id) == first
    await database.close()


async def test_a_sqlite_file_in_the_way_is_reported(tmp_path: Path) -> None:
    (tmp_path / "folder.db").mkdir()
    assert "correct the owner and the permissions" in await _failure(f"sqlite:///{tmp_path}/folder.db")
    (tmp_path / "text.db").write_text("this is not a database" * 100)
    assert "no SQLite database" in await _failure(f"sqlite:///{tmp_path}/text.db")


async def test_a_damaged_sqlite_file_is_to_be_restored(tmp_path: Path) -> None:
    file = tmp_path / "a.db"
    await upgrade(f"sqlite:///{file}")
    data = bytearray(file.read_bytes())
    # All pages except the first, which contains the header and the list of tables.
    data[4096:] = b"\xff" * (len(data) - 4096)
    file.write_bytes(data)
    assert "restore a backup" in await _failure(f"sqlite:///{file}")


async def test_a_locked_sqlite_file_is_waited_for_and_then_given_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("server.storage.engine._PRAGMAS", ("busy_timeout=50",))
    file = tmp_path / "a.db"
    await upgrade(f"sqlite:///{file}")
    holder = sqlite3.connect(file, isolation_level=None)
    holder.execute("BEGIN EXCLUSIVE")
    assert "another process held the file" in await _failure(f"sqlite:///{file}")
    holder.close()


async def test_a_failure_of_the_driver_itself_is_reported_alike(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    database = open_database(f"sqlite:///{tmp_path}/a.db", make=True)

    def fail(*_args: object) -> None:
        sqlite3.connect(tmp_path)

    assert await database.forget_overwritten()
    monkeypatch.setattr("server.storage.database._truncate_log", fail)
    with pytest.raises(StorageUnavailable, match="cannot be opened"):
        await database.forget_overwritten()
    await database.close()


def test_an_unknown_error_is_reported_by_its_kind_only() -> None:
    secret = ArgumentError("hunter2")
    assert str(unavailable("the database failed", secret)) == "the database failed (ArgumentError)"
    message = str(unavailable("the database failed", OSError(errno.EHOSTUNREACH, "hunter2")))
    assert message.endswith("(OSError)")
    assert "cannot be reached" in message


async def test_a_certificate_that_does_not_hold_is_no_wrong_option(monkeypatch: pytest.MonkeyPatch) -> None:
    async def refuse(*_args: object, **_options: object) -> None:
        raise ssl.SSLCertVerificationError("self-signed certificate")

    pytest.importorskip("asyncpg", reason="no PostgreSQL driver: install the extra postgres")
    monkeypatch.setattr("asyncpg.connect", refuse)
    assert "certificate is not valid" in await _failure("postgresql+asyncpg://host/db?ssl=verify-full")


@pytest.mark.parametrize("url", ["postgres"], indirect=True)
async def test_no_value_comes_into_a_traceback(repository: CheckRepository) -> None:
    check = await repository.create(new_check(), None)
    taken = entry("the-same-object")
    too_large = 2**70 + 12_345
    for call, value in (
        (
            lambda: repository.decide(check.check_id, epoch=None, decision=decision(taken, taken)),
            "same-object",
        ),
        (lambda: repository.due(after(0), too_large), str(too_large)),
    ):
        with pytest.raises(StorageUnavailable) as caught:
            await call()
        # The causes contain the value, because they are the messages of the database or the driver.
        assert value in _printed(caught.value.__context__)
        printed = _printed(caught.value)
        assert "the database failed" in printed
        assert value not in printed


def _printed(error: BaseException | None) -> str:
    return "".join(traceback.format_exception(error))
