"""Transactions of both databases: atomic, on separate threads, and with one writer at a time."""

import asyncio
import threading

import pytest
from sqlalchemy import Connection, text

from server.storage.database import Database, open_database
from server.storage.errors import RowTaken, StorageUnavailable

_ADD = text("insert into alembic_version values (:name)")
_NAMES = text("select version_num from alembic_version order by version_num")


def _add(connection: Connection, name: str) -> int:
    connection.execute(_ADD, {"name": name})
    return threading.get_ident()


def _names(connection: Connection) -> list[str]:
    return [name for name in connection.execute(_NAMES).scalars() if not name.isdigit()]


async def test_what_a_transaction_raises_undoes_all_of_it(database: Database) -> None:
    def work(connection: Connection) -> None:
        _add(connection, "lost")
        raise LookupError("nothing")

    with pytest.raises(LookupError):
        await database.write(work)
    assert await database.read(_names) == []
    await database.write(_add, "kept")
    assert await database.read(_names) == ["kept"]


async def test_what_the_database_refuses_is_told_as_the_storages_own(database: Database) -> None:
    await database.write(_add, "taken")
    with pytest.raises(RowTaken):
        await database.write(_add, "taken")
    with pytest.raises(StorageUnavailable, match="the database failed"):
        await database.read(lambda connection: connection.execute(text("no statement")))


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
async def test_who_reads_sqlite_waits_for_no_writer_and_sees_nothing_half_written(database: Database) -> None:
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
async def test_who_waited_too_long_in_the_line_is_told_so_and_wrote_nothing(
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
async def test_closing_waits_for_what_is_written(url: str, database: Database) -> None:
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
