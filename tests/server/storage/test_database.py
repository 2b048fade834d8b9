"""Databases: their schema and engines, transactions, durability and failures."""

import asyncio
import errno
import os
import signal
import sqlite3
import ssl
import stat
import subprocess
import sys
import threading
import traceback
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
import pytest_asyncio
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Connection, TypeDecorator, inspect, make_url, text
from sqlalchemy.dialects import sqlite
from sqlalchemy.exc import ArgumentError

from server.domain.terms import CheckState, CheckStatus, FailureReason
from server.storage.database import Database, open_database, uncancelled
from server.storage.engine import database_file, is_sqlite, open_postgresql, open_sqlite, reading
from server.storage.errors import RowTaken, SchemaOutdated, StorageUnavailable, unavailable
from server.storage.evidence_records import EvidenceRecordRepository
from server.storage.repository import CheckRepository
from server.storage.schema import current_revision, expect_usable, needed_revision, prepare_database, upgrade
from server.storage.tables import Word, Words, metadata
from tests.sampling import some_fast
from tests.server.databases import PostgresServer, make_tables
from tests.server.storage.samples import after, decision, entry, new_check


@pytest_asyncio.fixture
async def postgres_url(postgres: PostgresServer) -> AsyncIterator[str]:
    """The URL of a database without tables."""
    url = await postgres.new_database()
    yield url
    await postgres.drop_database(url)


# Transactions of both databases: atomic, on separate threads, and with one writer at a time.

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


async def test_failures_are_reported_by_operation_and_a_taken_row_is_none(url: str) -> None:
    await make_tables(url)
    failed: list[str] = []
    database = open_database(url, failed=failed.append)
    await database.write(_add, "taken")
    with pytest.raises(RowTaken):
        await database.write(_add, "taken")
    assert failed == []
    for run in (database.read, database.write):
        with pytest.raises(StorageUnavailable, match="the database failed"):
            await run(lambda connection: connection.execute(text("no statement")).rowcount)
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
        assert release.wait(60)

    writing = asyncio.ensure_future(database.write(slow))
    await asyncio.to_thread(began.wait, 60)
    assert await database.read(_names) == []
    release.set()
    await writing
    assert await database.read(_names) == ["slow"]


@pytest.mark.parametrize("url", ["sqlite"], indirect=True)
async def test_a_write_that_waited_too_long_raises_and_writes_nothing(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    began, release = threading.Event(), threading.Event()

    def hold(_connection: Connection) -> bool:
        began.set()
        return release.wait(60)

    held = asyncio.ensure_future(database.write(hold))
    assert await asyncio.to_thread(began.wait, 60)
    late = asyncio.ensure_future(database.write(_add, "late"))
    await asyncio.sleep(0)
    with monkeypatch.context() as impatient:
        impatient.setattr("server.storage.engine.PATIENCE_SECONDS", 0.05)
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
        assert release.wait(60)
        _add(connection, "last")

    other = open_database(url)
    writing = asyncio.ensure_future(other.write(slow))
    await asyncio.to_thread(began.wait, 60)
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
    await upgrade(postgres_url)
    database, other = open_database(postgres_url), open_postgresql(postgres_url)
    check = await CheckRepository(database).create(new_check(), None)
    with monkeypatch.context() as patch:
        patch.setattr("server.storage.engine.PATIENCE_SECONDS", 0.3)
        hasty = open_database(postgres_url)
    async with other.begin() as holder:
        await holder.execute(text("LOCK TABLE checks"))
        with pytest.raises(StorageUnavailable, match="too long"):
            await CheckRepository(hasty).finish(check.check_id, after(1))
    assert await CheckRepository(database).get(check.check_id) == check
    await other.dispose()
    await hasty.close()
    await database.close()


async def _make_first_schema(url: str) -> None:
    """Make a database of version 1.0.0, by statements that never change, one a line."""
    kind = "sqlite" if is_sqlite(url) else "postgresql"
    for statement in Path(__file__).with_name(f"schema_0001.{kind}.sql").read_text().splitlines():
        await _execute(url, statement)


async def test_the_migrations_make_exactly_the_tables(url: str) -> None:
    await _make_first_schema(url)
    await upgrade(url)
    database = open_database(url)

    def differences(connection: Connection) -> list[object]:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        return list(compare_metadata(context, metadata))

    assert await database.read(differences) == []
    await database.close()


async def test_a_migrated_database_has_the_indexes_and_triggers_of_a_new_one(
    sqlite_url: str, tmp_path: Path
) -> None:
    await _make_first_schema(sqlite_url)

    def names(connection: Connection) -> set[tuple[str, ...]]:
        rows = connection.execute(text("select type, name, tbl_name from sqlite_master"))
        return {tuple(row) for row in rows}

    found = []
    for url in (sqlite_url, f"sqlite:///{tmp_path / 'new.db'}"):
        await upgrade(url)
        database = open_database(url)
        found.append(await database.read(names))
        await database.close()
    assert found[0] == found[1]


async def test_upgrades_at_once_are_one(url: str) -> None:
    database = open_database(url, make=True)
    assert await current_revision(database) is None
    await asyncio.gather(*(upgrade(url) for _ in range(6)))
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


@pytest.mark.parametrize(
    "lacking", ["drop table console_sessions", "alter table attempts rename column counted to sums"]
)
async def test_a_database_of_a_candidate_is_refused(url: str, lacking: str) -> None:
    await upgrade(url)
    await _execute(url, lacking)
    for use in (upgrade, prepare_database):
        with pytest.raises(SchemaOutdated, match=r"a candidate of version 1\.0\.0"):
            await use(url)


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


# The types of columns that convert, also what they read after somebody altered a value in the database.

_DIALECT = sqlite.dialect()


@pytest.mark.parametrize(
    ("kind", "value", "stored"),
    [
        (Word(CheckStatus, 16), CheckStatus.FAILURE, "FAILURE"),
        (Word(CheckStatus, 16), None, None),
        (Words(str), ("a", "b"), '["a", "b"]'),
        (Words(FailureReason), (FailureReason.SPOOF,), '["SPOOF"]'),
        (Words(FailureReason), (), "[]"),
    ],
)
def test_a_value_comes_back(kind: TypeDecorator[Any], value: object, stored: object) -> None:
    assert kind.process_bind_param(value, _DIALECT) == stored
    if stored is not None:
        assert kind.process_result_value(stored, _DIALECT) == value


@pytest.mark.parametrize("stored", ["NO_STATUS", b"FAILURE", 7])
def test_a_word_that_is_no_member_is_none_only_where_that_is_expected(stored: object) -> None:
    assert Word(CheckStatus, 16, alterable=True).process_result_value(stored, _DIALECT) is None
    with pytest.raises(ValueError, match="is not a valid CheckStatus"):
        Word(CheckStatus, 16).process_result_value(stored, _DIALECT)


@pytest.mark.parametrize("stored", [None, 7, "7", "no JSON", '["NO_REASON"]', "[" * 100_000])
def test_a_list_of_other_words_is_none_only_where_that_is_expected(stored: object) -> None:
    assert Words(FailureReason, alterable=True).process_result_value(stored, _DIALECT) is None
    with pytest.raises((TypeError, ValueError, RecursionError)):
        Words(FailureReason).process_result_value(stored, _DIALECT)


def test_a_word_that_is_no_member_is_not_stored() -> None:
    with pytest.raises(ValueError, match="is not a valid CheckStatus"):
        Word(CheckStatus, 16).process_bind_param("NO_STATUS", _DIALECT)  # type: ignore[arg-type]


# Acknowledged transactions survive kill -9 of the writing process in the middle of its work.

_REPOSITORY = Path(__file__).resolve().parents[3]
_WRITER = """
import asyncio, sys
from server.storage.database import open_database
from server.storage.evidence_records import EvidenceRecordRepository
from server.storage.repository import CheckRepository
from tests.server.storage.samples import SESSION_KEY, after, decision, entry, new_check

async def main(url):
    repository = CheckRepository(open_database(url))
    number = 0
    while True:
        number += 1
        def say(what, check):
            print(what, check.check_id, flush=True)
        check = new_check()
        await repository.create(check, None)
        say("created", check)
        await repository.acquire_lease(
            check.check_id, session_key=SESSION_KEY, proven=False, owner="w", now=after(1), lease_seconds=15
        )
        say("scanning", check)
        await repository.start_attempt(check.check_id, epoch=1, number=1, start_time=after(2))
        say("attempt", check)
        await repository.decide(check.check_id, epoch=1, decision=decision(entry(check.check_id.hex)))
        say("decided", check)
        await repository.finish(check.check_id, after(30))
        say("finished", check)

asyncio.run(main(sys.argv[1]))
"""
_RANK = {
    CheckState.CREATED: 0,
    CheckState.SCANNING: 1,
    CheckState.DECIDED: 3,
    CheckState.FINISHED: 4,
}
_ACKNOWLEDGED = {"created": 0, "scanning": 1, "attempt": 1, "decided": 3, "finished": 4}


@pytest.mark.parametrize("acknowledgements", some_fast([2, 1, 4, 23], step=4))
async def test_nothing_acknowledged_is_lost(url: str, acknowledgements: int) -> None:
    await upgrade(url)
    acknowledged = _run_and_kill(url, acknowledgements)
    assert len(acknowledged) >= acknowledgements

    await upgrade(url)
    await _assert_kept(url, acknowledged)


@pytest.mark.slow
async def test_nothing_acknowledged_is_lost_with_the_database_server(postgres: PostgresServer) -> None:
    url = await postgres.new_database()
    await upgrade(url)
    acknowledged = _run_and_kill(url, 40, before=postgres.kill)
    postgres.start()
    await _assert_kept(url, acknowledged)
    await postgres.drop_database(url)


async def _assert_kept(url: str, acknowledged: "_Acknowledged") -> None:
    database = open_database(url)
    repository, records = CheckRepository(database), EvidenceRecordRepository(database)
    for check_id, words in acknowledged.items():
        record = await repository.get(check_id)
        assert record is not None, words
        assert _RANK[record.state] >= max(_ACKNOWLEDGED[word] for word in words)
        if "attempt" in words:
            assert len(await repository.attempts(check_id)) == 1
        if "decided" in words:
            kept = await records.find(check_id)
            assert kept is not None
            assert kept.sealed.ciphertext == b"result"
        # A decision is atomic and is never stored without its evidence.
        evidence = await repository.evidence(check_id)
        assert len(evidence) == (1 if record.state in {CheckState.DECIDED, CheckState.FINISHED} else 0)
        if record.state is CheckState.SCANNING:
            assert check_id in {due.check_id for due in await repository.due(after(100_000), 100)}
    await database.close()


def _run_and_kill(
    url: str, acknowledgements: int, *, before: Callable[[], None] | None = None
) -> "_Acknowledged":
    """Call ``before``, if given, and kill the writer, after this number of acknowledgements."""
    writer = subprocess.Popen(
        [sys.executable, "-c", _WRITER, url],
        stdout=subprocess.PIPE,
        text=True,
        cwd=_REPOSITORY,
        env={**os.environ, "PYTHONPATH": f"{_REPOSITORY}{os.pathsep}{_REPOSITORY / 'protos'}"},
    )
    acknowledged = _Acknowledged()
    try:
        assert writer.stdout is not None
        for line in writer.stdout:
            acknowledged.add(line)
            if len(acknowledged) >= acknowledgements:
                break
        if before is not None:
            before()
        writer.send_signal(signal.SIGKILL)
        # Transactions that it acknowledged until it was dead count as well.
        for line in writer.stdout:
            if line.endswith("\n"):
                acknowledged.add(line)
    finally:
        writer.kill()
        writer.wait()
        if writer.stdout is not None:
            writer.stdout.close()
    assert writer.returncode == -signal.SIGKILL
    return acknowledged


class _Acknowledged(dict[UUID, list[str]]):
    """The transactions that the writer acknowledged, by check; its length is their number."""

    def add(self, line: str) -> None:
        word, check_id = line.split()
        self.setdefault(UUID(check_id), []).append(word)

    def __len__(self) -> int:
        return sum(len(words) for words in self.values())


async def _failure(url: str) -> str:
    """Return the error message for a check that cannot be created."""
    database = open_database(url)
    with pytest.raises(StorageUnavailable) as caught:
        await CheckRepository(database).create(new_check(), None)
    await database.close()
    return str(caught.value)


@pytest.mark.parametrize(
    ("prepared", "user", "remedy"),
    [
        ("", "", "run facegate db upgrade"),
        ('ALTER DATABASE "{}" SET default_transaction_read_only = on', "", "database URL to the primary"),
        ("CREATE ROLE nobodys LOGIN PASSWORD 'hunter2'", "nobodys", "lacks a privilege there; grant it"),
        ("CREATE ROLE alone LOGIN PASSWORD 'hunter2' CONNECTION LIMIT 0", "alone", "no more connections"),
    ],
    ids=["no tables", "no primary", "no rights", "no connection"],
)
async def test_a_failure_of_postgresql_comes_with_a_remedy(
    postgres: PostgresServer, postgres_url: str, prepared: str, user: str, remedy: str
) -> None:
    url = make_url(postgres_url)
    if prepared:
        await upgrade(postgres_url)
        await postgres.execute(prepared.format(url.database))
    if user:
        url = url.set(username=user, password="hunter2")
    message = await _failure(url.render_as_string(hide_password=False))
    assert remedy in message
    assert "hunter2" not in message


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


class Work:
    """Work that runs until it is released, and records its progress."""

    def __init__(self) -> None:
        self.begun = asyncio.Event()
        self.let_go = asyncio.Event()
        self.ended = False

    @uncancelled
    async def run(self, *, fail: bool = False) -> str:
        self.begun.set()
        await self.let_go.wait()
        self.ended = True
        if fail:
            raise ValueError("failed")
        return "done"


@pytest.mark.parametrize("fail", [False, True])
async def test_a_cancelled_caller_waits_for_the_end_and_is_cancelled_then(fail: bool) -> None:
    work = Work()
    caller = asyncio.create_task(work.run(fail=fail))
    await work.begun.wait()
    caller.cancel()
    await asyncio.sleep(0.01)
    assert not caller.done()
    work.let_go.set()
    with pytest.raises(asyncio.CancelledError):
        await caller
    assert work.ended


async def test_the_work_ends_even_where_its_caller_is_cancelled_twice() -> None:
    work = Work()
    caller = asyncio.create_task(work.run())
    await work.begun.wait()
    for _ in range(2):
        caller.cancel()
        await asyncio.sleep(0.01)
    assert caller.cancelled()
    work.let_go.set()
    await asyncio.sleep(0.01)
    assert work.ended
