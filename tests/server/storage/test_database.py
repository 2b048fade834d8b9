"""Transactions of both databases: atomic, on separate threads, and with one writer at a time."""

import asyncio
import threading
from pathlib import Path

import pytest
from sqlalchemy import Connection, text

from server.storage.database import Database, open_database
from server.storage.errors import RowTaken, StorageUnavailable
from server.storage.schema import needed_revision

_ADD = text("insert into alembic_version values (:name)")
_NAMES = text("select version_num from alembic_version order by version_num")


def _add(connection: Connection, name: str) -> int:
    connection.execute(_ADD, {"name": name})
    return threading.get_ident()


def _names(connection: Connection) -> list[str]:
    return [name for name in connection.execute(_NAMES).scalars() if name != needed_revision()]


async def test_an_exception_rolls_the_transaction_back(database: Database) -> None:
    def work(connection: Connection) -> None:
        _add(connection, "lost")
        raise LookupError("nothing")

    with pytest.raises(LookupError):
        await database.write(work)
    assert await database.read(_names) == []
    await database.write(_add, "kept")
    assert await database.read(_names) == ["kept"]


async def test_database_errors_are_raised_as_storage_errors(database: Database) -> None:
    await database.write(_add, "taken")
    with pytest.raises(RowTaken):
        await database.write(_add, "taken")
    with pytest.raises(StorageUnavailable, match="the database failed"):
        await database.read(lambda connection: connection.execute(text("no statement")))


async def test_failures_are_reported_by_operation_and_a_taken_row_is_none(tmp_path: Path) -> None:
    failed: list[str] = []
    database = open_database(f"sqlite:///{tmp_path / 'a.db'}", make=True, failed=failed.append)
    try:
        await database.write(
            lambda connection: connection.execute(text("CREATE TABLE t (a UNIQUE)")).rowcount
        )
        add = text("INSERT INTO t VALUES (1)")
        await database.write(lambda connection: connection.execute(add).rowcount)
        with pytest.raises(RowTaken):
            await database.write(lambda connection: connection.execute(add).rowcount)
        assert failed == []
        for run in (database.read, database.write):
            with pytest.raises(StorageUnavailable):
                await run(lambda connection: connection.execute(text("no statement")).rowcount)
    finally:
        await database.close()
    assert failed == ["read", "write"]


async def test_many_write_at_once_and_nothing_is_lost(database: Database) -> None:
    names = [f"n{number:02}" for number in range(30)]
    await asyncio.gather(*(database.write(_add, name) for name in names))
    assert await database.read(_names) == names


@pytest.mark.parametrize("url", ["sqlite"], indirect=True)
async def test_sqlite_has_one_thread_that_writes_and_is_not_the_event_loops(database: Database) -> None:
    threads = await asyncio.gather(*(database.write(_add, f"n{number}") for number in range(8)))
    assert len(set(threads)) == 1
    assert threading.get_ident() not in threads


@pytest.mark.parametrize("url", ["sqlite"], indirect=True)
async def test_sqlite_readers_wait_for_no_writer_and_read_committed_data(database: Database) -> None:
    began, release = threading.Event(), threading.Event()

    def slow(connection: Connection) -> None:
        _add(connection, "slow")
        began.set()
        assert release.wait(20)

    writing = asyncio.ensure_future(database.write(slow))
    await asyncio.to_thread(began.wait, 20)
    assert await database.read(_names) == []
    release.set()
    await writing
    assert await database.read(_names) == ["slow"]


@pytest.mark.parametrize("url", ["sqlite"], indirect=True)
async def test_a_write_that_waited_too_long_raises_and_writes_nothing(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("server.storage.engine.PATIENCE_SECONDS", 0.05)
    release = threading.Event()
    held = asyncio.ensure_future(database.write(lambda _connection: release.wait(20)))
    late = asyncio.ensure_future(database.write(_add, "late"))
    await asyncio.sleep(0.1)
    release.set()
    with pytest.raises(StorageUnavailable, match="too long"):
        await late
    assert await held
    assert await database.read(_names) == []
    await database.write(_add, "next")
    assert await database.read(_names) == ["next"]


@pytest.mark.parametrize("url", ["sqlite"], indirect=True)
async def test_closing_waits_for_running_writes(url: str, database: Database) -> None:
    began, release = threading.Event(), threading.Event()

    def slow(connection: Connection) -> None:
        began.set()
        assert release.wait(20)
        _add(connection, "last")

    other = open_database(url)
    writing = asyncio.ensure_future(other.write(slow))
    await asyncio.to_thread(began.wait, 20)
    closing = asyncio.ensure_future(other.close())
    await asyncio.sleep(0.05)
    assert not closing.done()
    release.set()
    await closing
    await writing
    assert await database.read(_names) == ["last"]
    for call in (other.write, other.read):
        with pytest.raises(StorageUnavailable, match="closed"):
            await call(_names)
